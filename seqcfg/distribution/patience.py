"""An end to waiting for processes that live and do not come; TensorFlow would wait for ever."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from seqcfg.distribution.lost import AGAIN
from seqcfg.errors import EXIT_RESUBMIT


@contextlib.contextmanager
def patience(seconds: float, what: str = "updates are not finished", field: str = "patience_seconds") -> Iterator[None]:
    """Ends the process with 75 where what is within takes longer, and says so: `what` happens then, `field` holds the seconds.

    At once, as a kill would: an operation that waits cannot be called off (TensorFlow's own time limit for collective
    operations ends in a segmentation fault now and then). Checkpoints on the disk are whole at any moment.
    """
    timer = threading.Timer(seconds, _give_up, (seconds, what, field))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(seconds: float, what: str, field: str) -> None:
    sys.stderr.write(f"""another process of this run does not come: {what} after {seconds:g} s
    hint: {AGAIN}; or raise training.strategy.{field}
""")
    sys.stderr.flush()
    os._exit(EXIT_RESUBMIT)
