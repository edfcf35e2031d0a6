"""Who takes part in a run: addresses of all processes, from what a launcher puts into the environment."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping

from seqcfg.errors import UserError

Environment = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Cluster:
    """addresses: host:port of every process in order; index: which of them this one is."""

    addresses: tuple[str, ...]
    index: int

    @property
    def mine(self) -> str:
        return self.addresses[self.index]


def find(source: str, port: int, environment: Environment | None = None) -> Cluster:
    """The cluster by `source`: auto, tf_config, slurm or kubernetes; raises UserError where something is missing or wrong."""
    environment = os.environ if environment is None else environment
    marks = {"tf_config": "TF_CONFIG", "slurm": "SLURM_PROCID", "kubernetes": "JOB_COMPLETION_INDEX"}
    if source == "auto":
        source = next((name for name, mark in marks.items() if mark in environment), "")
    if not source or marks[source] not in environment:
        wanted = marks.get(source) or ", ".join(marks.values())
        raise UserError(
            f"training.strategy: no process knows of the others: {wanted} is not set",
            hint="start it with srun, as a Kubernetes indexed job, or set TF_CONFIG to "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}',
        )
    return {"tf_config": _tf_config, "slurm": _slurm, "kubernetes": _kubernetes}[source](environment, port)


def _tf_config(environment: Environment, _: int) -> Cluster:
    try:
        config = json.loads(environment["TF_CONFIG"])
        workers, task = config["cluster"]["worker"], config["task"]
        index, kinds = task["index"], [kind for kind in config["cluster"] if kind != "worker"]
        if kinds or task["type"] != "worker":
            raise UserError(
                f"TF_CONFIG: only workers take part, not {', '.join(kinds) or task['type']}", hint="list every process under worker"
            )
    except (ValueError, KeyError, TypeError) as wrong:
        raise UserError(f"TF_CONFIG is not as it should be: {type(wrong).__name__} {wrong}", hint="see training.strategy") from None
    if not isinstance(workers, list) or not all(isinstance(one, str) and re.fullmatch(r".+:\d{1,5}", one) for one in workers):
        raise UserError(f"TF_CONFIG: cluster.worker is {workers!r}", hint='give a list such as ["127.0.0.1:12355", "127.0.0.1:12356"]')
    if len(set(workers)) < len(workers):
        twice = next(address for address in workers if workers.count(address) > 1)
        raise UserError(f"TF_CONFIG: an address stands twice in cluster.worker: {twice}", hint="give each process a port of its own")
    return _checked("TF_CONFIG: task.index", tuple(workers), index)


def _slurm(environment: Environment, port: int) -> Cluster:
    """One process per SLURM task; those on one machine use the port and the following ones."""
    hosts = expand_hosts(_get(environment, "SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"))
    counts = expand_counts(_get(environment, "SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"))
    if len(counts) != len(hosts):
        raise UserError(f"SLURM names {len(hosts)} machines and numbers of tasks for {len(counts)}", hint="start the command with srun")
    addresses = [f"{host}:{port + local}" for host, count in zip(hosts, counts, strict=True) for local in range(count)]
    return _checked("SLURM_PROCID", tuple(addresses), environment["SLURM_PROCID"])


def _kubernetes(environment: Environment, port: int) -> Cluster:
    """An indexed job whose pods are found by their host names under a headless service."""
    index, service, count = environment["JOB_COMPLETION_INDEX"], _get(environment, "SEQCFG_SERVICE"), _get(environment, "SEQCFG_WORKERS")
    job, dash, number = _get(environment, "HOSTNAME").rpartition("-")
    if not count.isdecimal() or not dash or number != index:
        raise UserError(
            f"SEQCFG_WORKERS is {count!r} and HOSTNAME {environment['HOSTNAME']!r}; the pods of an indexed job are called JOB-INDEX",
            hint="set completionMode: Indexed, subdomain and SEQCFG_SERVICE to a headless service, SEQCFG_WORKERS to completions",
        )
    return _checked("JOB_COMPLETION_INDEX", tuple(f"{job}-{one}.{service}:{port}" for one in range(int(count))), index)


def expand_hosts(text: str) -> list[str]:
    """`a[01-03,7],b` as a01, a02, a03, a7, b."""
    hosts = []
    for prefix, ranges, suffix in re.findall(r"([^,\[\]]+)(?:\[([^\]]*)\])?([^,\[\]]*)", text):
        for part in ranges.split(",") if ranges else [""]:
            first, _, last = part.partition("-")
            numbers = range(int(first), int(last) + 1) if last else [first]
            hosts += [f"{prefix}{str(number).zfill(len(first))}{suffix}" for number in numbers]
    return hosts


def expand_counts(text: str) -> list[int]:
    """`2(x3),1` as 2, 2, 2, 1."""
    return [int(count) for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text) for _ in range(int(times or 1))]


def _get(environment: Environment, *names: str) -> str:
    for name in names:
        if environment.get(name):
            return environment[name]
    raise UserError(f"training.strategy: {names[0]} is not set", hint="start the command with the launcher, or set TF_CONFIG")


def _checked(what: str, addresses: tuple[str, ...], index: object) -> Cluster:
    source = re.split(r"[.:]", what)[0]
    for address in addresses:
        if not 0 < int(address.rpartition(":")[2]) < 65536:
            raise UserError(
                f"{source}: {address} has no port from 1 to 65535",
                hint="give each process a port of its own",
            )
    if isinstance(index, bool) or not str(index).isdecimal() or int(str(index)) >= len(addresses):
        raise UserError(f"{what} is {index!r}, and there are {len(addresses)} processes: {', '.join(addresses)}", hint="number them from 0")
    return Cluster(addresses, int(str(index)))
