"""Utterances joined from shorter ones."""

import numpy as np
import pytest

from seqcfg.data.root import DataRoot
from seqcfg.data.sources.audio_layouts import AudioFolder
from seqcfg.data.sources.joined_audio import JoinedAudio
from seqcfg.errors import UserError
from tests.data.test_audio_sources import RATE, write_wave


@pytest.fixture
def root(tmp_path):
    for digit in range(4):
        for speaker in ("ann", "bob"):
            write_wave(
                tmp_path / "data" / f"{digit}_{speaker}_0.wav", np.full([10 * (digit + 1)], 1000 * digit + (speaker == "bob"), "<i2")
            )
    return DataRoot(tmp_path / "data", tmp_path / "cache")


FOLDER = AudioFolder(path="*.wav", text="name", sample_rate_hz=RATE)


def made(root, **fields):
    source = JoinedAudio(source=FOLDER, sample_rate_hz=RATE, **{"num_examples": 20, "fewest": 2, "most": 4} | fields)
    return [one.fields for one in source.examples(root)]


def test_texts_and_sounds_are_those_of_the_parts_in_order(root):
    for one in made(root):
        digits, keys = one["text"].split(), one["key"].split("+")[1:]
        assert 2 <= len(digits) <= 4
        assert [key[0] for key in keys] == digits
        expected = np.concatenate([np.full([10 * (int(key[0]) + 1)], 1000 * int(key[0]) + ("bob" in key)) for key in keys])
        np.testing.assert_array_equal(np.rint(one["audio"] * 32768), expected)


def test_all_counts_occur_and_examples_differ(root):
    examples = made(root, num_examples=60)
    assert {len(one["text"].split()) for one in examples} == {2, 3, 4}
    assert len({one["key"].partition("+")[2] for one in examples}) > 50


def test_the_same_fields_give_the_same_examples(root):
    assert [one["key"] for one in made(root)] == [one["key"] for one in made(root)] != [one["key"] for one in made(root, seed=1)]
    assert [one["key"] for one in made(root)] == [one["key"] for one in made(root, num_examples=30)[:20]]


def test_parts_share_what_their_keys_have_in_common(root):
    speakers = [{key.split("_")[1] for key in one["key"].split("+")[1:]} for one in made(root, common_part=1)]
    assert all(len(one) == 1 for one in speakers)
    assert {next(iter(one)) for one in speakers} == {"ann", "bob"}


def test_gaps_are_silent_and_at_most_as_long_as_told(root):
    for one in made(root, longest_gap_seconds=0.01, fewest=2, most=2):
        parts = sum(10 * (int(key[0]) + 1) for key in one["key"].split("+")[1:])
        assert parts <= len(one["audio"]) <= parts + 80


def test_a_damaged_recording_is_told_and_left_out(root, tmp_path):
    (tmp_path / "data" / "9_ann_0.wav").write_bytes(b"RIFF")
    source = JoinedAudio(source=FOLDER, sample_rate_hz=RATE, num_examples=20)
    examples = list(source.examples(root))
    assert [bool(one.problem) for one in examples] == [True] + [False] * 20
    assert not any("9" in one.fields["text"] for one in examples[1:])


def test_a_part_that_keys_lack_is_refused(root):
    with pytest.raises(UserError, match="none is number 7"):
        made(root, common_part=7)
    assert list(JoinedAudio(source=FOLDER, sample_rate_hz=RATE, num_examples=1, fewest=3, most=2).check())
