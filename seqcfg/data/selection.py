"""Selection: which raw examples of a split are kept, and a count of everything that is dropped, with examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from seqcfg.component.kinds import Filter
from seqcfg.data.example import Example
from seqcfg.errors import UserError
from seqcfg.lazy import np

SHOWN_DROPS = 5  # of each reason


@dataclasses.dataclass
class Counts:
    """What became of a split's examples; `dropped` names the place and the reason of the first few of each kind."""

    read: int = 0
    kept: int = 0
    empty: int = 0
    bad: int = 0
    filtered: dict[str, int] = dataclasses.field(default_factory=dict)  # by type of filter
    dropped: list[str] = dataclasses.field(default_factory=list)
    _shown: dict[str, int] = dataclasses.field(default_factory=dict)

    def drop(self, example: Example, reason: str, kind: str) -> None:
        self._shown[kind] = self._shown.get(kind, 0) + 1
        if self._shown[kind] <= SHOWN_DROPS:
            self.dropped.append(f"{example.place}: {reason}")

    def told(self) -> dict[str, Any]:
        """For the manifest."""
        plain = {"read": self.read, "kept": self.kept, "empty": self.empty, "bad": self.bad, "dropped": self.dropped}
        return plain | ({"filtered": self.filtered} if self.filtered else {})


@dataclasses.dataclass(frozen=True)
class SplitRules:
    """name of the split, whether examples with an empty text are skipped, how many damaged ones are put up with, and filters."""

    name: str
    skips_empty: bool
    max_bad_examples: int
    filters: tuple[Filter, ...] = ()


def usable(examples: Iterable[Example], fields: set[str], rules: SplitRules, counts: Counts) -> Iterator[Example]:
    """The examples that are kept; raises UserError once there are more damaged ones than the limit, or a field is missing."""
    checks = [(one.type, one.start()) for one in rules.filters]
    for example in examples:
        counts.read += 1
        if example.problem:
            counts.bad += 1
            counts.drop(example, example.problem, "bad")
            if counts.bad > rules.max_bad_examples:
                raise _too_many(rules, counts)
            continue
        if missing := fields - set(example.fields):
            raise UserError(
                f"data.splits.{rules.name}: {example.place} has no field {min(missing)!r}; it has {', '.join(sorted(example.fields))}",
                hint="choose the names of the source's fields as the task expects them",
            )
        if rules.skips_empty and any(is_empty(example.fields[name]) for name in fields):
            counts.empty += 1
            counts.drop(example, "empty", "empty")
            continue
        if _is_filtered(example, checks, rules, counts):
            continue
        counts.kept += 1
        yield example


def is_empty(value: Any) -> bool:
    """Whether a text has nothing but white space, or an array no row."""
    return not value.strip() if isinstance(value, str) else isinstance(value, np.ndarray) and value.ndim > 0 and not len(value)


def _is_filtered(example: Example, checks: list[Any], rules: SplitRules, counts: Counts) -> bool:
    for kind, check in checks:
        try:
            reason = check(example.fields)
        except (KeyError, AttributeError, TypeError) as error:
            raise UserError(
                f"data.filters: {kind} cannot judge {example.place}: its text fields are not those of data.splits.{rules.name} ({error})",
                hint=f"fields of text: {', '.join(name for name, value in example.fields.items() if isinstance(value, str))}",
            ) from error
        if reason:
            counts.filtered[kind] = counts.filtered.get(kind, 0) + 1
            counts.drop(example, f"{kind}: {reason}", kind)
            return True
    return False


def _too_many(rules: SplitRules, counts: Counts) -> UserError:
    shown = "".join(f"\n    {place}" for place in counts.dropped)
    return UserError(
        f"data.splits.{rules.name}: more than {rules.max_bad_examples} damaged examples (data.max_bad_examples), the first:{shown}",
        hint="mend the files, or raise data.max_bad_examples to skip such examples and have them counted",
    )
