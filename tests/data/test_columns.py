import json

import numpy as np
import pytest

from seqcfg.data import columns as columns_module
from seqcfg.data.column_writer import ColumnWriter
from seqcfg.data.columns import HASH_ON_OPEN_BYTES, Columns
from seqcfg.data.feature import Feature
from seqcfg.errors import UserError

IDS, TEXT = Feature("source", "t"), Feature("source", dtype="bytes")
FRAMES, LABEL = Feature("audio", dtype="float32", frame=(2,)), Feature("label", dtype="int32", is_ragged=False)


def written(folder, feature, *chunks, vocabulary=10):
    """The columns of one feature `x`, written chunk by chunk."""
    folder.mkdir(exist_ok=True)
    writer = ColumnWriter(folder, "x", feature, vocabulary)
    for chunk in chunks:
        writer.append(chunk)
    entry = {"examples": sum(map(len, chunks)), "columns": {"x": writer.close()}}
    return Columns(folder, json.loads(json.dumps(entry)))


def test_rows_are_padded_with_zeros_and_padding_rows_are_zero(tmp_path):
    columns = written(tmp_path, IDS, [[5, 6, 7], []], [[8]])
    assert columns.lengths("x").tolist() == [3, 0, 1]
    assert columns.gather("x", [2, -1, 0, 1], 4).tolist() == [[8, 0, 0, 0], [0] * 4, [5, 6, 7, 0], [0] * 4]
    assert columns.gather("x", [0], 2).tolist() == [[5, 6]]
    assert columns.gather("x", [-1, -1], 2).tolist() == [[0, 0], [0, 0]]
    assert columns.gather("x", [], 3).shape == (0, 3)
    assert columns.gather("x", [0], 3).dtype == np.int32


def test_any_choice_of_rows_is_what_was_written(tmp_path):
    draw = np.random.default_rng(0)
    rows = [draw.integers(4, 60_000, draw.integers(0, 9)).tolist() for _ in range(200)]
    columns = written(tmp_path, IDS, rows[:70], rows[70:], vocabulary=60_000)
    ids = draw.integers(0, 200, 50)
    for number, row in zip(ids, columns.gather("x", ids, 9), strict=True):
        assert row.tolist() == rows[number] + [0] * (9 - len(rows[number]))


@pytest.mark.parametrize(("vocabulary", "bytes_per_id"), [(65_536, 2), (65_537, 4)])
def test_ids_take_two_bytes_while_the_vocabulary_allows(vocabulary, bytes_per_id, tmp_path):
    columns = written(tmp_path, IDS, [[vocabulary - 1] * 1000], vocabulary=vocabulary)
    assert columns.gather("x", [0], 1000)[0, -1] == vocabulary - 1
    assert (tmp_path / "x.values.npy").stat().st_size == 128 + 1000 * bytes_per_id


def test_texts_keep_every_byte(tmp_path):
    texts = ["", "é\u2028 \t", "日本 🙂", "x" * 5000]
    columns = written(tmp_path, TEXT, [text.encode() for text in texts])
    assert columns.texts("x") == texts
    assert columns.texts("x", [2, 0]) == [texts[2], ""]


def test_frames_keep_their_shape(tmp_path):
    frames = [np.arange(6, dtype=np.float32).reshape(3, 2), np.ones([1, 2], np.float32)]
    columns = written(tmp_path, FRAMES, frames)
    assert columns.lengths("x").tolist() == [3, 1]
    assert columns.gather("x", [1, 0], 3).tolist() == [[[1, 1], [0, 0], [0, 0]], [[0, 1], [2, 3], [4, 5]]]


def test_values_of_fixed_size_have_no_time(tmp_path):
    columns = written(tmp_path, LABEL, [3, 1, 2])
    assert columns.gather("x", [2, -1, 0]).tolist() == [2, 0, 3]


def test_files_are_ordinary_numpy_files(tmp_path):
    written(tmp_path, FRAMES, [np.ones([3, 2], np.float32)])
    assert np.load(tmp_path / "x.values.npy").shape == (3, 2)
    assert np.load(tmp_path / "x.offsets.npy").tolist() == [0, 3]


def test_a_split_without_examples_can_be_opened(tmp_path):
    columns = written(tmp_path, IDS)
    assert columns.lengths("x").tolist() == []
    assert columns.texts("x") == []


def test_an_unknown_feature_lists_those_there_are(tmp_path):
    with pytest.raises(KeyError, match="no feature 'y' was prepared; there is x"):
        written(tmp_path, IDS, [[1]]).gather("y", [0], 1)


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
@pytest.mark.parametrize("file", ["x.values.npy", "x.offsets.npy"])
def test_damaged_files_are_refused_and_never_read(damage, file, tmp_path):
    columns = written(tmp_path, IDS, [[5, 6, 7], [8, 9]])
    content = bytearray((tmp_path / file).read_bytes())
    assert len(content) < HASH_ON_OPEN_BYTES
    if damage == "delete":
        (tmp_path / file).unlink()
    else:
        content[-3] ^= 4
        (tmp_path / file).write_bytes(content[: -1 if damage == "cut" else None])
    with pytest.raises(UserError, match=f"{file}: prepared data is damaged"):
        Columns(tmp_path, columns.entry)


@pytest.mark.parametrize("feature", [IDS, Feature("a", dtype="float32", storage="int16", scale=32768.0), FRAMES])
def test_long_rows_are_gathered_like_short_ones(feature, tmp_path, monkeypatch):
    draw = np.random.default_rng(1)
    rows = [draw.integers(4, 60, [size, *feature.frame]).tolist() for size in (5, 0, 300, 700)]
    columns = written(
        tmp_path, feature, [np.array(row, "float64").reshape(-1, *feature.frame) / 64 for row in rows] if feature.scale > 1 else rows
    )
    for time in (1, 6, 256, 800):
        monkeypatch.setattr(columns_module, "LONG_ROWS", 10**9)
        short = columns.gather("x", [3, -1, 1, 0, 2], time)
        monkeypatch.setattr(columns_module, "LONG_ROWS", 0)
        long = columns.gather("x", [3, -1, 1, 0, 2], time)
        assert short.dtype == long.dtype
        np.testing.assert_array_equal(short, long)
