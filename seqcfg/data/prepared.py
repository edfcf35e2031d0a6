"""Prepared data as it lies on disk: a manifest, tokenizers and the columns of each split."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from seqcfg.data.columns import Columns
from seqcfg.data.tokenizers.codec import Codec
from seqcfg.errors import UserError

MANIFEST = "manifest.json"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """codecs by tokenizer name, splits by name, and the manifest with counts of what was read and dropped.

    statistics {path: array}: what untrained weights of the front end begin with.
    """

    folder: Path
    fingerprint: str
    codecs: dict[str, Codec]
    splits: dict[str, Columns]
    manifest: dict[str, Any]
    statistics: dict[str, Any] = dataclasses.field(default_factory=dict)

    def verify(self) -> None:
        """Compares every file with its checksum; raises UserError on the first difference."""
        for columns in self.splits.values():
            columns.verify()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a prepared folder, or None where there is no readable one."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def open_prepared(folder: Path, tokenizers: dict[str, Any]) -> Prepared:
    """Opens a prepared folder; raises UserError if it is missing, damaged or incomplete."""
    manifest = read_manifest(Path(folder))
    if manifest is None:
        raise UserError(f"{folder}: is not a folder of prepared data", hint="run `seqcfg prepare RECIPE`")
    codecs = {name: load_codec(name, tokenizer, Path(folder) / "tokenizers" / name) for name, tokenizer in tokenizers.items()}
    splits = {name: Columns(Path(folder) / "splits" / name, entry) for name, entry in manifest["splits"].items()}
    return Prepared(Path(folder), manifest["fingerprint"], codecs, splits, manifest)


def load_codec(name: str, tokenizer: Any, folder: Path) -> Codec:
    """The codec of a tokenizer; raises UserError if it has another number of ids than the recipe says."""
    codec = tokenizer.load(folder)
    if codec.vocabulary != tokenizer.vocab_size:
        raise UserError(
            f"tokenizers.{name}: {folder} has {codec.vocabulary} ids, but vocab_size is {tokenizer.vocab_size}",
            hint="prepare the data again",
        )
    return codec
