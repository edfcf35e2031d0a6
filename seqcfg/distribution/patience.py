"""An end to waiting for processes that live and do not come; TensorFlow would wait for ever."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from seqcfg.errors import EXIT_RESUBMIT


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Ends the process with 75 where what is within takes longer.

    At once, as a kill would: an operation that waits cannot be called off (TensorFlow's own time limit for collective
    operations ends in a segmentation fault now and then). Checkpoints on the disk are whole at any moment.
    """
    timer = threading.Timer(seconds, _give_up, (seconds,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(seconds: float) -> None:
    sys.stderr.write(f"""another process of this run does not come: updates are not finished after {seconds:g} s
    hint: start all of them again; they go on from the newest checkpoint; or raise training.strategy.patience_seconds
""")
    sys.stderr.flush()
    os._exit(EXIT_RESUBMIT)
