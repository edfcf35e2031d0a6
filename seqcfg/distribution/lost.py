"""A process that others miss: what they say, and that the same commands go on from the newest checkpoint."""

from __future__ import annotations

from seqcfg.errors import EXIT_RESUBMIT, UserError

AGAIN = "start all of them again; they go on from the newest checkpoint"


class ProcessLost(UserError):
    """Another process of a run with several was there and no longer is; what this one knew since the last checkpoint is lost."""

    exit_code = EXIT_RESUBMIT

    def __init__(self, message: str, hint: str = AGAIN):
        super().__init__(message, hint=hint)
