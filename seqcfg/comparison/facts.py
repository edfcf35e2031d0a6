"""Facts around runs: the data they read and the machines, packages and commits that computed them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from seqcfg.comparison.sides import Side
from seqcfg.data.hashes import file_sha256
from seqcfg.data.root import DataRoot, cache_folder
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
    return facts


def todays_inputs(experiment: Experiment) -> dict[str, str]:
    """{recipe path: SHA-256} of the files that a recipe reads, as far as they are below the data root."""
    data: Any = experiment.recipe.data
    if data is None:
        return {}
    root, is_remembered = DataRoot(), cache_folder().is_dir()  # no cache is made for looking
    paths = {path for component in (*data.splits.values(), *experiment.recipe.tokenizers.values()) for path in component.paths()}
    files = {path: root.place(path) for path in sorted(paths)}
    return {path: root.sha256(path) if is_remembered else file_sha256(file) for path, file in files.items() if file.is_file()}


def environment_facts(sides: list[Side]) -> list[Fact]:
    """Of runs: versions of packages and plugins, the commit of seqcfg, hardware; the newest attempt counts. Empty for recipes alone."""
    attempts = [side.manifest.attempts[-1] if side.manifest is not None and side.manifest.attempts else None for side in sides]
    if not any(attempts):
        return []
    facts = []
    versions = [dict(attempt.versions) if attempt is not None else {} for attempt in attempts]
    for name in dict.fromkeys(name for table in versions for name in sorted(table)):
        facts.append(Fact(name, tuple(_version(table, name) for table in versions), "results"))
    plugins = [_lock(side).get("plugins", {}) for side in sides]
    for name in dict.fromkeys(name for table in plugins for name in table):
        facts.append(Fact(f"plugin {name}", tuple(_version(table, name) for table in plugins), "results"))
    facts.append(Fact("commit of seqcfg", tuple(_commit(attempt) for attempt in attempts), "results"))
    return facts + _hardware(attempts)


def _hardware(attempts: list[Any]) -> list[Fact]:
    def told(read: Any) -> tuple[str, ...]:
        return tuple(str(read(attempt.machine) or "") if attempt is not None else "" for attempt in attempts)

    return [
        Fact("platform", told(lambda machine: machine.platform), "results"),
        Fact("instruction sets", told(lambda machine: " ".join(machine.cpu_flags)), "results"),
        Fact("processor", told(lambda machine: machine.processor), "speed"),
        Fact("cores", told(lambda machine: machine.cores), "speed"),
        Fact("memory", told(lambda machine: f"{machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""), "speed"),
        Fact("threads inside, between operations", told(_threads), "results"),
    ]


def hardware_words(attempt: Any) -> str:
    """A machine in a few words, as tables of measurements name it: `2 cores, Intel Xeon`."""
    machine = attempt.machine
    cores = f"{machine.cores} CPU core{'s' if machine.cores != 1 else ''}"
    return f"{cores}, {machine.processor}" if machine.processor else cores


def _threads(machine: Any) -> str:
    return ", ".join(str(count) if count else "chosen" for count in (machine.threads_inside, machine.threads_between))


def _commit(attempt: Any) -> str:
    if attempt is None or not attempt.git_commit:
        return ""
    return attempt.git_commit[:12] + (" modified" if attempt.git_modified else "")


def _version(table: dict[str, str], name: str) -> str:
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
