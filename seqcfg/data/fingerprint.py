"""The content address of prepared data: what it was made from, and how."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from seqcfg.data.feature import Feature
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.composed import listed
from seqcfg.recipe.canonical import canonical

FORMAT = 1  # raise it when the same inputs would be prepared differently


def inputs(data: Any, tokenizers: dict[str, Any], root: DataRoot) -> dict[str, str]:
    """{recipe path: SHA-256} of every file that sources and tokenizers read; raises UserError if one is missing."""
    paths = [path for component in (*data.splits.values(), *tokenizers.values()) for path in component.paths()]
    found = set(root.expand(paths))
    named = {path for source in data.splits.values() for path in listed(source, root)}
    there = {path for path in named if root.has(path)}
    missing = dict.fromkeys(named - there, "missing")  # reading will count it as damaged
    return dict(sorted({**root.hashes_of(sorted(found.union(there))), **missing}.items()))


def fingerprint(data: Any, tokenizers: dict[str, Any], features: dict[str, Feature], hashes: dict[str, str]) -> str:
    """SHA-256 of the sources with the files they read, the tokenizers and the features; batching has no part in it."""
    told = {
        "format": FORMAT,
        "splits": {name: canonical(source, only_result=True) for name, source in data.splits.items()},
        "training_split": data.training_split,
        "tokenizers": {name: canonical(tokenizer, only_result=True) for name, tokenizer in tokenizers.items()},
        "features": {name: feature.told() for name, feature in features.items()},
        "inputs": hashes,
    }
    if data.filters:  # they came later: without them the address is what it was
        told["filters"] = [canonical(one, only_result=True) for one in data.filters]
    if data.mixing:
        told["trained_on"] = sorted(data.trained_on)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
