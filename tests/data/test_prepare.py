import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seqcfg.data import column_writer as columns_module
from seqcfg.data.batching import Batching
from seqcfg.data.lock import exclusive
from seqcfg.data.prepare import find_prepared, prepare
from seqcfg.data.sources.jsonl import JsonLines
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.data.tokenizers.character import Characters
from seqcfg.errors import UserError
from tests.data.small import PAIR, SENTENCES, make_experiment, translation_features, write_corpus

REPOSITORY = Path(__file__).parents[2]


def folders(roots):
    return sorted(entry.name for entry in roots["cache_root"].glob("*") if entry.is_dir())


def test_columns_hold_the_ids_and_the_texts_of_the_corpus(roots):
    prepared = prepare(make_experiment(), **roots)
    test, codec = prepared.splits["test"], prepared.codecs["shared"]
    assert test.num_examples == 5
    assert test.texts("source_text") == [source for source, _ in SENTENCES]
    ids = codec.encode(["bad"])[0]
    assert test.gather("source", [1], 5).tolist() == [[*ids, 3, 0]]
    assert test.lengths("target").tolist() == [len(target) + 1 for _, target in SENTENCES]
    assert prepared.manifest["vocabularies"] == {"shared": 9}


def test_start_and_end_ids_are_put_where_a_feature_asks_for_them(roots):
    features = {
        name: type(feature)(**{**vars(feature), "start": True, "end": name == "target"})
        for name, feature in translation_features().items()
        if feature.tokenizer
    }
    prepared = prepare(make_experiment(tokenizers={"shared": Bytes()}, features=features), **roots)
    assert prepared.splits["test"].gather("source", [4], 3).tolist() == [[2, ord("c") + 4, 0]]
    assert prepared.splits["test"].gather("target", [0], 4).tolist() == [[2, ord("a") + 4, ord("b") + 4, 3]]


def test_empty_lines_are_skipped_and_counted_in_training_and_kept_elsewhere(roots):
    prepared = prepare(make_experiment(), **roots)
    counts = prepared.manifest["splits"]["train"]["counts"]
    assert counts == {"read": 5, "kept": 4, "empty": 1, "bad": 0, "dropped": ["train.en:3: empty"]}
    assert prepared.splits["train"].num_examples == 4
    assert prepared.manifest["splits"]["test"]["counts"]["empty"] == 0
    assert prepared.splits["test"].lengths("source")[2] == 1


def test_damaged_lines_are_counted_up_to_the_limit_and_an_error_beyond(roots):
    file = roots["data_root"] / "train.en"
    file.write_bytes(file.read_bytes().replace(b"bad", b"b\xffd").replace(b"dada", b"d\0"))
    prepared = prepare(make_experiment(max_bad_examples=2, tokenizers={"shared": Bytes()}), **roots)
    counts = prepared.manifest["splits"]["train"]["counts"]
    assert (counts["kept"], counts["bad"], counts["empty"]) == (2, 2, 1)
    assert counts["dropped"][0] == "train.en:2: invalid UTF-8 at byte 2 (0xff)"
    with pytest.raises(UserError, match=r"more than 1 damaged examples.*\n.*train\.en:2: invalid UTF-8.*\n.*train\.en:4: a NUL byte"):
        prepare(make_experiment(max_bad_examples=1, tokenizers={"shared": Characters(vocab_size=5)}), **roots)


def test_a_second_call_writes_nothing(roots):
    first = prepare(make_experiment(), **roots)
    before = {file: file.stat().st_mtime_ns for file in first.folder.rglob("*")}
    seen = []
    second = prepare(make_experiment(), lambda *what: seen.append(what), **roots)
    assert second.folder == first.folder == find_prepared(make_experiment(), **roots).folder
    assert seen == []
    assert before == {file: file.stat().st_mtime_ns for file in first.folder.rglob("*")}


def test_the_address_follows_content_tokenizers_and_features_but_not_batching_or_place(roots, tmp_path):
    def address(experiment, **changed):
        return prepare(experiment, **{**roots, **changed}).fingerprint

    base = address(make_experiment())
    assert address(make_experiment(batching=Batching(max_tokens=99, max_length=7))) == base
    assert address(make_experiment(max_bad_examples=9)) == base
    write_corpus(tmp_path / "elsewhere")
    assert address(make_experiment(), data_root=tmp_path / "elsewhere") == base
    others = [
        address(make_experiment(tokenizers={"shared": Characters(vocab_size=8)})),
        address(make_experiment(splits={"train": PAIR})),
        address(make_experiment(splits={"train": ParallelText(source="train.en", target="train.fr", lowercase=True), "test": PAIR})),
        address(make_experiment(features={**translation_features(), "more": translation_features()["source"]})),
    ]
    write_corpus(tmp_path / "elsewhere", [*SENTENCES, ("a", "b")])
    others.append(address(make_experiment(), data_root=tmp_path / "elsewhere"))
    assert len({base, *others}) == 6


def test_nothing_is_found_before_it_is_prepared(roots):
    assert find_prepared(make_experiment(), **roots) is None


def test_the_same_corpus_is_prepared_to_the_same_bytes(roots, tmp_path):
    manifests = [prepare(make_experiment(), **{**roots, "cache_root": tmp_path / name}).manifest for name in "ab"]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (make_experiment(splits={"train": ParallelText(source="train.en", target="missing.fr")}), "missing.fr: there is no such file"),
        (make_experiment(features=translation_features("other")), "needs the tokenizer 'other'"),
        (make_experiment(tokenizers={"shared": Characters(vocab_size=50)}), "vocab_size 50 is more than the corpus allows"),
        (make_experiment(features={"x": type(translation_features()["source"])("audio", dtype="bytes")}), "has no field 'audio'"),
    ],
)
def test_what_cannot_be_prepared_is_refused_and_leaves_no_folder(experiment, message, roots):
    with pytest.raises(UserError, match=message):
        prepare(experiment, **roots)
    assert folders(roots) == []


