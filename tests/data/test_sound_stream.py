import tracemalloc
import wave

import numpy as np
import pytest

from seqcfg.data.audio_file import AudioError
from seqcfg.data.sound_stream import SoundPart, SoundStream, all_pieces, pieces, rate_of
from seqcfg.errors import UserError

RATE = 2000


def write(path, samples, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for start in range(0, len(samples), 1 << 20):
            file.writeframes(np.rint(samples[start : start + (1 << 20)] * 32767).astype("<i2").tobytes())
    return str(path)


def test_two_hours_are_cut_in_the_pauses_with_the_memory_of_one_piece(tmp_path):
    rng, second = np.random.default_rng(0), RATE
    talk = rng.uniform(0.1, 0.3, 9 * second).astype(np.float32)
    whole = np.tile(np.concatenate([talk, np.zeros(second, np.float32)]), 720)  # ten seconds each, the last of them silent
    name = write(tmp_path / "long.wav", whole)
    size = len(whole)
    del whole
    tracemalloc.start()
    total, longest, ends = 0, 0, []
    for piece in pieces(SoundPart(name), RATE, 35 * second):
        total, longest = total + len(piece), max(longest, len(piece))
        ends.append(total)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == size
    assert longest <= 35 * second
    assert all(9 * second < end % (10 * second) < 10 * second for end in ends[:-1])
    assert peak < 20 * 35 * second * 8  # a few copies of a piece, of 7,200 seconds


def test_a_stretch_is_cut_inside_its_bounds(tmp_path):
    name = write(tmp_path / "a.wav", np.arange(4 * RATE) / (4 * RATE))
    part = SoundPart(name, 1.0, 2.0)
    found = list(pieces(part, RATE, RATE))
    assert sum(map(len, found)) == 2 * RATE
    assert found[0][0] == pytest.approx(0.25, abs=1e-3)
    assert SoundPart.of_line(part.line()) == part
    assert SoundPart.of_line(SoundPart(name).line()) == SoundPart(name)


def test_a_damaged_file_gives_no_piece_and_a_reason(tmp_path):
    name = write(tmp_path / "a.wav", np.zeros(RATE))
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-100])
    found, problem = all_pieces(SoundPart(name), RATE, RATE)
    assert found == []
    assert "ends early" in problem
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="not a WAV file"):
        rate_of(SoundPart(str(tmp_path / "b.wav")))


def test_a_manifest_with_a_damaged_line_is_refused_with_its_place(tmp_path):
    (tmp_path / "list.jsonl").write_text('{"audio": "a.wav", "text": ""}\nnothing\n')
    with pytest.raises(UserError, match=r"list.jsonl:2: "):
        SoundStream(str(tmp_path / "list.jsonl"))
