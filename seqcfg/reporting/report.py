"""Report: everything that is shown of some runs, gathered without TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqcfg.comparison.compare import Comparison, compare_sides
from seqcfg.comparison.facts import Fact, data_facts, environment_facts
from seqcfg.comparison.outcome import evaluations
from seqcfg.comparison.sides import Side, open_sides
from seqcfg.errors import UserError
from seqcfg.evaluation.claims import Outcome
from seqcfg.recipe.sections import Claim
from seqcfg.reporting.data_statistics import SplitStatistics, data_statistics
from seqcfg.runs.evaluations import StoredEvaluation
from seqcfg.sweeps.plan import Plan
from seqcfg.sweeps.progress import FINISHED
from seqcfg.sweeps.queue import Queue
from seqcfg.sweeps.summary import Summary, summarize

MAX_RUNS = 24  # shown in one report; more cannot be told apart


@dataclasses.dataclass(frozen=True)
class Report:
    """sides: the runs in the order given; comparison: None for a single run; claims: (side, what became of it, the claim).

    data: by fingerprint of prepared data that is at hand, statistics of its splits.
    """

    title: str
    sides: list[Side]
    comparison: Comparison | None
    evaluations: list[list[StoredEvaluation]]
    claims: list[tuple[Side, Outcome, Claim]]
    data_facts: list[Fact]
    environment: list[Fact]
    data: dict[str, list[SplitStatistics]]
    sweep: Summary | None = None


def gather(texts: Iterable[str], cache_root: str | None = None) -> Report:
    """The report of runs, of sweeps (whose finished runs are taken) or of both; raises UserError."""
    names: list[str] = []
    summaries = []
    given = list(texts)
    for text in given:
        if not Plan.is_sweep(text):
            names.append(text)
            continue
        plan = Plan.open(text, to_train=False)
        standings = Queue(plan).standings()
        names += [str(one.folder) for one in standings if one.state == FINISHED]
        summaries.append(summarize(plan, standings))
    sides = _runs(list(dict.fromkeys(names)))
    stored = [evaluations(side) for side in sides]
    return Report(
        title=_title(given),
        sides=sides,
        comparison=compare_sides(sides) if len(sides) > 1 else None,
        evaluations=stored,
        claims=[claim for side, found in zip(sides, stored, strict=True) for claim in claims_of(side, found)],
        data_facts=data_facts(sides),
        environment=environment_facts(sides),
        data=_data(sides, cache_root),
        sweep=summaries[0] if len(summaries) == 1 else None,
    )


def _title(given: list[str]) -> str:
    """The names of runs and sweeps, as far as a heading holds them."""
    names = [f"sweep {Path(text).resolve().name}" if Plan.is_sweep(text) else Path(text).resolve().name for text in given]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _runs(names: list[str]) -> list[Side]:
    if not names:
        raise UserError("there is no finished run to report on", hint="name run directories, or wait until the sweep has finished one")
    if len(names) > MAX_RUNS:
        raise UserError(f"{len(names)} runs are more than a page can show; {MAX_RUNS} is the most", hint="name fewer of them")
    sides = open_sides(names)
    for side in sides:
        if not side.is_run:
            raise UserError(f"{side.text} is a recipe, and a report is about runs", hint="'seqcfg diff' compares recipes with runs")
    return sides


def claims_of(side: Side, stored: list[StoredEvaluation]) -> list[tuple[Side, Outcome, Claim]]:
    """What the recipe of a run claims, held against its newest stored evaluation of the split; with the claim itself."""
    found = []
    for claim in side.experiment.recipe.claims:
        scores = [score for one in stored if one.split == claim.split for score in one.summary["metrics"] if _is_meant(score, claim.metric)]
        value = scores[-1]["value"] if scores else None
        better = scores[-1].get("better", "higher") if scores else "higher"
        found.append((side, Outcome(claim.metric, claim.split, claim.value, claim.tolerance, value, better), claim))
    return found


def _is_meant(score: dict[str, Any], metric: str) -> bool:
    return score["name"] == metric or score.get("settings", {}).get("type") == metric


def _data(sides: list[Side], cache_root: str | None) -> dict[str, list[SplitStatistics]]:
    prints = dict.fromkeys(side.manifest.data_fingerprint for side in sides if side.manifest is not None)
    told = {fingerprint: data_statistics(fingerprint, cache_root) for fingerprint in prints if fingerprint}
    return {fingerprint: found for fingerprint, found in told.items() if found}


def default_output(report: Report, suffix: str) -> Path:
    """Beside the run where there is one; else in the folder one stands in."""
    run = report.sides[0].run
    return run.folder / f"report.{suffix}" if len(report.sides) == 1 and run is not None else Path(f"report.{suffix}")
