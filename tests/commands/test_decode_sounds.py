import itertools
import json
import math
import struct
import wave

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from tests.evaluation.small_sounds import LETTERS, RATE, make_run, noise


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("sounds"))


def write(path, samples, rate=RATE, channels=1):
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(np.rint(samples * 32767).astype("<i2"), channels).tobytes())
    return path


def decode(run, *arguments, stdin=None):
    return CliRunner().invoke(cli, ["decode", str(run), *map(str, arguments)], input=stdin)


def entries(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def expected(run, tmp_path_factory):
    """What the run says to a second of noise."""
    sound = write(tmp_path_factory.mktemp("one") / "a.wav", noise(0.9))
    result = decode(run, "--input", sound)
    assert result.exit_code == 0
    assert result.stdout.strip()
    return result.stdout


def test_a_sound_on_standard_input_or_in_stereo_is_the_same_as_a_file(run, expected, tmp_path):
    stereo = write(tmp_path / "stereo.wav", noise(0.9), channels=2)
    data = write(tmp_path / "a.wav", noise(0.9)).read_bytes()
    unknown_size = data[:40] + struct.pack("<I", 0xFFFFFFFF) + data[44:]
    assert decode(run, "--input", stereo).stdout == expected
    assert decode(run, "--input", "-", stdin=data).stdout == expected
    assert decode(run, "--input", "-", stdin=unknown_size).stdout == expected
    assert "no WAV" in str(decode(run, "--input", "-", stdin=b"words").exception)


def test_a_folder_is_answered_in_order_of_names_and_damaged_files_are_told(run, expected, tmp_path):
    flac = pytest.importorskip("soundfile")
    write(tmp_path / "b" / "1.wav", noise(0.9))
    flac.write(tmp_path / "c.flac", noise(4.0), RATE)
    (tmp_path / "c.flac").write_bytes((tmp_path / "c.flac").read_bytes()[:-9000])
    (tmp_path / "d.wav").write_bytes(b"")
    write(tmp_path / "e.wav", np.zeros(0))
    write(tmp_path / "f.wav", noise(0.9))
    result = decode(run, "--input", tmp_path, "--format", "jsonl")
    found = entries(result)
    assert [one["audio"].rpartition("/")[2] for one in found] == ["1.wav", "c.flac", "d.wav", "e.wav", "f.wav"]
    assert [one["text"] + "\n" == expected for one in found] == [True, False, False, False, True]
    assert [bool(one["text"]) for one in found] == [True, False, False, False, True]
    assert ["problem" in one for one in found] == [False, True, True, False, False]
    assert result.exit_code == 1
    assert "2 sounds could not be read" in result.stderr
    assert "c.flac: " in result.stderr


def test_another_sample_rate_is_resampled_and_said(run, tmp_path):
    time = np.arange(4 * RATE) / (4 * RATE)
    sound = write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), rate=4 * RATE)
    result = decode(run, "--input", sound, "--format", "jsonl")
    assert (result.exit_code, entries(result)[0]["seconds"]) == (0, 1.0)
    assert "1 sounds had another sample rate" in result.stderr


