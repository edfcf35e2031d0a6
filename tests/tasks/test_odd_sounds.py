"""What recognition does with recordings and transcripts that are not as they should be."""

import json
import math
import wave

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.component.reserved_ids import END, UNKNOWN
from seqcfg.data.prepare import prepare
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.runs import records
from tests.evaluation.small_sounds import RATE, RECIPE, noise

MANIFEST = "{type: audio_manifest, path: train.jsonl, sample_rate_hz: 4000%s}"
GENERATED = "{type: keypad_tones, part: train, num_examples: 20, longest: 3, sample_rate_hz: 4000}"


def write(folder, name, samples, rate=RATE):
    with wave.open(str(folder / name), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


def prepared_of(folder, entries, source="", bad=0):
    (folder / "train.jsonl").write_text("".join(json.dumps({"audio": name, "text": text}) + "\n" for name, text in entries))
    (folder / "recipe.yaml").write_text(RECIPE.replace(GENERATED, MANIFEST % source).replace("vocab_size: 20", "vocab_size: 7"))
    experiment = load(folder / "recipe.yaml", [f"data.max_bad_examples={bad}"])
    return prepare(experiment, data_root=folder, cache_root=folder / "prepared")


def test_another_sample_rate_is_damage_and_is_resampled_where_the_recipe_says_so(tmp_path):
    write(tmp_path, "a.wav", noise(0.5))
    write(tmp_path, "b.wav", noise(0.5, 2 * RATE), 2 * RATE)
    entries = [("a.wav", "abc"), ("b.wav", "abc")]
    with pytest.raises(UserError, match="8000 Hz instead of 4000"):
        prepared_of(tmp_path, entries)
    assert prepared_of(tmp_path, entries, bad=1).splits["train"].num_examples == 1
    both = prepared_of(tmp_path, entries, ", resample: true").splits["train"]
    assert both.lengths("audio").tolist() == [RATE // 2, RATE // 2]


def test_a_file_that_ends_early_is_damage(tmp_path):
    write(tmp_path, "a.wav", noise(0.5))
    write(tmp_path, "b.wav", noise(0.5))
    (tmp_path / "b.wav").write_bytes((tmp_path / "b.wav").read_bytes()[:-500])
    with pytest.raises(UserError, match="ends early"):
        prepared_of(tmp_path, [("a.wav", "abc"), ("b.wav", "abc")])


def test_an_empty_transcript_is_not_trained_on_and_silence_is(tmp_path):
    write(tmp_path, "a.wav", noise(0.5))
    write(tmp_path, "silence.wav", np.zeros(RATE))
    train = prepared_of(tmp_path, [("a.wav", "abc"), ("a.wav", ""), ("silence.wav", "ab")]).splits["train"]
    assert train.texts("text_text") == ["abc", "ab"]


def test_characters_outside_the_vocabulary_are_unknown_ids(tmp_path):
    write(tmp_path, "a.wav", noise(0.5))
    train = prepared_of(tmp_path, [("a.wav", "aabbcc"), ("a.wav", "aaz")]).splits["train"]
    assert train.gather("text", [1], 4).tolist()[0][2:] == [UNKNOWN, END]


def test_more_tokens_than_frames_are_counted_in_the_records_and_told(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("stride: 2", "stride: 8").replace("longest: 3", "longest: 8"))
    command = ["train", str(tmp_path / "recipe.yaml"), "--run", str(tmp_path / "run"), "--data-root", str(tmp_path)]
    settings = ["training.log_every_steps=1", "data.batching.max_length=400"]
    result = CliRunner().invoke(cli, [*command, "--cache-root", str(tmp_path / "prepared"), *(f"--set={one}" for one in settings)])
    assert result.exit_code == 0, result.output
    trained = records.read(tmp_path / "run" / "records.jsonl", "train")
    assert sum(one.get("left_out", 0) for one in trained) > 0
    assert all(math.isfinite(one["loss"]) for one in trained)
    assert "more tokens than frames" in result.output
