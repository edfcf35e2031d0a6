"""S11, S12: a model, run or archive of unknown origin runs no code, and is refused with what it is or could do."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.arrays import NumpyArrays
from seqcfg.decoding.lexicon import load as load_lexicon
from seqcfg.errors import UserError
from seqcfg.export.origin import POWERS, powers_of


class Canary:
    """Leaves a file where a pickle of it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path):
    """A path at which nothing may ever be."""
    yield tmp_path / "canary"
    assert not (tmp_path / "canary").exists()


def pickled(canary):
    return np.array([Canary(canary)], dtype=object)


def test_the_canary_would_be_there(tmp_path):
    np.save(tmp_path / "a.npy", pickled(tmp_path / "other"))
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / "other").exists()


def test_a_lexicon_with_a_pickle_is_refused(tmp_path, canary):
    np.savez(tmp_path / "lexicon.npz", tokens=pickled(canary), translations=pickled(canary))
    with pytest.raises(UserError, match="lexicon"):
        load_lexicon(tmp_path / "lexicon.npz")


def test_a_corpus_with_a_pickle_is_refused(tmp_path, canary):
    np.save(tmp_path / "a.npy", pickled(canary))
    with pytest.raises(UserError, match=r"a\.npy"):
        list(NumpyArrays(fields={"x": "a.npy"}).examples(DataRoot(tmp_path, tmp_path / "cache")))


def hostile(folder, canary):
    """Files that other programs would run."""
    code = pickle.dumps(Canary(canary))
    for name, data in (("model.h5", b"\x89HDF\r\n\x1a\n" + code), ("model.keras", b"PK\x03\x04" + code), ("model.pkl", code)):
        (folder / name).write_bytes(data)
    with tarfile.open(folder / "model.tar", "w") as archive:
        entry = tarfile.TarInfo("../canary")
        archive.addfile(entry, io.BytesIO())
    np.savez(folder / "model.npz", a=pickled(canary))
    (folder / "run" / "checkpoints").mkdir(parents=True)
    (folder / "run" / "resolved.yaml").write_bytes(b"!!python/object/apply:os.mkdir ['" + str(canary).encode() + b"']\n")
    return [folder / name for name in ("model.h5", "model.keras", "model.pkl", "model.tar", "model.npz", "run")]


@pytest.mark.parametrize(
    "verb", [("decode", "--input", "-"), ("evaluate",), ("export",), ("serve", "--port", "0"), ("run", "--input", "-"), ("report",)]
)
def test_every_command_that_takes_a_model_refuses_what_is_none(tmp_path, canary, verb):
    for path in hostile(tmp_path, canary):
        result = CliRunner().invoke(cli, [*verb, str(path)], input="one\n")
        assert isinstance(result.exception, UserError) or result.exit_code == 1, (verb, path, result.output)


def test_an_onnx_model_that_would_read_beside_its_folder_says_so(tmp_path):
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
    for location in ("weights.bin", "../../etc/passwd"):
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [tensor])
    (tmp_path / "model.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert powers_of(tmp_path) == {"read files": ["../../etc/passwd"]}
    result = CliRunner().invoke(cli, ["run", str(tmp_path), "--input", "-"], input="one\n")
    assert result.exit_code != 0 and "read files (../../etc/passwd)" in str(result.exception) + result.output


def test_operations_that_are_told_are_those_of_tensorflow():
    import re

    import tensorflow as tf

    names = [name for name in dir(tf.raw_ops) if name[0].isupper()]
    told = {power: [name for name in names if re.fullmatch(pattern, name, re.VERBOSE)] for power, pattern in POWERS.items()}
    assert {"ReadFile", "TFRecordDatasetV2", "LMDBReader", "ExperimentalSqlDataset"} <= set(told["read files"])
    assert {"WriteFile", "CacheDatasetV2", "PrintV2", "DebugIdentityV3"} <= set(told["write files"])
    assert {"PyFunc", "EagerPyFunc", "DatasetFromGraph"} <= set(told["run code of the process"])
    plain = {"MatMul", "ReadVariableOp", "StatefulPartitionedCall", "LookupTableFindV2", "TensorArrayWriteV3", "While", "HashTableV2"}
    assert not plain & {name for found in told.values() for name in found}
