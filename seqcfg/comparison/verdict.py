"""Verdict: whether what the sides reached may be held against one another, why not, and what to be careful about."""

from __future__ import annotations

import dataclasses

from seqcfg.comparison.changes import Change
from seqcfg.comparison.decodes import Against, Decodes, Measured
from seqcfg.comparison.facts import Fact
from seqcfg.comparison.outcome import Outcome
from seqcfg.comparison.sides import Side

CLOSE = 0.03  # budgets that differ by no more count as equal: batches are not all of one size


@dataclasses.dataclass(frozen=True)
class Verdict:
    """reasons: why outcomes are not comparable, empty where they are; cautions: what to mind all the same; findings: what was found."""

    reasons: list[str]
    cautions: list[str]
    findings: list[str]

    @property
    def is_comparable(self) -> bool:
        return not self.reasons


def judge(
    sides: list[Side], changes: list[Change], data: list[Fact], environment: list[Fact], outcome: Outcome, decodes: Decodes
) -> Verdict:
    """All that stands against a comparison, the gravest first."""
    reasons = [*_tasks(sides), *decodes.obstacles, *_signatures(decodes)]
    if not decodes.measured and not decodes.scores:
        reasons += _held_out(sides, changes)
    cautions = [
        *_per_token(changes, data),
        *_silent_data(sides, changes, data),
        *_losses(sides),
        *_unfinished(sides, outcome),
        *_budgets(sides),
        *_checkpoints(decodes),
        *decodes.cautions,
        *_surroundings(environment),
    ]
    return Verdict(reasons, cautions, [finding for one in decodes.measured for finding in _found(sides, one)])


def _tasks(sides: list[Side]) -> list[str]:
    types = [side.experiment.recipe.task.type for side in sides]
    return [] if len(set(types)) == 1 else [f"the tasks are different: {' and '.join(dict.fromkeys(types))}"]


def _signatures(decodes: Decodes) -> list[str]:
    found = []
    for one in decodes.scores:
        told = dict.fromkeys(signature for signature, value in zip(one.signatures, one.values) if value is not None)
        if len(told) > 1:
            found.append(f"{one.metric} on {one.split} was measured in different ways: {' and '.join(told)}")
    return found


def _held_out(sides: list[Side], changes: list[Change]) -> list[str]:
    """Without evaluations, what is held out must be the same for all."""
    splits = [side.experiment.recipe.training.validation.split if side.experiment.recipe.training else "" for side in sides]  # type: ignore[attr-defined]
    names = {f"data.splits.{name}" for name in splits if name} | {"training.validation.split"}
    changed = [change.path for change in changes if any(change.path == name or change.path.startswith(f"{name}.") for name in names)]
    return [f"validation is on different data: {path} differs" for path in changed[:1]]


def _per_token(changes: list[Change], data: list[Fact]) -> list[str]:
    tokens = [change.path for change in changes if change.path.startswith("tokenizers")]
    tokens += [fact.name for fact in data if fact.name.startswith("tokenizer ") and fact.differs]
    return [f"loss and perplexity are per token, and tokens differ ({tokens[0]}): compare decoded text alone"] if tokens else []


def _silent_data(sides: list[Side], changes: list[Change], data: list[Fact]) -> list[str]:
    """Files that changed under the same name: the recipes do not show it."""
    files = [fact.name for fact in data if fact.name.startswith("file ") and fact.differs and "not read" not in fact.values]
    if files:
        return [f"{files[0]} has other content{f', and so have {len(files) - 1} more' if len(files) > 1 else ''}"]
    prepared = next((fact for fact in data if fact.name == "data as prepared"), None)
    if prepared is not None and prepared.differs and not any(change.part == "data" for change in changes):
        return ["the data differs although the recipes say the same about it: files have changed, or how they are prepared"]
    return []


def _losses(sides: list[Side]) -> list[str]:
    losses = {repr(getattr(side.experiment.recipe.task, "loss", None)) for side in sides}
    return ["'loss' is of different losses: compare nll or decoded text"] if len(losses) > 1 else []


def _unfinished(sides: list[Side], outcome: Outcome) -> list[str]:
    ended = ("finished", "step")  # a step that was asked for is meant to be no end
    told = zip(sides, outcome.states)
    return [f"{side.label} is not at its end: {state}" for side, state in told if state and not state.startswith(ended)]


def _budgets(sides: list[Side]) -> list[str]:
    tokens = {side.label: side.history.tokens for side in sides if side.history is not None and side.history.tokens}
    if len(tokens) < 2:
        return []
    least, most = min(tokens, key=lambda label: tokens[label]), max(tokens, key=lambda label: tokens[label])
    ratio = tokens[most] / tokens[least]
    return [f"{most} has seen {ratio:.3g} times the tokens of {least}: see the figures at equal tokens"] if ratio > 1 + CLOSE else []


def _checkpoints(decodes: Decodes) -> list[str]:
    told = [(one.split, one.labels) for one in decodes.measured] + [(one.split, one.labels) for one in decodes.scores]
    for split, labels in told:
        known = dict.fromkeys(label for label in labels if label)
        if len(known) > 1:
            return [f"{split} was evaluated at different checkpoints: {', '.join(known)}"]
    return []


def _surroundings(environment: list[Fact]) -> list[str]:
    results = [fact.name for fact in environment if fact.differs and fact.matters == "results"]
    speed = [fact.name for fact in environment if fact.differs and fact.matters == "speed"]
    told = (
        [f"other surroundings can change results a little: {', '.join(results[:4])}{' and more' if len(results) > 4 else ''}"]
        if results
        else []
    )
    return [*told, *([f"speed was measured on different machines: {', '.join(speed)}"] if speed else [])]


def _found(sides: list[Side], measured: Measured) -> list[str]:
    first = next((number for number, one in enumerate(measured.intervals) if one is not None), 0)
    return [finding(measured, one, sides[first].label, sides[one.side].label) for one in measured.against]


def finding(measured: Measured, against: Against, first: str, second: str) -> str:
    """One sentence: who is better by how much, and whether chance explains it."""
    test, bootstrap = against.randomization, against.bootstrap
    difference = f"{test.difference:+.2f} ({test.first:.2f} -> {test.second:.2f})"
    place = f"{measured.metric} on {measured.split}"
    if test.difference == 0:
        return f"{place}: {first} and {second} reach the same, {test.first:.2f}"
    if not against.is_significant:
        return f"{place}: {second} {difference}, no more than noise (p = {test.p:.2g})"
    word = "better" if (test.difference > 0) == measured.is_higher_better else "worse"
    return f"{place}: {second} is {word}, {difference}, p = {test.p:.2g}, 95 % between {bootstrap.low:+.2f} and {bootstrap.high:+.2f}"
