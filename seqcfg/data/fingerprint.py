"""The content address of prepared data: what it was made from, and how."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from seqcfg.data.feature import Feature
from seqcfg.data.root import DataRoot
from seqcfg.recipe.canonical import canonical

FORMAT = 1  # raise it when the same inputs would be prepared differently


def inputs(data: Any, tokenizers: dict[str, Any], root: DataRoot) -> dict[str, str]:
    """{recipe path: SHA-256} of every file that sources and tokenizers read; raises UserError if one is missing."""
    paths = [path for component in (*data.splits.values(), *tokenizers.values()) for path in component.paths()]
    return {path: root.sha256(path) for path in sorted(set(paths))}


def fingerprint(data: Any, tokenizers: dict[str, Any], features: dict[str, Feature], hashes: dict[str, str]) -> str:
    """SHA-256 of the sources with the files they read, the tokenizers and the features; batching has no part in it."""
    told = {
        "format": FORMAT,
        "splits": {name: canonical(source, only_result=True) for name, source in data.splits.items()},
        "training_split": data.training_split,
        "tokenizers": {name: canonical(tokenizer, only_result=True) for name, tokenizer in tokenizers.items()},
        "features": {name: dataclasses.asdict(feature) for name, feature in features.items()},
        "inputs": hashes,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
