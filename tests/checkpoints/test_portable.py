import json

import numpy as np
import pytest

from seqcfg.checkpoints.portable import write_portable
from seqcfg.errors import UserError

ARRAYS = {"model/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "model/count": np.array([7], np.int64)}


def test_npz_is_read_by_numpy_without_pickles(tmp_path):
    write_portable(tmp_path / "a" / "w.npz", "npz", ARRAYS, {})
    with np.load(tmp_path / "a" / "w.npz", allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found.files} == {name: array.tolist() for name, array in ARRAYS.items()}


def test_safetensors_is_laid_out_as_its_format_says(tmp_path):
    path = tmp_path / "w.safetensors"
    write_portable(path, "safetensors", ARRAYS, {"step": "7"})
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    assert size % 8 == 0 and header["__metadata__"] == {"step": "7"}
    assert header["model/kernel"] == {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    assert header["model/count"] == {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]}
    assert np.frombuffer(data[:24], "<f4").tolist() == [0, 1, 2, 3, 4, 5] and np.frombuffer(data[24:], "<i8").tolist() == [7]


def test_a_place_that_cannot_be_written_is_named_and_left_clean(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*w.npz"):
        write_portable(tmp_path / "file" / "w.npz", "npz", ARRAYS, {})
