"""The weights of two checkpoints next to one another: how far each has moved, relative to its size. Loads TensorFlow."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.contents import MANIFEST_FILE
from seqcfg.checkpoints.read import find, latest_valid, load_arrays
from seqcfg.comparison.compare import plain
from seqcfg.comparison.document import Block, Cell, Document, Lines, Section, Table
from seqcfg.comparison.sides import open_side, short_names
from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.plan.table import shape_words

WEIGHTS = "weights/"
MOST = 60  # rows shown; the JSON has all


@dataclasses.dataclass(frozen=True)
class Moved:
    """One weight of both: relative = |b - a| / |a| (Euclidean; infinite where a is zero), largest = max |b - a|, cosine of a and b."""

    path: str
    shape: tuple[int, ...]
    relative: float
    largest: float
    cosine: float


@dataclasses.dataclass(frozen=True)
class WeightComparison:
    """moved: weights of equal shapes, those that changed most first; lonely: what only one has; reshaped: (path, shape, shape)."""

    sides: tuple[str, str]
    checkpoints: tuple[str, str]
    moved: list[Moved]
    lonely: tuple[list[str], list[str]]
    reshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    relative: float  # of all weights of equal shapes as one vector

    @property
    def differs(self) -> bool:
        return bool(self.reshaped or any(self.lonely)) or any(one.largest != 0 for one in self.moved)


def compare_weights(texts: tuple[str, ...]) -> WeightComparison:
    """Compares the checkpoints of two runs, RUN@STEPs or checkpoint folders; raises UserError."""
    if len(texts) != 2:
        raise UserError(f"--weights compares two checkpoints, and {len(texts)} were named", hint="seqcfg diff --weights RUN@1000 RUN@2000")
    paths = [checkpoint_of(text) for text in texts]
    first, second = (load_arrays(path, WEIGHTS) for path in paths)
    first, second = ({name.removeprefix(WEIGHTS): array for name, array in arrays.items()} for arrays in (first, second))
    common = [name for name in first if name in second]
    alike = [name for name in common if first[name].shape == second[name].shape]
    moved = sorted((_moved(name, first[name], second[name]) for name in alike), key=lambda one: (-one.relative, one.path))
    change = math.sqrt(sum(_squares(_float(second[name]) - _float(first[name])) for name in alike))
    size = math.sqrt(sum(_squares(_float(first[name])) for name in alike))
    labels = short_names(list(texts))
    return WeightComparison(
        (labels[0], labels[1]),
        (paths[0].name, paths[1].name),
        moved,
        (sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys())),
        [(name, first[name].shape, second[name].shape) for name in common if name not in alike],
        _ratio(change, size),
    )


def checkpoint_of(text: str) -> Path:
    """The folder of the checkpoint that a side means: itself, that of its step, or the newest whole one of a run."""
    if (Path(text) / MANIFEST_FILE).is_file():
        return Path(text)
    side = open_side(text)
    if side.run is None:
        raise UserError(f"{text}: is a recipe, and has no weights", hint="name a run, RUN@STEP or the folder of a checkpoint")
    if side.step is None:
        found = latest_valid(side.run.checkpoints, lambda line: None)
        if found is None:
            raise UserError(f"{text}: holds no checkpoint yet", hint="train the run first")
        return found.path
    known = {info.step: info.path for info in find(side.run.checkpoints)}
    if side.step not in known:
        raise UserError(f"{text}: no checkpoint of step {side.step} is kept", hint=f"there are {', '.join(map(str, known)) or 'none'}")
    return known[side.step]


def as_plain(found: WeightComparison) -> dict[str, Any]:
    """As JSON; a weight that began at zero has no relative change and gets null."""
    return {"differs": found.differs} | plain(found)


def document(found: WeightComparison) -> Document:
    """What it looks like."""
    first, second = found.sides
    lead = [Cell("the same weights, to the bit", "good")] if not found.differs else []
    if found.differs and found.moved:
        lead.append(Cell(f"all weights of equal shapes together moved by {found.relative:.3g} of their size", "strong"))
    blocks: list[Block] = []
    lonely = [Cell(f"only in {side}: {path}") for side, paths in zip(found.sides, found.lonely) for path in paths]
    reshaped = [Cell(f"{path}: {shape_words(one)} in {first}, {shape_words(other)} in {second}") for path, one, other in found.reshaped]
    if lonely or reshaped:
        blocks.append(Lines([*lonely, *reshaped]))
    if rows := [_row(one) for one in found.moved if one.largest != 0]:
        note = f"and {len(rows) - MOST} more, which moved less; --format json has all" if len(rows) > MOST else ""
        blocks.append(Table(["weight", "shape", "relative change", "largest change", "cosine"], rows[:MOST], frozenset({2, 3, 4}), note))
    title = f"{first} ({found.checkpoints[0]}) and {second} ({found.checkpoints[1]})"
    return Document(title, lead, [Section("weights", blocks)] if blocks else [])


def _row(one: Moved) -> list[Cell]:
    relative = f"{one.relative:.3g}" if math.isfinite(one.relative) else "from zero"
    return [Cell(one.path), Cell(shape_words(one.shape)), Cell(relative, "strong"), Cell(f"{one.largest:.3g}"), Cell(f"{one.cosine:.4f}")]


def _moved(path: str, one: Any, other: Any) -> Moved:
    a, b = _float(one), _float(other)
    sizes = math.sqrt(_squares(a)), math.sqrt(_squares(b))
    cosine = float((a * b).sum()) / (sizes[0] * sizes[1]) if sizes[0] and sizes[1] else float(sizes[0] == sizes[1])
    return Moved(path, tuple(one.shape), _ratio(math.sqrt(_squares(b - a)), sizes[0]), float(np.abs(b - a).max(initial=0.0)), cosine)


def _float(array: Any) -> Any:
    return array.astype(np.float64)


def _squares(array: Any) -> float:
    return float((array * array).sum())


def _ratio(change: float, size: float) -> float:
    return change / size if size else (math.inf if change else 0.0)