def test_a_long_sound_is_cut_where_it_is_quiet_and_its_words_keep_their_times(run, tmp_path):
    parts = [noise(0.8, seed=1), np.zeros(RATE // 4), noise(0.6, seed=2)]
    sound = write(tmp_path / "long.wav", np.concatenate(parts))
    (found,) = entries(decode(run, "--input", sound, "--format", "jsonl", "--alignments"))
    alone = [
        entries(decode(run, "--input", write(tmp_path / "p.wav", one), "--format", "jsonl"))[0]["text"] for one in (parts[0], parts[2])
    ]
    assert found["seconds"] == pytest.approx(1.65)
    assert all(text[:2] in found["text"] for text in alone)
    (words,) = found["words"]
    starts = [start for _, start, _ in words]
    assert starts == sorted(starts)
    assert words[-1][2] > 1.05  # the second piece's times count from the beginning
    assert "".join(word for word, _, _ in words) == found["text"].replace(" ", "")


def test_a_manifest_gives_stretches(run, tmp_path):
    write(tmp_path / "a.wav", np.concatenate([noise(0.5, seed=3), noise(0.9)]))
    lines = [{"audio": "a.wav", "text": ""}, {"audio": "a.wav", "text": "", "offset": 0.5, "duration": 0.9}]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = entries(decode(run, "--input", tmp_path / "list.jsonl", "--format", "jsonl"))
    assert [(one["seconds"], one.get("offset")) for one in found] == [(1.4, None), (0.9, 0.5)]


def test_sound_is_written_as_it_is_heard(run, tmp_path):
    path = write(tmp_path / "a.wav", noise(0.9))
    inside = "task.front_end.frames=inside"  # centred frames look ahead
    data = path.read_bytes()
    expected = decode(run, "--input", path, "--set", inside).stdout
    assert decode(run, "--interactive", "--set", inside, stdin=data).stdout == expected
    assert expected.strip()
    assert "no WAV sound" in str(decode(run, "--interactive", "--set", inside, stdin=b"abc").exception)
    other = write(tmp_path / "b.wav", noise(0.9), rate=8000).read_bytes()
    assert "8000 Hz" in str(decode(run, "--interactive", "--set", inside, stdin=other).exception)


def test_a_beam_tells_while_it_hears_what_is_certain_and_what_may_change(run, tmp_path):
    path = write(tmp_path / "a.wav", noise(2.1))
    chosen = ["--set", "task.front_end.frames=inside", "--set", "decoding.search={type: ctc_beam, width: 4}"]
    chosen += ["--set", "decoding.max_source_length=300"]
    told = entries(decode(run, "--interactive", "--format", "jsonl", *chosen, stdin=path.read_bytes()))
    assert [one["is_final"] for one in told] == [False] * (len(told) - 1) + [True]
    assert told[-1]["text"] == decode(run, "--input", path, *chosen).stdout.rstrip("\n") != "" and told[-1]["pending"] == ""
    assert len(told) > 1 and told[-1]["seconds"] == 2.1 and any(one["pending"] for one in told)
    for one, later in itertools.pairwise(told):
        assert later["text"].startswith(one["text"]) and later["seconds"] >= one["seconds"]


def test_a_language_model_joins_in_while_sound_is_heard(run, tmp_path_factory, tmp_path):
    letters = make_run(tmp_path_factory.mktemp("letters"), LETTERS)
    path = write(tmp_path / "a.wav", noise(2.1))
    chosen = ["--set", "task.front_end.frames=inside", "--set", "decoding.max_source_length=300"]
    chosen += ["--set", "decoding.search={type: ctc_beam, width: 4, token_bonus: 6.0}"]
    fused = [*chosen, "--set", f"decoding.fusion={{run: {letters}, weight: 6.0}}"]
    whole = decode(run, "--input", path, *fused).stdout
    assert whole != decode(run, "--input", path, *chosen).stdout
    told = entries(decode(run, "--interactive", "--format", "jsonl", *fused, stdin=path.read_bytes()))
    assert told[-1]["text"] == whole.rstrip("\n") and len(told) > 1
    for search, why in (("ctc_greedy", "a ctc_greedy search does not do this"), ("beam", "a beam search over a ctc model needs the whole")):
        refused = decode(
            run, "--interactive", *fused[:4], "--set", f"decoding.search={{type: {search}}}", *fused[6:], stdin=path.read_bytes()
        )
        assert why in str(refused.exception)


def test_silence_is_heard_as_any_sound(run, tmp_path):
    silent, loud = write(tmp_path / "0.wav", np.zeros(RATE)), write(tmp_path / "1.wav", noise(1.0))
    alone = decode(run, "--input", silent, "--format", "jsonl", "--scores")
    assert alone.exit_code == 0
    (found,) = entries(alone)
    assert found["seconds"] == 1.0 and "problem" not in found
    assert math.isfinite(found["scores"][0] if "scores" in found else found["score"])
    assert entries(decode(run, "--input", tmp_path, "--format", "jsonl"))[0]["text"] == found["text"]
    assert loud.exists()


def test_what_needs_text_is_refused(run, tmp_path):
    assert "RUN reads sounds" in decode(run, "--input", "-", "--prefixes", str(tmp_path)).stderr
    assert "there is no such file" in str(decode(run, "--input", tmp_path / "no.wav").exception)
    assert "holds no audio file" in str(decode(run, "--input", tmp_path).exception)
