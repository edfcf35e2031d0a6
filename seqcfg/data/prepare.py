"""Prepare: turns the raw corpora of a recipe into tokenizers and columns, once per content."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path
from typing import Any

from seqcfg.data.job import Job
from seqcfg.data.lock import exclusive
from seqcfg.data.prepared import Prepared, open_prepared, read_manifest
from seqcfg.data.progress import Progress, silent
from seqcfg.data.root import DataRoot, cache_folder
from seqcfg.data.statistics import statistics
from seqcfg.errors import UserError


def prepare(
    experiment: Any,
    progress: Progress = silent,
    *,
    data_root: str | os.PathLike | None = None,
    cache_root: str | os.PathLike | None = None,
    processes: int | None = None,
) -> Prepared:
    """The prepared data of an experiment; made now if it was never made from the same files and settings.

    Files appear under their final name all at once, so a process that is killed leaves nothing that looks finished, and
    the next one goes on with its work; of two processes one waits for the other. `processes` encode a large corpus (as
    many as there are cores if left out); their number changes no byte of the result. Raises UserError for missing or
    damaged corpora and for a full disk.
    """
    job = Job(experiment, DataRoot(data_root, cache_root), progress, processes or _cores())
    folder = cache_folder(cache_root) / job.fingerprint
    if read_manifest(folder) is None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(folder.with_name(f"{folder.name}.lock"), lambda: job.progress("waiting for another process", 0, 0)):
                if read_manifest(folder) is None:
                    job.write(folder)
        except OSError as error:
            raise _refused(error, folder.parent) from error
    prepared = open_prepared(folder, job.tokenizers)
    return dataclasses.replace(prepared, statistics=statistics(experiment, folder, prepared.splits, job.progress))


def find_prepared(
    experiment: Any, *, data_root: str | os.PathLike | None = None, cache_root: str | os.PathLike | None = None
) -> Prepared | None:
    """The prepared data of an experiment if it exists, else None; raises UserError if a corpus file is missing."""
    job = Job(experiment, DataRoot(data_root, cache_root), silent, 1)
    folder = cache_folder(cache_root) / job.fingerprint
    return None if read_manifest(folder) is None else open_prepared(folder, job.tokenizers)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _refused(error: OSError, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free >> 20
        return UserError(
            f"the disk of {folder} is full ({free} MiB free); nothing half-written was kept",
            hint="make room, or choose another place with --cache-root or $SEQCFG_CACHE",
        )
    return UserError(f"cannot write prepared data to {folder}: {error}", hint="choose another place with --cache-root or $SEQCFG_CACHE")
