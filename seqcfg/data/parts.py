"""Parts of prepared data that several recipes share: each has an address of its own, and is made once.

A tokenizer's address covers its settings and the texts it learns from; a column's the examples that are kept, the
feature and its tokenizer. So another tokenizer means new ids, and not new texts; another test split means that split.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from seqcfg.data.feature import Feature
from seqcfg.data.hashes import file_sha256
from seqcfg.data.prepared import MANIFEST, read_manifest
from seqcfg.data.root import DataRoot
from seqcfg.data.selection import SplitRules
from seqcfg.data.sources.composed import listed
from seqcfg.recipe.canonical import canonical
from seqcfg.runs.durable import PARTIAL


def address(**told: Any) -> str:
    """The SHA-256 of what a part is made from."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def selection_address(source: Any, rules: SplitRules, fields: set[str], root: DataRoot, hashes: dict[str, str]) -> str:
    """The address of the examples that are kept of a split."""
    paths = [*root.expand(source.paths()), *listed(source, root)]
    return address(
        source=canonical(source, only_result=True),
        inputs={path: hashes[path] for path in paths},
        fields=sorted(fields),
        skips_empty=rules.skips_empty,
        filters=[canonical(one, only_result=True) for one in rules.filters],
    )


def tokenizer_address(tokenizer: Any, learns_from: str, root: DataRoot, hashes: dict[str, str]) -> str:
    """The address of a tokenizer that learns from the selection `learns_from`, unless it reads files instead."""
    inputs = {path: hashes[path] for path in root.expand(tokenizer.paths())}
    return address(tokenizer=canonical(tokenizer, only_result=True), inputs=inputs, texts="" if inputs else learns_from)


def column_address(selection: str, feature: Feature, tokenizer: str, variants: int, version: int) -> str:
    """The address of one column of a split."""
    return address(selection=selection, feature=feature.told(), tokenizer=tokenizer, variants=variants, format=version)


class MadeBefore:
    """What other folders of the same cache hold, by address."""

    def __init__(self, cache: Path):
        self._tokenizers: dict[str, Path] = {}
        self._columns: dict[str, tuple[Path, dict[str, Any], dict[str, Any] | None]] = {}
        self._splits: dict[str, dict[str, Any]] = {}
        for folder in sorted(file.parent for file in cache.glob(f"*/{MANIFEST}") if file.parent.suffix != PARTIAL):
            manifest = read_manifest(folder) or {}
            parts = manifest.get("parts", {})
            for name, one in parts.get("tokenizers", {}).items():
                self._tokenizers[one] = folder / "tokenizers" / name
            for split, entry in parts.get("splits", {}).items():
                there = manifest["splits"][split]
                self._splits[entry["selection"]] = there
                for name, one in entry["columns"].items():
                    self._columns[one] = (folder / "splits" / split, there["columns"][name], there["statistics"].get(name))

    def copy_tokenizer(self, one: str, folder: Path) -> bool:
        """Copies a tokenizer's folder, if there is one with this address."""
        if (found := self._tokenizers.get(one)) is None or not found.is_dir():
            return False
        shutil.copytree(found, folder)
        return True

    def link_column(self, one: str, name: str, folder: Path) -> tuple[dict[str, Any], dict[str, int] | None] | None:
        """(entry, statistics) of a column whose files now lie in the folder, too; None if there is none, or a damaged one."""
        if (found := self._columns.get(one)) is None:
            return None
        source, entry, statistics = found
        parts = [part for part in (entry["values"], entry["offsets"]) if part]
        if not all((source / part["file"]).is_file() and file_sha256(source / part["file"]) == part["sha256"] for part in parts):
            return None
        folder.mkdir(parents=True, exist_ok=True)
        renamed = dict(entry)
        for key in ("values", "offsets"):
            if part := entry[key]:
                target = f"{name}.{key}.npy"
                _link(source / part["file"], folder / target)
                renamed[key] = part | {"file": target}
        return renamed, statistics

    def counts(self, selection: str) -> tuple[int, dict[str, Any]] | None:
        """(rows, counts) of a split with the same selection of examples."""
        found = self._splits.get(selection)
        return None if found is None else (found["examples"], found["counts"])


def _link(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
