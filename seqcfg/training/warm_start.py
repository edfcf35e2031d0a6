"""Starting from weights of another run instead of drawn ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from seqcfg.component.component import Record, param
from seqcfg.component.reach import leading_out
from seqcfg.component.types import Name, Text, rules
from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.plan.declaration import RANGES

Rules = Annotated[dict[str, str | None], rules("patterns of weight paths such as model/encoder/*; seqcfg plan lists the paths")]
SHOWN_MISFITS = 10


class WarmStart(Record):
    """Takes weights over from a checkpoint before the first step; the optimizer starts anew.

    `weights` maps patterns of paths here to those there, in order; the first that fits a weight decides. The n-th `*` there
    stands for the text of the n-th `*` here; null leaves a weight as it is drawn, as do weights that no pattern fits.
    """

    run: Text = param(doc="Folder of the run that weights are taken from, relative to where the command is given.")
    checkpoint: Text = param(default="best", doc="best, last, average:N, a step number or the folder of a checkpoint.")
    weights: Rules = param(factory=lambda: {"*": "*"}, doc="Patterns of paths here, and the paths there that they take their values from.")
    vocabularies: dict[str, Name] = param(
        factory=dict,
        doc="Patterns of weights with one row or column per id, and the tokenizer whose ids they are: they are matched by token, "
        "and tokens that are new keep their drawn values.",
    )

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "run", "checkpoint")

    def check(self) -> Iterator[tuple[str, str, str]]:
        for here, there in self.weights.items():
            if there is not None and there.count("*") > here.count("*"):
                yield "weights", f"{there!r} has more * than {here!r}", "each * there stands for the text of a * here"

    def source_of(self, path: str) -> str | None:
        """The path there of a weight here; None when it is not taken over."""
        for here, there in self.weights.items():
            if match := re.fullmatch("(.*)".join(re.escape(part) for part in here.split("*")), path):
                return (
                    None
                    if there is None
                    else "".join(
                        part + text for part, text in zip(there.split("*"), (*match.groups(), "")[: there.count("*")] + ("",), strict=True)
                    )
                )
        return None

    def tokenizer_of(self, path: str) -> str | None:
        """The tokenizer whose ids a weight has rows or columns for, if it is to be matched by token."""
        fits = (name for pattern, name in self.vocabularies.items() if re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), path))
        return next(fits, None)

    def apply(self, weights: dict[str, Any], codecs: dict[str, Any], say: Callable[[str], None]) -> None:
        """Assigns {path: variable}; nothing is assigned unless all fits. Raises UserError naming what does not."""
        arrays, others, label = _open(Path(self.run), self.checkpoint, say)
        taken: dict[str, Any] = {}
        misfits = []
        for path, variable in weights.items():
            if (source := self.source_of(path)) is None:
                continue
            if source not in arrays and source.startswith(RANGES):
                continue  # the other run did not track them: they are found here
            if source not in arrays:
                misfits.append(f"{path}: there is no {source}")
                continue
            value = arrays[source]
            if tokenizer := self.tokenizer_of(path):
                value = _by_token(path, variable.numpy(), value, codecs, others, tokenizer, say)
            if tuple(value.shape) != tuple(variable.shape):
                misfits.append(f"{path} is {tuple(variable.shape)} here, and {source} is {tuple(value.shape)} there")
            taken[path] = value
        if misfits:
            more = f"\n    and {len(misfits) - SHOWN_MISFITS} more" if len(misfits) > SHOWN_MISFITS else ""
            raise UserError(
                f"training.warm_start: {self.run} does not fit:" + "".join(f"\n    {one}" for one in misfits[:SHOWN_MISFITS]) + more,
                hint="map these weights to null to start them anew, or to other paths; vocabularies matches tables by token",
            )
        for path, value in taken.items():
            weights[path].assign(value)
        say(f"started from {label} of {self.run}: {len(taken)} of {len(weights)} weights")


def _open(folder: Path, checkpoint: str, say: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(weights by path, codecs by name, name of the checkpoint) of another run."""
    from seqcfg.recipe.experiment import load
    from seqcfg.runs.directory import RunDirectory
    from seqcfg.tasks.trained import choose, mean_weights

    run = RunDirectory.open(folder)
    recipe: Any = load(str(run.resolved)).recipe
    chosen = choose(run.checkpoints, checkpoint, recipe.evaluation.best, say)
    codecs = {name: tokenizer.load(run.tokenizers / name) for name, tokenizer in recipe.tokenizers.items()}
    return mean_weights(chosen), codecs, chosen[-1].path.name


def _by_token(
    path: str, drawn: Any, stored: Any, codecs: dict[str, Any], others: dict[str, Any], name: str, say: Callable[[str], None]
) -> Any:
    """`drawn` with the rows (or columns) of tokens that the other run knows replaced by those in `stored`."""
    if name not in codecs:
        raise UserError(f"training.warm_start.vocabularies: there is no tokenizer {name!r}", hint=f"there are {', '.join(codecs)}")
    other = others.get(name) or (next(iter(others.values())) if len(others) == 1 else None)
    if other is None:
        hint = f"that run has {', '.join(others)}: give the tokenizer here one of these names"
        raise UserError(f"training.warm_start.vocabularies: the other run has no tokenizer {name!r}", hint=hint)
    here, there = pieces(codecs[name]), {piece: index for index, piece in enumerate(pieces(other))}
    axes = [axis for axis in range(drawn.ndim) if drawn.shape[axis] == len(here) and stored.shape[axis : axis + 1] == (len(there),)]
    if not axes:
        raise UserError(
            f"training.warm_start.vocabularies: {path} has no axis of {len(here)} ids of {name!r}",
            hint=f"it is {drawn.shape} here and {stored.shape} there, where the tokenizer has {len(there)} ids",
        )
    known = [index for index, piece in enumerate(here) if piece in there]
    value, source = np.moveaxis(drawn.copy(), axes[0], 0), np.moveaxis(stored, axes[0], 0)
    if value.shape[1:] != source.shape[1:]:
        return stored  # of another width: told by the caller
    value[known] = source[[there[here[index]] for index in known]]
    say(f"{path}: {len(known)} of {len(here)} tokens of {name!r} are known there")
    return np.moveaxis(value, 0, axes[0])


def pieces(codec: Any) -> list[str]:
    """What each id stands for, unique names; the reserved ids and ids of bytes are named by their numbers."""
    table = getattr(codec, "table", None)
    if table is not None:
        names = {number: f"piece {piece}" for piece, number in table.items()}
    elif hasattr(codec, "processor"):
        names = {number: f"piece {codec.processor.id_to_piece(number)}" for number in range(4, codec.vocabulary)}
    else:
        names = {}
    return [names.get(number, f"id {number}") for number in range(codec.vocabulary)]
