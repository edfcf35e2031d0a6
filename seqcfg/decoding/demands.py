"""What outputs of single lines must begin with and contain, as the arrays that `Ruled` reads."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.errors import UserError
from seqcfg.lazy import np


class Demand(NamedTuple):
    """prefix: text that the output begins with; phrases: texts that occur in it, in any order."""

    prefix: str = ""
    phrases: tuple[str, ...] = ()


def rules_of(
    settings: Any, lengths: Any, lines: Any, demands: list[Demand] | None, task: Any, codecs: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """({name of a rule: array [lines, ...]}, how many tokens the demands of each line need), see `Ruled`.

    lines [lines] are their numbers, from 0. Raises UserError, naming the line, for a text that the target vocabulary cannot write.
    """
    rules: dict[str, Any] = {}
    least = np.zeros([len(lengths)], np.int32)
    floor = settings.length_floor
    if floor.ratio or floor.offset:
        rules["rule_floor"] = np.array([floor.shortest(int(length)) for length in lengths], np.int32)
    if demands and any(demand.prefix for demand in demands):
        rows = [ids[0] for ids in _ids(task, codecs, lines, [[demand.prefix] for demand in demands])]
        rules["rule_prefix"], rules["rule_prefix_length"] = _padded(rows)
        least += rules["rule_prefix_length"]
    if demands and any(demand.phrases for demand in demands):
        phrases = _ids(task, codecs, lines, [list(demand.phrases) for demand in demands])
        number = max(len(one) for one in phrases)
        flat, flat_lengths = _padded([ids for one in phrases for ids in [*one, *([[]] * (number - len(one)))]])
        rules["rule_phrases"] = flat.reshape(len(phrases), number, -1)
        rules["rule_phrases_length"] = flat_lengths.reshape(len(phrases), number)
        least += rules["rule_phrases_length"].sum(axis=1).astype(np.int32)
    return rules, least


def cap_rules(rules: dict[str, Any], limits: Any) -> dict[str, Any]:
    """The rules with what depends on the limits [lines]: no floor above them, and the room that phrases have."""
    if "rule_floor" in rules:
        rules = rules | {"rule_floor": np.minimum(rules["rule_floor"], limits)}
    return rules | {"rule_phrases_limit": limits} if "rule_phrases" in rules else rules


def _ids(task: Any, codecs: dict[str, Any], lines: Any, texts: list[list[str]]) -> list[list[list[int]]]:
    codec = task.target_codec(codecs)
    found = [list(codec.encode(one)) for one in texts]
    for line, one, rows in zip(lines, texts, found, strict=True):
        for text, ids in zip(one, rows, strict=True):
            if any(number < NUM_RESERVED for number in ids):
                raise UserError(
                    f"line {line + 1}: the target vocabulary cannot write {text!r}", hint="write it with characters of the training text"
                )
    return found


def _padded(rows: list[list[int]]) -> tuple[Any, Any]:
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.zeros([len(rows), max(1, int(lengths.max(initial=0)))], np.int32)
    for row, one in zip(ids, rows, strict=True):
        row[: len(one)] = one
    return ids, lengths
