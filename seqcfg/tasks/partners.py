"""Opening the other runs that a decoding section names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.decoding.member import Member, Role
from seqcfg.errors import UserError
from seqcfg.tasks.trained import open_run, origin


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
    if settings.noisy_channel:
        channel = settings.noisy_channel
        partners.append(_opened(channel.run, channel.checkpoint, "channel", 1.0, warn))
        if channel.language_model:
            partners.append(_opened(channel.language_model, channel.checkpoint, "channel_prior", 1.0, warn))
    return partners


def _opened(folder: str, checkpoint: str, role: Role, weight: float, warn: Callable[[str], None]) -> Member:
    """Raises UserError where the run's task does not fit the role."""
    other: Any = open_run(folder, checkpoint, (), warn)
    task = other.experiment.recipe.task
    wanted = "language_modeling" if role in ("prior", "channel_prior") else "translation" if role == "channel" else task.type
    if task.type != wanted:
        raise UserError(f"{folder}: is a run of a {task.type} task, and one of {wanted} is needed", hint="name another run in decoding")
    return Member(task, other.declaration, other.weights, other.codecs, other.precision, role, weight, origin(other))


def _member(trained: Any, folder: str, checkpoint: str, role: Role, weight: float, warn: Callable[[str], None]) -> Member:
    """Raises UserError where its outputs are made of other tokens, too."""
    other = _opened(folder, checkpoint, role, weight, warn)
    ours, theirs = trained.experiment.recipe.task.target_codec(trained.codecs), other.task.target_codec(other.codecs)
    if ours.vocabulary != theirs.vocabulary or ours.tokens(range(ours.vocabulary)) != theirs.tokens(range(theirs.vocabulary)):
        raise UserError(
            f"{folder}: its outputs have other tokens than those of {trained.folder}",
            hint="train it with the tokenizer of this run: a tokenizer that reads the other's files",
        )
    return other
