"""Summary: what a sweep has shown so far, and what it has not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from seqcfg.sweeps.noise import Difference, Spread, differences, spread
from seqcfg.sweeps.plan import Plan
from seqcfg.sweeps.progress import FINISHED, Standing
from seqcfg.sweeps.space import Values, plain


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting: its runs, the figures of those that finished, and how it differs from the best setting."""

    values: Values
    runs: tuple[Standing, ...]
    spread: Spread | None
    difference: Difference | None = None

    @property
    def states(self) -> str:
        """`3 finished` or `1 finished, 2 pruned`."""
        states = [run.state for run in self.runs]
        return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


@dataclasses.dataclass(frozen=True)
class Summary:
    """rows: best first, settings without a finished run last; verdict: sentences that a reader can rely on."""

    metric: str
    is_higher_better: bool
    confidence: float
    rows: tuple[Row, ...]
    verdict: tuple[str, ...]

    @property
    def best(self) -> Row | None:
        return self.rows[0] if self.rows and self.rows[0].spread is not None else None


def summarize(plan: Plan, standings: Sequence[Standing]) -> Summary:
    """The settings in order of the mean of their finished runs, with what is real of their differences."""
    confidence, higher = plan.settings.confidence, plan.is_higher_better
    groups: dict[int, list[Standing]] = {}
    for one in standings:
        groups.setdefault(one.run.trial, []).append(one)
    rows = [Row(runs[0].run.values, tuple(runs), _spread(runs, confidence)) for runs in groups.values()]
    measured = sorted((row for row in rows if row.spread is not None), key=lambda row: row.spread.mean * (-1 if higher else 1))  # type: ignore[union-attr]
    told = differences(measured[0].spread, [row.spread for row in measured[1:]]) if measured else []  # type: ignore[arg-type,misc]
    ranked = measured[:1] + [dataclasses.replace(row, difference=one) for row, one in zip(measured[1:], told, strict=True)]
    ordered = (*ranked, *(row for row in rows if row.spread is None))
    return Summary(plan.metric, higher, confidence, ordered, tuple(_verdict(plan.metric, ranked, len(rows), confidence)))


def _spread(runs: list[Standing], confidence: float) -> Spread | None:
    values = [run.score for run in runs if run.state == FINISHED and run.score is not None and math.isfinite(run.score)]
    return spread(values, confidence) if values else None


def _verdict(metric: str, rows: list[Row], total: int, confidence: float) -> list[str]:
    if not rows:
        return ["no setting has a finished run yet"]
    lines = [f"best mean {metric}: {number(rows[0].spread)} with {words(rows[0].values)}"]
    if len(rows) < total:
        lines.append(f"{total - len(rows)} of {total} settings have no finished run and are not judged")
    if len(rows) == 1:
        return lines
    unknown = [row for row in rows[1:] if row.difference is not None and math.isnan(row.difference.p)]
    noise = [row for row in rows[1:] if row.difference is not None and not row.difference.is_real and row not in unknown]
    worse = len(rows) - 1 - len(unknown) - len(noise)
    share = f"at {100 * confidence:g} % confidence"
    if worse:
        lines.append(f"it beats {worse} of {len(rows) - 1} other settings by more than the noise of seeds, {share}")
    for row in noise:
        assert row.difference is not None
        limit = (
            f"{row.difference.smallest:.3g} would be needed"
            if row.difference.smallest > abs(row.difference.mean)
            else "too many were compared"
        )
        lines.append(
            f"no difference can be claimed to {words(row.values)}: {abs(row.difference.mean):.3g} is within the noise ({limit}, {share})"
        )
    if unknown:
        lines.append(f"no difference can be claimed to {len(unknown)} settings: with one seed the noise is not known; try --seeds 3")
    return lines


def number(found: Spread | None) -> str:
    """`0.4210 ± 0.0123`: the mean and the half width of its interval, which one seed does not give."""
    if found is None:
        return ""
    return f"{found.mean:.4f}" if math.isnan(found.half_width) else f"{found.mean:.4f} ± {found.half_width:.4f}"


def words(values: Values) -> str:
    """`peak=0.001, dropout=0.1`, with as much of each path as tells it apart."""
    return (
        ", ".join(f"{name}={shown(value)}" for name, value in zip(names(list(values)), values.values(), strict=True))
        or "the recipe as it is"
    )


def names(paths: list[str]) -> list[str]:
    """The shortest ends of recipe paths that differ."""
    found = []
    for path in paths:
        parts = path.split(".")
        length = next(
            n for n in range(1, len(parts) + 1) if n == len(parts) or sum(one.split(".")[-n:] == parts[-n:] for one in paths) == 1
        )
        found.append(".".join(parts[-length:]))
    return found


def shown(value: Any) -> str:
    value = plain(value)
    if isinstance(value, dict):
        return str(value.get("type", value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_plain(summary: Summary) -> dict[str, Any]:
    """The summary as JSON; what is not a number becomes null."""
    return {
        "metric": summary.metric,
        "better": "higher" if summary.is_higher_better else "lower",
        "confidence": summary.confidence,
        "settings": [_plain_row(row) for row in summary.rows],
        "verdict": list(summary.verdict),
    }


def _plain_row(row: Row) -> dict[str, Any]:
    runs = [
        {"run": str(one.folder), "seed": one.run.seed, "state": one.state, "step": one.step, "score": _finite(one.score)}
        for one in row.runs
    ]
    told: dict[str, Any] = {"values": {path: plain(value) for path, value in row.values.items()}, "runs": runs}
    if row.spread is not None:
        told |= {"mean": row.spread.mean, "deviation": _finite(row.spread.deviation), "half_width": _finite(row.spread.half_width)}
    if row.difference is not None:
        one = row.difference
        told |= {"difference": one.mean, "p": _finite(one.p), "is_real": one.is_real}
    return told


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
