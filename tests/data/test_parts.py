import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqcfg.data import split_writer, workers
from seqcfg.data.filters import DuplicateFilter, LengthFilter, RatioFilter
from seqcfg.data.job import Job
from seqcfg.data.prepare import prepare
from seqcfg.data.sources.number_names import NumberNames
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.sources.reverse import Reverse
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.data.tokenizers.character import Characters
from seqcfg.data.tokenizers.sampling import Sampling
from seqcfg.data.tokenizers.sentence_piece import SentencePiece
from tests.data.small import PAIR, make_experiment, write_corpus

REPOSITORY = Path(__file__).parents[2]


def files(prepared):
    return {str(file.relative_to(prepared.folder)): file.stat().st_ino for file in prepared.folder.rglob("*.npy")}


def alone(experiment, roots, tmp_path):
    """The manifest that an empty cache gives."""
    return prepare(experiment, data_root=roots["data_root"], cache_root=tmp_path / f"alone{random.random()}").manifest


def test_another_tokenizer_makes_new_ids_and_keeps_the_texts(roots, tmp_path):
    first = files(prepare(make_experiment(), **roots))
    second = prepare(make_experiment(tokenizers={"shared": Bytes()}), **roots)
    kept = {name for name, inode in files(second).items() if first[name] == inode}
    assert kept == {name for name in first if "_text" in name}
    assert second.manifest == alone(make_experiment(tokenizers={"shared": Bytes()}), roots, tmp_path)


def test_a_changed_test_split_leaves_the_training_split_and_the_tokenizer_alone(roots, tmp_path, monkeypatch):
    first = files(prepare(make_experiment(), **roots))
    (roots["data_root"] / "test.en").write_text("cab\n")
    (roots["data_root"] / "test.fr").write_text("bac\n")
    experiment = make_experiment({"train": PAIR, "test": ParallelText(source="test.en", target="test.fr")})
    monkeypatch.setattr(Characters, "fit", None)
    second = prepare(experiment, **roots)
    monkeypatch.undo()
    assert {name for name, inode in files(second).items() if first.get(name) == inode} == {name for name in first if "splits/train" in name}
    assert second.splits["test"].texts("source_text") == ["cab"]
    assert second.manifest == alone(experiment, roots, tmp_path)


def test_parts_outlive_the_folder_they_were_made_in(roots):
    import shutil

    first = prepare(make_experiment(), **roots)
    second = prepare(make_experiment(tokenizers={"shared": Bytes()}), **roots)
    shutil.rmtree(first.folder)
    second.verify()


def test_a_damaged_part_is_made_again(roots):
    first = prepare(make_experiment(), **roots)
    damaged = first.folder / "splits" / "train" / "source_text.values.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    second = prepare(make_experiment(tokenizers={"shared": Bytes()}), **roots)
    second.verify()
    assert "?" not in "".join(second.splits["train"].texts("source_text"))


