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
from tests.evaluation.small_sounds import RATE, RECIPE, make_run, noise

MANIFEST = "{type: audio_manifest, path: train.jsonl, sample_rate_hz: 4000%s}"
GENERATED = "{type: keypad_tones, part: train, num_examples: 20, longest: 3, sample_rate_hz: 4000}"
TESTED = "{type: keypad_tones, part: test, num_examples: 5, longest: 3, sample_rate_hz: 4000}"


def write(folder, name, samples, rate=RATE):
    """Samples [time], or [time, channels]."""
    with wave.open(str(folder / name), "wb") as file:
        file.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
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


def test_a_flac_that_ends_early_is_damage(tmp_path):
    flac = pytest.importorskip("soundfile")
    flac.write(tmp_path / "a.flac", noise(0.5), RATE)
    flac.write(tmp_path / "b.flac", noise(4.0), RATE)
    (tmp_path / "b.flac").write_bytes((tmp_path / "b.flac").read_bytes()[:-9000])
    entries = [("a.flac", "abc"), ("b.flac", "abc")]
    with pytest.raises(UserError, match=r"train.jsonl:2: .*b\.flac"):
        prepared_of(tmp_path, entries)
    train = prepared_of(tmp_path, entries, bad=1).splits["train"]
    assert train.lengths("audio").tolist() == [RATE // 2]


def test_of_several_channels_the_mean_is_heard_or_the_one_that_is_named(tmp_path):
    left, right = noise(0.5), noise(0.5, seed=1)
    write(tmp_path, "a.wav", np.stack([left, right], 1))
    for source, expected in (("", (left + right) / 2), (", channel: 1", right)):
        train = prepared_of(tmp_path, [("a.wav", "abc")], source).splits["train"]
        np.testing.assert_allclose(train.gather("audio", [0], RATE // 2)[0], expected, atol=1e-4)
    with pytest.raises(UserError, match="has 2 channels, and channel 2 is asked for"):
        prepared_of(tmp_path, [("a.wav", "abc")], ", channel: 2")


def test_all_that_is_written_for_an_empty_transcript_is_inserted(tmp_path):
    write(tmp_path, "a.wav", noise(0.9))
    lines = [{"audio": "a.wav", "text": text} for text in ("", "11")]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = make_run(tmp_path, RECIPE.replace(TESTED, MANIFEST.replace("train.jsonl", "test.jsonl") % ""))
    roots = ["--data-root", str(tmp_path), "--cache-root", str(tmp_path / "prepared")]
    result = CliRunner().invoke(cli, ["evaluate", str(run), "--split", "test", *roots])
    assert result.exit_code == 0, result.output
    folder = run / "evaluations" / "test-step-00000010"
    written = [json.loads(line) for line in (folder / "sentences.jsonl").read_text().splitlines()]
    assert len(written) == 2 and written[0]["hypothesis"] == written[1]["hypothesis"] != ""
    (cer,) = (one for one in json.loads((folder / "metrics.json").read_text())["metrics"] if one["name"] == "cer")
    assert cer["details"]["insertions"] >= len(written[0]["hypothesis"])


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
