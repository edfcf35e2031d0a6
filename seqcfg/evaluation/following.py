"""Following a run that is being trained: every checkpoint that appears is evaluated once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seqcfg.checkpoints.read import CheckpointInfo, find
from seqcfg.errors import UserError
from seqcfg.runs import manifest, records
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.evaluations import StoredEvaluation


def new_checkpoints(
    run: RunDirectory, is_done: Callable[[CheckpointInfo], bool], wait: Callable[[], None], say: Callable[[str], None]
) -> Iterator[CheckpointInfo]:
    """The run's checkpoints that are not done, oldest first, as training writes them; ends when training has finished.

    Training deletes checkpoints as it goes: the caller must expect that one vanishes while it is read. A run that stopped
    before its end is waited for, as the same command continues it.
    """
    tried: set[int] = set()
    times = len(went_back_to(run))
    is_told = False
    while True:
        is_over = has_finished(run)  # asked first: what training wrote last is then among what is found
        for step in went_back_to(run)[times:]:
            tried, times = {one for one in tried if one <= step}, times + 1
        for info in find(run.checkpoints):
            if info.step not in tried and not is_done(info):
                yield info
            tried.add(info.step)
        if is_over:
            return
        if not is_told:
            say(f"{run.folder}: waiting for checkpoints; interrupt to stop")
            is_told = True
        wait()


def went_back_to(run: RunDirectory) -> list[int]:
    """The steps that the run went back to, in the order of time; its later checkpoints are others since (training.roll_back)."""
    return [record["step"] for record in records.read(run.records, "event") if "rolled_back" in record]


def has_finished(run: RunDirectory) -> bool:
    """Whether training has reached the last step of its recipe."""
    if not run.manifest.exists():
        return False
    try:
        attempts = manifest.read_manifest(run.manifest).attempts
    except UserError:  # it is being replaced, or somebody's editor has it: ask again later
        return False
    return bool(attempts) and attempts[-1].outcome == "finished"


def is_same(stored: StoredEvaluation | None, fingerprint: dict[str, str], metrics: list[str]) -> bool:
    """Whether a stored evaluation is what evaluating now would give: model and decoding are the same, no metric is missing."""
    if stored is None:
        return False
    before = stored.summary.get("fingerprint", {})
    is_equal = all(before.get(part) == fingerprint.get(part) for part in ("model", "decoding"))
    return is_equal and set(metrics) <= set(stored.scores)
