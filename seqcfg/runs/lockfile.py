"""run.lock.json: all that fixes a run's result, so that it can be made again elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from seqcfg.component.catalog import ENTRY_POINT_GROUP
from seqcfg.errors import UserError
from seqcfg.runs import machine, trace
from seqcfg.runs.durable import write_file

LOCKFILE = "run.lock.json"
FORMAT = 1
CLASS = ("platform", "cpu_flags", "cores", "threads", "accelerators")  # what bits may depend on; the processor's name is for people


def new_lock(experiment: Any, data: dict[str, Any], hardware: dict[str, Any]) -> dict[str, Any]:
    """The lock of an experiment; `data` has fingerprint, inputs and tokenizers, `hardware` is from `hardware_class`."""
    commit, is_modified = machine.git_state()
    return {
        "format": FORMAT,
        "name": experiment.name,
        **recipe_part(experiment),
        "data": data,
        "packages": machine.versions(),
        "plugins": plugins(),
        "seeds": {"training": experiment.recipe.training.seed},
        "hardware": hardware,
        "git": {"commit": commit, "modified": is_modified},
    }


def recipe_part(experiment: Any) -> dict[str, Any]:
    """The resolved recipe, its fingerprint by this version of seqcfg, and a hash by which an edit by hand is noticed."""
    return {"recipe": experiment.resolved, "recipe_sha256": recipe_sha256(experiment.resolved), "fingerprint": experiment.fingerprint}


def recipe_sha256(resolved: dict[str, Any]) -> str:
    """The SHA-256 of a resolved recipe as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()


def hardware_class(threads: tuple[int, int], accelerators: list[str]) -> dict[str, Any]:
    """Runs on machines that agree in this are expected to agree to the bit. `threads` are (inside, between) operations."""
    import platform

    name, flags = machine.processor()
    return {
        "platform": f"{platform.system()}-{platform.machine()}",
        "processor": name,
        "cpu_flags": flags,
        "cores": machine.cores(),
        "threads": list(threads),
        "accelerators": accelerators,
    }


def plugins() -> dict[str, str]:
    """{package: version} of the installed packages that bring components."""
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return dict(sorted((one.dist.name, one.dist.version) for one in found if one.dist is not None))


def write_lock(folder: Path, lock: dict[str, Any]) -> None:
    """Writes run.lock.json; raises OSError."""
    write_file(folder / LOCKFILE, json.dumps(lock, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def add_evidence(folder: Path) -> None:
    """Puts what a run's trace shows so far into its lock, so that the lock alone is enough to hold a repetition against.

    A full disk must not end training, and evidence is in the trace, too: where it cannot be written, the lock stays as it is.
    """
    with contextlib.suppress(OSError):
        write_lock(folder, read_lock(folder) | {"evidence": trace.extract(folder)})


def read_lock(path: Path) -> dict[str, Any]:
    """The lock in a file or in a run's folder; raises UserError."""
    path = path / LOCKFILE if path.is_dir() else path
    hint = "it is written when a run begins; one made by an earlier version of seqcfg has none"
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file", hint=hint) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is not a lock of a run: {error}", hint="restore it from a copy") from error
    if not isinstance(lock, dict) or not {"format", "recipe", "data"} <= lock.keys():
        raise UserError(f"{path}: is not a lock of a run", hint=hint)
    if lock["format"] != FORMAT:
        raise UserError(f"{path}: is of format {lock['format']}; this version of seqcfg reads format {FORMAT}", hint="upgrade seqcfg")
    return lock


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs in the surroundings of two runs, one line each, what changes bits first: packages, plugins, hardware."""
    lines = []
    for what in ("packages", "plugins"):
        one, other = before.get(what, {}), now.get(what, {})
        lines += [
            f"{name}: {one.get(name, 'not installed')} then, {other.get(name, 'not installed')} now"
            for name in sorted(one.keys() | other.keys())
            if one.get(name) != other.get(name)
        ]
    one, other = before.get("hardware", {}), now.get("hardware", {})
    lines += [f"{name}: {_words(one.get(name))} then, {_words(other.get(name))} now" for name in CLASS if one.get(name) != other.get(name)]
    one, other = before.get("git", {}), now.get("git", {})
    if one.get("commit") != other.get("commit") and one.get("commit") and other.get("commit"):
        lines.append(f"commit of seqcfg: {one['commit'][:12]} then, {other['commit'][:12]} now")
    return lines


def _words(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
