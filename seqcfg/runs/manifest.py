"""manifest.textproto: what produced a run (schemas/seqcfg/v1/run.proto)."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.runs import machine
from seqcfg.runs.durable import write_file
from seqcfg.runs.masking import mask_command

FORMAT = 1


def new_manifest(name: str, fingerprints: Mapping[str, str], data_fingerprint: str, seeds: Mapping[str, int]) -> Any:
    """A RunManifest without attempts. `fingerprints` has the parts data, model, training, decoding."""
    from seqcfg.runs.run_proto import RunManifest

    return RunManifest(
        format=FORMAT, recipe_name=name, fingerprints=dict(fingerprints), data_fingerprint=data_fingerprint, seeds=dict(seeds)
    )


def begin_attempt(manifest: Any, command: Iterable[str], first_step: int, threads: tuple[int, int] = (0, 0)) -> None:
    """Adds an attempt that starts now, from `first_step` finished updates. `threads` are (inside, between) operations."""
    program, *arguments = command
    shown = [Path(program).name, *mask_command(arguments)]  # where the program is installed is nobody's business
    attempt = manifest.attempts.add(started=_now(), first_step=first_step, last_step=first_step, command=shown)
    attempt.versions.update(machine.versions())
    attempt.git_commit, attempt.git_modified = machine.git_state()
    name, flags = machine.processor()
    about = attempt.machine
    about.platform, about.processor, about.cores = f"{platform.system()}-{platform.machine()}", name, machine.cores()
    about.cpu_flags.extend(flags)
    about.memory_bytes = machine.memory_bytes()
    about.threads_inside, about.threads_between = threads


def finish_attempt(manifest: Any, last_step: int, outcome: str) -> None:
    """Notes how the newest attempt ended: "finished", "stopped", "failed" or "rolled back"."""
    attempt = manifest.attempts[-1]
    attempt.finished, attempt.last_step, attempt.outcome = _now(), last_step, outcome


def write_manifest(path: str | Path, manifest: Any) -> None:
    """Replaces the file as a whole; raises OSError."""
    from google.protobuf import text_format

    write_file(Path(path), text_format.MessageToString(manifest, as_utf8=True))


def read_manifest(path: str | Path) -> Any:
    """The RunManifest in a file. Fields of later versions of seqcfg are passed over; raises UserError."""
    from google.protobuf import text_format

    from seqcfg.runs.run_proto import RunManifest

    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), RunManifest(), allow_unknown_field=True)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise UserError(
            f"cannot read the run's manifest {path}: {error}", hint="restore it from a copy; deleting it loses its history"
        ) from error


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
