"""Writing checkpoints beside the training: a snapshot is taken at once, a thread brings it to the disk."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints import commit
from seqcfg.checkpoints.commit import CheckpointWriteError
from seqcfg.lazy import tf


@dataclasses.dataclass(frozen=True)
class Written:
    """What became of one checkpoint; `failure` is empty when it is on the disk."""

    step: int
    path: Path | None = None
    failure: str = ""


def snapshot(variables: dict[str, Any]) -> dict[str, Any]:
    """Copies of {path: tf.Variable} in the memory of the host.

    On a CPU they share their bytes with the originals until these are assigned anew: TensorFlow copies on write, so
    that nothing is copied here.
    """
    with tf.device("/CPU:0"):
        return {path: tf.Variable(variable.read_value(), trainable=False) for path, variable in variables.items()}


class CheckpointWriter:
    """Brings snapshots to the disk in order, one at a time; `save` waits for the one before.

    Without `is_asynchronous`, `save` returns when the checkpoint is durable. `allow` is asked before each commit and
    raises when this process may no longer write there. `finished` hands out each outcome once; what went wrong
    other than on the disk is raised there, in the caller's thread.
    """

    def __init__(self, folder: Path, is_asynchronous: bool = True, allow: Callable[[], None] = lambda: None):
        self._folder, self._is_asynchronous, self._allow = folder, is_asynchronous, allow
        self._thread: threading.Thread | None = None
        self._outcomes: list[Written] = []
        self._error: BaseException | None = None

    def save(self, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Takes a snapshot of the variables as they are now and has it written."""
        self.wait()
        copies = snapshot(variables) if self._is_asynchronous else variables
        self._thread = threading.Thread(target=self._write, args=(step, copies, metadata), name="checkpoint")
        self._thread.start()
        if not self._is_asynchronous:
            self.wait()

    def wait(self) -> None:
        """Returns when nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finished(self) -> list[Written]:
        """The outcomes since the last call, oldest first."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        count = len(self._outcomes)  # the thread may append meanwhile
        outcomes, self._outcomes[:count] = self._outcomes[:count], []
        return outcomes

    def _write(self, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> None:
        try:
            self._allow()
            self._outcomes.append(Written(step, commit.save(self._folder, step, variables, metadata)))
        except CheckpointWriteError as error:
            self._outcomes.append(Written(step, failure=str(error)))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
