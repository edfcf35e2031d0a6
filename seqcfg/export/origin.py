"""Whether an exported model is the one that its manifest describes, and what an unknown one could do when it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.checkpoints.contents import describe_file
from seqcfg.errors import UserError
from seqcfg.export.manifest import NAME, read_manifest
from seqcfg.lazy import saved_model

# Operations of TensorFlow that reach beyond the numbers they are given.
READ = """ReadFile WholeFileReader WholeFileReaderV2 FixedLengthRecordReader TFRecordReader TextLineReader TextLineDataset TFRecordDataset
FixedLengthRecordDataset MatchingFiles RestoreV2 RestoreSlice Restore ImmutableConst InitializeTableFromTextFile
InitializeTableFromTextFileV2 SqlDataset CSVDataset LoadDataset"""
WRITE = """WriteFile SaveV2 SaveSlices Save ShardedFilename MergeV2Checkpoints WriteSummary CreateSummaryFileWriter DebugIdentityV2 PrintV2
Print SaveDataset SaveDatasetV2 DatasetToTFRecord DatasetToTFRecordV2"""
CODE = "PyFunc PyFuncStateless EagerPyFunc XlaCallModule CustomCall"
NETWORK = "RpcCall RemoteCall DataServiceDataset DataServiceDatasetV2 BigQueryReader ConfigureDistributedTPU"
POWERS = {"read files": READ, "write files": WRITE, "run code of the process": CODE, "use the network": NETWORK}
OWN = {"SaveV2", "RestoreV2", "ShardedFilename", "MergeV2Checkpoints"}  # in every SavedModel, to restore its own variables


def check_files(folder: Path, trust: bool) -> None:
    """Raises UserError for a folder that no manifest of ours describes to the byte, unless it is trusted; says what it could do."""
    problem = damage(folder)
    if not problem or trust:
        return
    found = powers_of(folder)
    can = "; ".join(f"it can {power} ({', '.join(names)})" for power, names in found.items()) or "no operation of it reaches files or code"
    raise UserError(f"{folder}: {problem}, so its origin is unknown. {can}", hint="--trust-model runs it all the same")


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
    """{what it could do: operations} of a SavedModel, read without running anything; its own variables' files are left out."""
    path = folder / "saved_model.pb"
    if not path.is_file():
        return {}
    operations = operations_of(path.read_bytes())
    found = {power: sorted(operations & set(names.split()) - OWN) for power, names in POWERS.items()}
    return {power: names for power, names in found.items() if names}


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
