"""A list of tokens in a file, and how it is counted from text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.errors import UserError

FILE_NAME = "tokens.txt"


def most_frequent(counts: Counter[str], vocab_size: int, what: str) -> list[str]:
    """The `vocab_size - 4` most frequent tokens, ties in code point order; raises UserError if there are fewer."""
    if len(counts) + NUM_RESERVED < vocab_size:
        raise UserError(
            f"vocab_size {vocab_size} is more than the corpus allows: it has {len(counts)} different {what}, "
            f"and {NUM_RESERVED} ids are reserved",
            hint=f"vocab_size: {len(counts) + NUM_RESERVED}",
        )
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    return ranked[: vocab_size - NUM_RESERVED]


def write_tokens(tokens: list[str], folder: Path) -> None:
    """Writes one token a line, the one with id 4 first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_bytes("".join(f"{token}\n" for token in tokens).encode("utf-8"))


def read_tokens(folder: Path) -> list[str]:
    """The tokens in the order of their ids, without the reserved ones."""
    file = folder / FILE_NAME
    if not file.is_file():
        raise UserError(f"{file}: the tokenizer's file is missing", hint="prepare the data again")
    return file.read_bytes().decode("utf-8").split("\n")[:-1]
