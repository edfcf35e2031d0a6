"""What OpenNMT-tf says about corpora and vocabularies, as a recipe's data and tokenizers."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.recipe.importing.foreign import Foreign

SPECIAL = {"<blank>", "<pad>", "<unk>", "<s>", "</s>"}
ASSUMED_WORDS = 32_000 - NUM_RESERVED
TOKENS_PER_EXAMPLE = 30  # where a batch is a number of examples
SPACES = {"", "SpaceTokenizer"}
PIECES = {"SentencePieceTokenizer"}


def data(foreign: Foreign) -> dict[str, Any]:
    """The data section; its validation split is left out where the file names none."""
    splits = {"train": pair(foreign, "train")}
    if foreign.has("data.eval_features_file"):
        splits["validation"] = pair(foreign, "eval")
    return {"splits": splits, "batching": batching(foreign)}


def pair(foreign: Foreign, part: str) -> dict[str, Any]:
    """The parallel text of a part, train or eval."""
    source, target = (paths(foreign, f"data.{part}_{side}_file") for side in ("features", "labels"))
    return {"type": "parallel_text", "source": source, "target": target}


def paths(foreign: Foreign, key: str) -> str | list[str]:
    """The file or files of a key, below the data root; raises UserError for anything else."""
    value = foreign.get(key)
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise foreign.error(key, "a file or a list of files is needed", "import a config whose data: names plain text for both sides")
    below = [_below_root(name) for name in names]
    if below != names:
        foreign.remark(key, "paths are relative to the data root: put the files there, or link to them")
    return below if isinstance(value, list) else below[0]


def _below_root(name: str) -> str:
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..") and not part.endswith(":")]
    return "/".join(parts) or name


def batching(foreign: Foreign) -> dict[str, Any]:
    """A budget of tokens per batch and the longest example, which counts the end id here."""
    keys = ("train.maximum_features_length", "train.maximum_labels_length")
    lengths = {key: foreign.count(key) for key in keys}
    known = [length for length in lengths.values() if length]
    longest = max(known) + 1 if known else None
    for key, length in lengths.items():
        if length and length + 1 != longest:
            foreign.remark(key, f"one limit serves both sides: data.batching.max_length is {longest}, the end id included")
    budget = _budget(foreign)
    if budget and longest and budget < longest:
        foreign.remark("train.batch_size", f"raised to {longest} tokens, so that the longest example fits into a batch")
        budget = longest
    bucket = foreign.count("train.length_bucket_width", 1) or 1
    return {"max_tokens": budget, "num_buckets": math.ceil(longest / bucket) if longest else None, "max_length": longest}


def _budget(foreign: Foreign) -> int | None:
    size, kind = foreign.count("train.batch_size", 64), foreign.get("train.batch_type", "examples")
    if not size:
        foreign.remark("train.batch_size", "batches are not sized by the machine's memory: set data.batching.max_tokens")
        return None
    if kind == "tokens":
        return size
    budget = size * TOKENS_PER_EXAMPLE
    foreign.remark("train.batch_size", f"a batch is a number of tokens: {budget}, for examples of {TOKENS_PER_EXAMPLE} tokens")
    return budget


def share_a_vocabulary(foreign: Foreign) -> bool:
    """Whether both sides name the same vocabulary."""
    source, target = foreign.get("data.source_vocabulary"), foreign.get("data.target_vocabulary")
    return source is not None and source == target


def tokenizer(foreign: Foreign, side: str, fields: list[str]) -> dict[str, Any]:
    """The tokenizer of a side, source or target: words at spaces where OpenNMT-tf is given tokens, else SentencePiece units."""
    place = f"data.{side}_tokenization"
    params = f"{place}.params"
    kind, model = foreign.get(f"{place}.type", ""), foreign.get(f"{params}.sp_model_path") or foreign.get(f"{params}.model")
    size = vocabulary_size(foreign, side)
    reads_spaces = foreign.get(place) is None and kind in SPACES and model is None
    if reads_spaces and not foreign.has(params):
        return {"type": "vocabulary", "vocab_size": size, "fields": fields}
    for key in (place, f"{place}.type", f"{params}.sp_model_path", f"{params}.model"):
        if key in foreign.entries and foreign.get(key) not in PIECES:
            foreign.remark(key, "tokens are SentencePiece units here, which prepare learns from the training split")
    return {"type": "sentencepiece", "vocab_size": size, "fields": fields}


def vocabulary_size(foreign: Foreign, side: str) -> int:
    """The number of ids: the words of the vocabulary file, if it can be found, and seqcfg's reserved ones."""
    key = f"data.{side}_vocabulary"
    name = foreign.get(key)
    for folder in (Path(foreign.file).parent, Path()):
        if isinstance(name, str) and (folder / name).is_file():
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").split("\n")
            words = {line.split("\t")[0] for line in lines if line} - SPECIAL
            foreign.remark(key, f"its {len(words)} tokens only set vocab_size: prepare takes its own from the training split")
            return len(words) + NUM_RESERVED
    size = ASSUMED_WORDS + NUM_RESERVED
    foreign.remark(key, f"the file is not here to be counted: vocab_size is {size}, put the number of tokens and {NUM_RESERVED} there")
    return size