class Stopped(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("chunks", [0, 1, 3, 5])
def test_an_interrupted_split_goes_on_behind_its_last_synced_row(chunks, roots, tmp_path, monkeypatch):
    splits = {"train": Reverse(num_examples=60), "test": Reverse(part="test", num_examples=5)}
    experiment = make_experiment(splits, {"shared": Bytes()})
    whole = alone(experiment, roots, tmp_path)
    monkeypatch.setattr(split_writer, "CHUNK_EXAMPLES", 10)
    monkeypatch.setattr(split_writer, "JOURNAL_SECONDS", -1.0)
    seen = []

    def encode(chunk, first, *state, original=workers.encode_chunk):
        if len(seen) == chunks:
            raise Stopped
        seen.append(first)
        return original(chunk, first, *state)

    monkeypatch.setattr(workers, "encode_chunk", encode)
    with pytest.raises(Stopped):
        prepare(experiment, **roots)
    chunks = 100
    prepared = prepare(experiment, **roots)
    assert sorted(seen) == [0, *range(0, 60, 10)]  # no chunk twice; the test split begins at 0, too
    assert prepared.manifest == whole
    prepared.verify()


def test_many_processes_write_the_same_bytes(roots, tmp_path, monkeypatch):
    splits = {"train": NumberNames(part="train", highest=9999, num_examples=400)}
    experiment = make_experiment(splits, {"shared": SentencePiece(vocab_size=60, sampling=Sampling(num_variants=2))})
    monkeypatch.setattr(split_writer, "CHUNK_EXAMPLES", 50)
    manifests = [prepare(experiment, **{**roots, "cache_root": tmp_path / str(n)}, processes=n).manifest for n in (1, 2)]
    monkeypatch.setattr(workers, "ALONE_CHUNKS", 1)
    manifests.append(prepare(experiment, **{**roots, "cache_root": tmp_path / "3"}, processes=2).manifest)
    assert manifests[0] == manifests[1] == manifests[2]


def test_sampled_segmentations_are_rows_of_their_own_in_training_alone(roots):
    splits = {
        "train": NumberNames(part="train", highest=9999, num_examples=50),
        "test": NumberNames(part="test", highest=9999, num_examples=7),
    }
    experiment = make_experiment(splits, {"shared": SentencePiece(vocab_size=60, sampling=Sampling(num_variants=3, alpha=0.2))})
    prepared = prepare(experiment, **roots)
    train, codec = prepared.splits["train"], prepared.codecs["shared"]
    assert (train.num_examples, prepared.splits["test"].num_examples) == (150, 7)
    texts = train.texts("source_text")
    assert texts[0] == texts[1] == texts[2] != texts[3]
    ids = [train.gather("source", [row], int(train.lengths("source")[row]))[0].tolist() for row in range(150)]
    assert [codec.decode([row])[0] for row in ids] == texts
    assert sum(len({tuple(row) for row in ids[start : start + 3]}) > 1 for start in range(0, 150, 3)) > 25


def test_filters_drop_training_examples_and_count_them_with_places(roots):
    write_corpus(roots["data_root"], [("a b", "c"), ("a a a a", "b"), ("d", "d d"), ("a b", "c"), ("b", "a " * 9), ("c", "d")])
    filters = [LengthFilter(longest=8), RatioFilter(highest=3.0), DuplicateFilter()]
    prepared = prepare(make_experiment(tokenizers={"shared": Bytes()}, filters=filters), **roots)
    counts = prepared.manifest["splits"]["train"]["counts"]
    assert counts["filtered"] == {"length": 1, "length_ratio": 1, "duplicates": 1}
    assert counts["dropped"] == [
        "train.en:2: length_ratio: source and target have 1 and 4 words",
        "train.en:4: duplicates: seen before",
        "train.en:5: length: target has 9 words",
    ]
    assert prepared.splits["train"].texts("source_text") == ["a b", "d", "c"]
    assert prepared.splits["test"].num_examples == 6


def test_leaks_between_splits_are_counted(roots):
    for name, text in {"t.en": "bad\nnew\nc\n", "t.fr": "dab dab\nx\nother\n"}.items():
        (roots["data_root"] / name).write_text(text)
    splits = {"train": PAIR, "test": ParallelText(source="t.en", target="t.fr")}
    prepared = prepare(make_experiment(splits, {"shared": Bytes()}), **roots)
    assert prepared.manifest["leaks"] == {"test": {"examples": 1, "source_text": 2, "target_text": 1}}


def test_a_finished_tokenizer_is_not_learnt_again_after_a_kill(roots, monkeypatch):
    learnt = []
    fit = Characters.fit
    monkeypatch.setattr(Characters, "fit", lambda self, *rest: (learnt.append(1), fit(self, *rest)))
    split = Job._split

    def stop(*rest):
        raise Stopped

    monkeypatch.setattr(Job, "_split", stop)
    with pytest.raises(Stopped):
        prepare(make_experiment(), **roots)
    monkeypatch.setattr(Job, "_split", split)
    prepare(make_experiment(), **roots).verify()
    assert learnt == [1]


CORPUS = """
import sys
from seqcfg.data import split_writer, workers
from seqcfg.data.prepare import prepare
from seqcfg.data.sources.reverse import Reverse
from seqcfg.data.tokenizers.sentence_piece import SentencePiece
from tests.data.small import make_experiment
split_writer.CHUNK_EXAMPLES, split_writer.JOURNAL_SECONDS = 100, 0.0
splits = {"train": Reverse(num_examples=4000), "test": Reverse(part="test", num_examples=200)}
experiment = make_experiment(splits, {"shared": SentencePiece(vocab_size=20, num_threads=1)})
print(prepare(experiment, data_root=".", cache_root=sys.argv[1]).fingerprint)
"""


@pytest.mark.slow
def test_killed_at_50_random_moments_and_restarted_it_gives_the_same(tmp_path):
    """The longest uninterrupted run sets the range of moments; each cache is killed at several until it gets through."""

    def start(cache):
        return subprocess.Popen([sys.executable, "-c", CORPUS, str(cache)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)

    begun = time.monotonic()
    expected = start(tmp_path / "whole").communicate()[0].strip()
    longest, draw, kills, cache = time.monotonic() - begun, random.Random(0), 0, 0
    reference = (tmp_path / "whole" / expected / "manifest.json").read_bytes()
    while kills < 50:
        cache += 1
        for _ in range(8):
            process = start(tmp_path / str(cache))
            try:
                process.wait(draw.uniform(0.3, 1.05) * longest)
                break
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
        else:
            process = start(tmp_path / str(cache))
        assert process.communicate()[0].strip() == expected
        assert (tmp_path / str(cache) / expected / "manifest.json").read_bytes() == reference
        assert [one.name for one in (tmp_path / str(cache)).iterdir() if one.is_dir()] == [expected]
