"""export.textproto: what an exported model is and where it comes from (schemas/seqcfg/v1/export.proto)."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import seqcfg
from seqcfg.checkpoints.contents import describe_file
from seqcfg.errors import UserError
from seqcfg.runs.durable import write_file

NAME = "export.textproto"
FORMAT = 1


def new_manifest(trained: Any, exporter: Any, folder: Path, signatures: dict[str, Any], parity: Any) -> Any:
    """The ExportManifest of an artefact in `folder`; files are named as below `folder`'s final name, the exporter's version."""
    from seqcfg.export.export_proto import ExportManifest

    task = trained.experiment.recipe.task
    manifest = ExportManifest(
        format=FORMAT,
        recipe_name=trained.experiment.name,
        fingerprints=trained.experiment.fingerprint,
        checkpoint=trained.label,
        step=trained.step,
        exporter=exporter.type,
        settings={name: json.dumps(value) for name, value in dataclasses.asdict(exporter).items()},
        lines_compared=parity.lines if parity else 0,
        lines_identical=parity.identical if parity else 0,
        metrics={one.name: {"run": one.run, "exported": one.artefact} for one in parity.metrics} if parity else {},
        figures=exporter.figures(folder) | ({"sample_rate_hz": task.sample_rate_hz} if task.is_of_sounds else {}),
        versions={"seqcfg": seqcfg.__version__} | {name: _version(name) for name in ("tensorflow", "tensorflow-text")},
    )
    for name, signature in signatures.items():
        for side in ("inputs", "outputs"):
            tensors = getattr(manifest.signatures[name], side)
            for tensor, (dtype, shape) in signature[side].items():
                tensors[tensor].dtype = dtype
                tensors[tensor].shape.extend(-1 if size is None else size for size in shape)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            entry = manifest.files[f"{exporter.version}/{path.relative_to(folder).as_posix()}"]
            entry.bytes, entry.sha256 = describe_file(path)
    return manifest


def write_manifest(folder: Path, manifest: Any) -> None:
    """Replaces the manifest in a folder as a whole; raises OSError."""
    from google.protobuf import text_format

    write_file(folder / NAME, text_format.MessageToString(manifest, as_utf8=True))


def read_manifest(folder: Path) -> Any:
    """The ExportManifest in a folder. Fields of later versions of seqcfg are passed over; raises UserError."""
    from google.protobuf import text_format

    from seqcfg.export.export_proto import ExportManifest

    try:
        return text_format.Parse((folder / NAME).read_text(encoding="utf-8"), ExportManifest(), allow_unknown_field=True)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise UserError(f"cannot read {folder / NAME}: {error}", hint="export the run again") from error


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
