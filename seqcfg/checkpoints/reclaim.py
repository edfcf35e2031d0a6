"""What a run can do without: leftovers of interrupted writes, and checkpoints that are neither among the best nor the newest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from seqcfg.checkpoints.commit import choose, prune
from seqcfg.checkpoints.read import REPLACED, find
from seqcfg.runs.durable import PARTIAL
from seqcfg.runs.lock import RunLock
from seqcfg.runs.removal import remove, size_of


@dataclasses.dataclass(frozen=True)
class Waste:
    """Things in one run that can go, and their bytes."""

    folder: Path
    leftovers: list[Path]
    steps: list[int]
    bytes: int


def waste(folder: Path, *, metric: str, is_higher_better: bool, last: int = 1, best: int = 1) -> Waste:
    """What would be freed in a run: all but its `last` newest and `best` best checkpoints. The newest whole one always stays."""
    checkpoints = find(folder / "checkpoints")
    kept = choose(folder / "checkpoints", last=last, best=best, metric=metric, is_higher_better=is_higher_better)
    newest = next((one.step for one in reversed(checkpoints) if not one.damage()), None) if checkpoints else None
    doomed = [one for one in checkpoints if one.step not in kept and one.step != newest and newest is not None]
    leftovers = sorted(path for path in folder.rglob(f"*{PARTIAL}") if path.exists()) + sorted(folder.rglob(f"*{REPLACED}"))
    size = sum(size_of(path) for path in (*leftovers, *(one.path for one in doomed)))
    return Waste(folder, leftovers, [one.step for one in doomed], size)


def reclaim(found: Waste) -> None:
    """Removes it, under the run's lock; raises UserError when the run is at work, OSError when something cannot be removed."""
    with RunLock(found.folder):
        steps = {one.step for one in find(found.folder / "checkpoints")}
        prune(found.folder / "checkpoints", steps - set(found.steps))
        for path in found.leftovers:
            if path.exists():
                remove(path)
