"""Opening the other runs that a decoding section names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from seqcfg.decoding.member import Member
from seqcfg.errors import UserError
from seqcfg.tasks.trained import open_run


def partners_of(trained: Any, settings: Any, warn: Callable[[str], None] = print) -> list[Member]:
    """The members besides the run itself: those of decoding.ensemble, then the language model of decoding.fusion.

    Raises UserError where one is not there or writes other tokens.
    """
    partners: list[Member] = []
    for folder in settings.ensemble.runs if settings.ensemble else []:
        partners.append(_member(trained, folder, settings.ensemble.checkpoint, "model", 1.0, warn))
    if settings.fusion:
        fusion = settings.fusion
        partners.append(_member(trained, fusion.run, fusion.checkpoint, "prior", fusion.weight, warn))
    return partners


def _member(
    trained: Any, folder: str, checkpoint: str, role: Literal["model", "prior"], weight: float, warn: Callable[[str], None]
) -> Member:
    other: Any = open_run(folder, checkpoint, (), warn)
    task = other.experiment.recipe.task
    if role == "prior" and task.type != "language_modeling":
        raise UserError(
            f"{folder}: a {task.type} run is no language model", hint="decoding.fusion.run takes a run of a language_modeling task"
        )
    ours, theirs = trained.experiment.recipe.task.target_codec(trained.codecs), task.target_codec(other.codecs)
    if ours.vocabulary != theirs.vocabulary or ours.tokens(range(ours.vocabulary)) != theirs.tokens(range(theirs.vocabulary)):
        raise UserError(
            f"{folder}: its outputs have other tokens than those of {trained.folder}",
            hint="train it with the tokenizer of this run: a tokenizer that reads the other's files",
        )
    return Member(task, other.declaration, other.weights, other.codecs, other.precision, role, weight)
