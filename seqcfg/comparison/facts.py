"""Facts around runs: the data they read and the machines, packages and commits that computed them."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from seqcfg.comparison.sides import Side
from seqcfg.data.fingerprint import inputs
from seqcfg.data.root import DataRoot, cache_folder
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import Experiment
from seqcfg.runs.lockfile import LOCKFILE


@dataclasses.dataclass(frozen=True)
class Fact:
    """One fact about every side; empty where a side does not tell. `matters` names what a difference can change."""

    name: str
    values: tuple[str, ...]
    matters: str = ""

    @property
    def differs(self) -> bool:
        """Whether sides that tell it tell different things."""
        return len({value for value in self.values if value}) > 1


def data_facts(sides: list[Side]) -> list[Fact]:
    """What runs read: the fingerprint of their prepared data, then every file and tokenizer by its content.

    A recipe beside a run stands for its files as they lie below the data root now.
    """
    locks = [_lock(side).get("data", {}) for side in sides]
    if any(lock.get("inputs") for lock in locks):
        locks = [lock if side.is_run else {"inputs": todays_inputs(side.experiment)} for side, lock in zip(sides, locks)]
    prints = tuple(side.manifest.data_fingerprint[:12] if side.manifest is not None else "" for side in sides)
    facts = [Fact("data as prepared", prints, "results")]
    for what, key in (("file", "inputs"), ("tokenizer", "tokenizers")):
        tables = [lock.get(key) or {} for lock in locks]
        names = dict.fromkeys(name for table in tables for name in table)
        facts += [Fact(f"{what} {name}", tuple(_hash(table, name) for table in tables), "results") for name in names]
    counts = [lock.get("examples") or {} for lock in locks]
    for split in dict.fromkeys(split for table in counts for split in table):
        facts.append(Fact(f"examples of {split}", tuple(f"{table[split]:,}" if split in table else "" for table in counts), "results"))
    return facts


def todays_inputs(experiment: Experiment) -> dict[str, str]:
    """{recipe path: SHA-256} of the files that a recipe reads below the data root; empty where they are not all there."""
    if experiment.recipe.data is None:
        return {}
    with tempfile.TemporaryDirectory() as spare:  # looking makes no cache of its own
        root = DataRoot(cache_root=None if cache_folder().is_dir() else spare)
        try:
            return inputs(experiment.recipe.data, experiment.recipe.tokenizers, root)
        except UserError:
            return {}


def environment_facts(sides: list[Side]) -> list[Fact]:
    """Of runs: versions of packages and plugins, the commit of seqcfg, hardware. Empty for recipes alone.

    Where a run was continued in other surroundings, all are told in their order.
    """
    attempts = [list(side.manifest.attempts) if side.manifest is not None else [] for side in sides]
    if not any(attempts):
        return []

    def told(read: Callable[[Any], str]) -> tuple[str, ...]:
        return tuple(" then ".join(filter(None, dict.fromkeys(map(read, one)))) for one in attempts)

    packages = dict.fromkeys(name for one in attempts for attempt in one for name in sorted(attempt.versions))
    facts = [Fact(name, told(lambda attempt, name=name: _version(attempt.versions, name)), "results") for name in packages]  # type: ignore[misc]
    plugins = [_lock(side).get("plugins", {}) for side in sides]
    for name in dict.fromkeys(name for table in plugins for name in table):
        facts.append(Fact(f"plugin {name}", tuple(_version(table, name) for table in plugins), "results"))
    facts.append(Fact("commit of seqcfg", told(_commit), "results"))
    return facts + [Fact(name, told(lambda attempt, read=read: read(attempt.machine)), matters) for name, matters, read in HARDWARE]  # type: ignore[misc]


def hardware_words(attempt: Any) -> str:
    """A machine in a few words, as tables of measurements name it: `2 cores, Intel Xeon`."""
    machine = attempt.machine
    cores = f"{machine.cores} CPU core{'s' if machine.cores != 1 else ''}"
    return f"{cores}, {machine.processor}" if machine.processor else cores


def _threads(machine: Any) -> str:
    return ", ".join(str(count) if count else "chosen" for count in (machine.threads_inside, machine.threads_between))


def _commit(attempt: Any) -> str:
    return attempt.git_commit[:12] + (" modified" if attempt.git_modified else "") if attempt.git_commit else ""


def _version(table: Mapping[str, str], name: str) -> str:
    return table.get(name, "not installed") if table else ""


def _hash(table: dict[str, str], name: str) -> str:
    return table[name][:12] if name in table else "not read" if table else ""


def _lock(side: Side) -> dict[str, Any]:
    """The run's lock; empty for a recipe, for runs of versions that wrote none, and where it cannot be read."""
    if side.run is None:
        return {}
    try:
        lock = json.loads((side.run.folder / LOCKFILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return lock if isinstance(lock, dict) else {}


HARDWARE: list[tuple[str, str, Callable[[Any], str]]] = [  # name, what a difference can change, what of a machine
    ("platform", "results", lambda machine: machine.platform),
    ("instruction sets", "results", lambda machine: " ".join(machine.cpu_flags)),
    ("processor", "speed", lambda machine: machine.processor),
    ("cores", "speed", lambda machine: str(machine.cores or "")),
    ("memory", "speed", lambda machine: f"{machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""),
    ("threads inside, between operations", "results", _threads),
]