def test_a_value_that_is_no_text_is_refused_where_text_is_needed(roots):
    (roots["data_root"] / "x.jsonl").write_text('{"source": "a", "target": "b"}\n{"source": 5, "target": "b"}\n')
    with pytest.raises(UserError, match=r"x\.jsonl:2: 'source' is 5 and not text"):
        prepare(make_experiment(splits={"train": JsonLines(path="x.jsonl")}, tokenizers={"shared": Bytes()}), **roots)


def test_a_corpus_without_usable_examples_is_refused(roots):
    write_corpus(roots["data_root"], [("", "x"), (" ", "y")])
    with pytest.raises(UserError, match=r"train: has no usable example \(2 read\)"):
        prepare(make_experiment(tokenizers={"shared": Bytes()}), **roots)


@pytest.mark.parametrize("allowed_bytes", [0, 130, 400, 900])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(allowed_bytes, roots, monkeypatch):
    left = [allowed_bytes]

    def flush(writer, original=columns_module.ArrayWriter._flush):
        left[0] -= writer._pending_bytes
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(writer)

    with monkeypatch.context() as patch:
        patch.setattr(columns_module.ArrayWriter, "_flush", flush)
        if allowed_bytes < 900:
            with pytest.raises(UserError, match="is full .* nothing half-written was kept"):
                prepare(make_experiment(), **roots)
            assert folders(roots) == []
    assert prepare(make_experiment(), **roots).splits["test"].num_examples == 5


COUNTED = """
import os, signal, sys
from seqcfg.data import prepare as module
from tests.data.small import make_experiment
last, seen = int(sys.argv[3]), 0
def count(frame, event, argument):
    global seen
    if event == "call" and "seqcfg/data" in frame.f_code.co_filename:
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(count)
module.prepare(make_experiment(), data_root=sys.argv[1], cache_root=sys.argv[2])
sys.setprofile(None)
print(seen)
"""


def prepare_until(call, data_root, cache_root):
    """Prepares in a process that kills itself at the given function call inside seqcfg.data (0 = never)."""
    arguments = [sys.executable, "-c", COUNTED, str(data_root), str(cache_root), str(call)]
    return subprocess.run(arguments, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False, capture_output=True)


def test_a_killed_preparation_is_never_taken_for_whole(roots, tmp_path):
    whole = prepare_until(0, roots["data_root"], tmp_path / "whole")
    calls = int(whole.stdout)
    for number, share in enumerate((0.2, 0.5, 0.7, 0.85, 0.95)):
        places = {**roots, "cache_root": tmp_path / f"cache{number}"}
        killed = prepare_until(int(share * calls), **places)
        assert killed.returncode == -signal.SIGKILL
        if (found := find_prepared(make_experiment(), **places)) is not None:
            found.verify()
        prepared = prepare(make_experiment(), **places)
        prepared.verify()
        assert prepared.manifest == json.loads((tmp_path / "whole" / prepared.fingerprint / "manifest.json").read_text())
        assert folders(places) == [prepared.fingerprint]


def test_leftovers_of_a_killed_process_are_swept_away(roots):
    fingerprint = prepare(make_experiment(), **{**roots, "cache_root": roots["cache_root"] / "other"}).fingerprint
    for name in (f"{fingerprint}.partial", fingerprint):
        (roots["cache_root"] / name / "splits" / "train").mkdir(parents=True)
        (roots["cache_root"] / name / "splits" / "train" / "source.values.npy").write_bytes(b"half")
    assert prepare(make_experiment(), **roots).splits["test"].num_examples == 5
    assert not (roots["cache_root"] / f"{fingerprint}.partial").exists()


def test_of_two_processes_one_waits_and_then_finds_everything_done(roots):
    fingerprint = prepare(make_experiment(), **{**roots, "cache_root": roots["cache_root"] / "other"}).fingerprint
    said, results = [], []
    with exclusive(roots["cache_root"] / f"{fingerprint}.lock"):
        waits = threading.Event()

        def progress(what, done, total):
            said.append(what)
            waits.set()

        other = threading.Thread(target=lambda: results.append(prepare(make_experiment(), progress, **roots)))
        other.start()
        assert waits.wait(30)
        assert said == ["waiting for another process"]
        done = roots["cache_root"] / "other" / fingerprint
        done.rename(roots["cache_root"] / fingerprint)
    other.join(30)
    assert results[0].fingerprint == fingerprint
    assert said == ["waiting for another process"]


def test_a_damaged_column_is_named(roots):
    prepared = prepare(make_experiment(), **roots)
    file = prepared.folder / "splits" / "test" / "target.values.npy"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(UserError, match=r"target\.values\.npy: prepared data is damaged"):
        prepare(make_experiment(), **roots)


def test_a_damaged_manifest_means_that_everything_is_made_again(roots):
    prepared = prepare(make_experiment(), **roots)
    (prepared.folder / "manifest.json").write_text(json.dumps(prepared.manifest)[:50])
    assert prepare(make_experiment(), **roots).manifest == prepared.manifest


def test_a_recipe_without_data_is_refused(roots):
    experiment = make_experiment()
    experiment.recipe.data = None
    with pytest.raises(UserError, match="no `data` section"):
        prepare(experiment, **roots)
