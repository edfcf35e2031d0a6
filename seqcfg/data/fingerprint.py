"""The content address of prepared data: what it was made from, and how."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from seqcfg.component.component import Component
from seqcfg.data.feature import Feature
from seqcfg.data.root import DataRoot

FORMAT = 1  # raise it when the same inputs would be prepared differently


def canonical(value: Any) -> Any:
    """A component as plain data with its type and all its fields, without those that affect nothing."""
    if isinstance(value, Component):
        fields = {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value) if f.metadata.get("affects") != "nothing"}
        return {"type": value.type, **fields} if value.type else fields
    if isinstance(value, dict):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return value


def inputs(data: Any, tokenizers: dict[str, Any], root: DataRoot) -> dict[str, str]:
    """{recipe path: SHA-256} of every file that sources and tokenizers read; raises UserError if one is missing."""
    paths = [path for component in (*data.splits.values(), *tokenizers.values()) for path in component.paths()]
    return {path: root.sha256(path) for path in sorted(set(paths))}


def fingerprint(data: Any, tokenizers: dict[str, Any], features: dict[str, Feature], hashes: dict[str, str]) -> str:
    """SHA-256 of the sources with the files they read, the tokenizers and the features; batching has no part in it."""
    told = {
        "format": FORMAT,
        "splits": {name: canonical(source) for name, source in data.splits.items()},
        "training_split": data.training_split,
        "tokenizers": {name: canonical(tokenizer) for name, tokenizer in tokenizers.items()},
        "features": {name: dataclasses.asdict(feature) for name, feature in features.items()},
        "inputs": hashes,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()
