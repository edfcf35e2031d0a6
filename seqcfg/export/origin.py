"""Whether an exported model is the one that its manifest describes, and what an unknown one could do when it is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.contents import describe_file
from seqcfg.errors import UserError
from seqcfg.export.manifest import NAME, read_manifest
from seqcfg.export.operators import operators_of
from seqcfg.lazy import saved_model

# Operations of TensorFlow that reach beyond the numbers they are given, as regular expressions of whole names.
READ = r"""(Experimental)?(ReadFile|MatchingFiles(Dataset)?|(WholeFile|FixedLengthRecord|TFRecord|TextLine|LMDB)Reader(V2)?
|(FixedLengthRecord|TFRecord|TextLine|LMDB|Sql|CSV)Dataset(V2)?|Restore(V2|Slice)?|ImmutableConst|InitializeTableFromTextFile(V2)?
|Load(Dataset|AndRemapMatrix)|GenerateVocabRemapping|RecordInput|(List)?Snapshot\w+|ImportEvent)"""
WRITE = r"""(Experimental)?(WriteFile|Save(V2|Slices)?|ShardedFilename|MergeV2Checkpoints|Write\w*Summary|CreateSummary(File|Db)Writer
|Debug\w+|Print(V2)?|SaveDataset(V2)?|DatasetToTFRecord(V2)?|CacheDataset(V2)?|Snapshot\w*Dataset(V2)?|DistributedSave)"""
CODE = r"(Eager)?PyFunc(Stateless)?|XlaCallModule|CustomCall|DatasetFromGraph"
NETWORK = r"""RpcCall|RemoteCall|(Register|DataService)Dataset\w*|BigQueryReader|ConfigureDistributedTPU|Collective\w+|_?(Host)?(Send|Recv)
|FileSystemSetConfiguration"""
POWERS = {"read files": READ, "write files": WRITE, "run code of the process": CODE, "use the network": NETWORK}
OWN = {"SaveV2", "RestoreV2", "ShardedFilename", "MergeV2Checkpoints"}  # in every SavedModel, to restore its own variables


def check_files(folder: Path, trust: bool) -> None:
    """Raises UserError for a model that reaches files, code or the network, and for one that no manifest of ours describes to the byte.

    Says what it could do. A manifest can be written by anybody, and none of our exports reaches anything. One that is trusted passes.
    """
    if trust:
        return
    problem, found = damage(folder), powers_of(folder)
    if not problem and not found:
        return
    can = "; ".join(f"it can {power} ({', '.join(names)})" for power, names in found.items()) or "no operation of it reaches files or code"
    why = f"{problem}, so its origin is unknown" if problem else "is as its manifest says, and no export of seqcfg does this"
    raise UserError(f"{folder}: {why}. {can}", hint="--trust-model runs it all the same")


def damage(folder: Path) -> str:
    """Why the folder is not what the manifest beside it says; "" where every file is there, as written, and none besides."""
    if not (folder.parent / NAME).is_file():
        return f"has no {NAME} beside it"
    listed = read_manifest(folder.parent).files
    prefix = f"{folder.resolve().name}/"
    present = {f"{prefix}{path.relative_to(folder).as_posix()}" for path in folder.rglob("*") if path.is_file()}
    expected = {name for name in listed if name.startswith(prefix)}
    if odd := sorted(present ^ expected):
        return f"{odd[0]} is {'missing' if odd[0] in expected else 'not in the manifest'}"
    for name in sorted(expected):
        if describe_file(folder.parent / name) != (listed[name].bytes, listed[name].sha256):
            return f"{name} is not as it was written"
    return ""


def powers_of(folder: Path) -> dict[str, list[str]]:
    """{what it could do: operations} of an exported model, read without running anything; its own variables' files are left out."""
    if (folder / "saved_model.pb").is_file():
        operations = operations_of((folder / "saved_model.pb").read_bytes()) - OWN
    elif (folder / "model.tflite").is_file():
        custom = operators_of((folder / "model.tflite").read_bytes()).custom
        operations = {name.removeprefix("Flex") for name in custom}
        if others := sorted(name for name in custom if not name.startswith("Flex")):
            return {"run code of the process": others}
    else:
        return {"read files": outside} if (outside := weights_outside(folder)) else {}
    found = {power: sorted(name for name in operations if re.fullmatch(names, name, re.VERBOSE)) for power, names in POWERS.items()}
    return {power: names for power, names in found.items() if names}


def weights_outside(folder: Path) -> list[str]:
    """Files beside the folder from which its ONNX models would read weights."""
    import onnx

    named = set()
    for path in folder.glob("*.onnx"):
        for tensor in onnx.load(path, load_external_data=False).graph.initializer:
            named |= {entry.value for entry in tensor.external_data if entry.key == "location"}
    return sorted(name for name in named if not (folder / name).resolve().is_relative_to(folder.resolve()))


def operations_of(data: bytes) -> set[str]:
    """The operations of all graphs and functions of a saved_model.pb."""
    from google.protobuf.message import DecodeError

    try:
        model: Any = saved_model.SavedModel.FromString(data)
    except DecodeError as error:
        raise UserError(f"saved_model.pb is damaged: {error}", hint="export the run again, or fetch the model again") from error
    names: set[str] = set()
    for meta in model.meta_graphs:
        names.update(node.op for node in meta.graph_def.node)
        for function in meta.graph_def.library.function:
            names.update(node.op for node in function.node_def)
    return names
