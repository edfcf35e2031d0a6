"""Lingvo's LibriSpeech experiments: its weights, its hidden defaults, and a corpus of the same layout that they train on."""

import json
import wave
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg import cli
from seqcfg.plan import table
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from tests.recipes.test_lingvo_shapes import lingvo_weights

# Lingvo's appendix of ids, `AsciiTokenizer`: three reserved ones, then these; <epsilon> is our padding.
ASCII = [" ", "<noise>", *"abcdefghijklmnopqrstuvwxyz.'-:!~`;0123456789\"#$%&()*+,/<=>?@[\\]^_{|}", "<text_only>", "<sorw>"]


def found(name):
    return load(str(shipped.find(f"asr/librispeech960_las_{name}")))


@pytest.mark.parametrize(("name", "total"), [("grapheme", 132_091_260), ("wpm", 183_677_672)])
def test_the_number_of_weights_is_lingvo_s(name, total):
    assert table.total(found(name).declaration) == total


def test_every_shape_occurs_as_often_as_in_lingvo():
    ours = Counter(tuple(weight.shape) for weight in found("grapheme").declaration.all_weights())
    theirs = lingvo_weights("asr.librispeech.Librispeech960Grapheme.weights.txt")
    assert ours == Counter(shape for _, shape in theirs)


def test_hidden_defaults_are_lingvo_s():
    recipe = found("grapheme").recipe
    training, model = recipe.training, recipe.task.model
    assert (training.clip.norm, training.skip.max_norm, training.penalties.l2) == (1.0, 100.0, 1e-6)
    assert (training.weight_noise.std, training.weight_noise.start_step) == (0.075, 20_000)
    assert (training.optimizer.beta1, training.optimizer.beta2, training.optimizer.epsilon) == (0.9, 0.999, 1e-6)
    rates = [float(training.schedule(tf.constant(step))) for step in (0, 50_000, 150_000, 250_000, 3_000_000)]
    assert rates == pytest.approx([2.5e-4, 2.5e-4, 1.25e-4, 6.25e-5, 2.5e-6])
    assert (model.decoder.cell.cell_cap, model.decoder.cell.forget_bias, model.decoder.first_context) == (10.0, 0.0, "attended")
    append = model.encoder.layers[0]
    assert (append.type, append.count, append.are_real) == ("append_frames", 6, False)
    search = recipe.decoding.search
    assert (search.width, search.length_penalty, search.prune_margin, search.eos_margin) == (8, 0.0, 3.0, 5.0)
    assert found("wpm").recipe.decoding.max_length == 140


def test_the_table_of_characters_is_lingvo_s_but_for_the_reserved_ones():
    tokenizer = found("grapheme").recipe.tokenizers["transcripts"]
    assert tokenizer.vocab_size == 76
    assert sorted([*tokenizer.characters, *tokenizer.markers]) == sorted(ASCII)
    assert list(tokenizer.characters) == [one for one in ASCII if len(one) == 1]


WORDS = {"A": 500, "BE": 900, "SEA": 1400, "DO": 2000}  # each a tone of its own, in Hz
SMALL = ["vars.cell=6", "vars.memory=12", "task.front_end.layers.0.num_bins=16", "training.weight_noise.start_step=1"]
SMALL += ["data.splits.train.path=LibriSpeech/train", "training.checkpoint.every_steps=2", "training.validation.num_decoded=4"]
SMALL += ["data.batching={max_tokens: 2000, num_buckets: 2, max_length: 400}", "decoding.max_length=6", "evaluation.max_tokens=2000"]


def utterance(words, rng):
    time = np.arange(2400) / 16000
    sound = np.concatenate([np.sin(2 * np.pi * WORDS[word] * time) for word in words])
    return np.rint(8000 * (sound + 0.1 * rng.standard_normal(len(sound)))).astype("<i2")


def corpus(root, parts):
    """LibriSpeech's folders with tones for words."""
    rng = np.random.default_rng(1)
    for part, count in parts.items():
        folder = root / "LibriSpeech" / part / "19" / "198"
        folder.mkdir(parents=True)
        lines = []
        for number in range(count):
            words, key = rng.choice(list(WORDS), rng.integers(1, 4)), f"19-198-{number:04}"
            with wave.open(str(folder / f"{key}.wav"), "wb") as out:
                out.setparams((1, 2, 16000, 0, "NONE", ""))
                out.writeframes(utterance(words, rng).tobytes())
            lines.append(f"{key} {' '.join(words)}")
        (folder / "19-198.trans.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_the_recipe_trains_and_decodes_on_a_corpus_of_that_layout(tmp_path, monkeypatch):
    corpus(tmp_path, {"train": 12, "dev-clean": 4, "dev-other": 2, "test-clean": 4, "test-other": 2})
    splits = ("train", "validation", "dev_other", "test", "test_other")
    changes = [*SMALL, *(f"data.splits.{split}.audio_suffix=.wav" for split in splits), "training.steps=2", "training.log_every_steps=1"]
    given = [part for change in changes for part in ("--set", change)]
    monkeypatch.setenv("SEQCFG_DATA", str(tmp_path))
    monkeypatch.setenv("SEQCFG_CACHE", str(tmp_path / "prepared"))
    run = tmp_path / "run"
    result = CliRunner().invoke(cli.cli, ["train", str(shipped.find("asr/librispeech960_las_grapheme")), *given, "--run", str(run)])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses and all(np.isfinite(losses))
    assert any("wer" in json.dumps(row) for row in rows)
    result = CliRunner().invoke(cli.cli, ["evaluate", str(run), "--split", "test_other"])
    assert result.exit_code == 0, result.output
    assert "cer" in result.output
