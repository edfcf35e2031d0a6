"""Job files that run a sweep on a cluster: each task takes the next run of the sweep that nobody works on."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import yaml


@dataclasses.dataclass(frozen=True)
class Resources:
    """What one task gets. `image` and `volume` (a PersistentVolumeClaim, mounted at `mount`) are Kubernetes' alone."""

    cpus: int = 2
    memory: str = "8G"
    gpus: int = 0
    minutes: int = 24 * 60
    partition: str = ""
    image: str = ""
    volume: str = ""
    mount: str = "/sweep"


def slurm(name: str, command: list[str], tasks: int, workers: int, resources: Resources, logs: Path) -> str:
    """A script for sbatch: an array of one task per run, `workers` of them at a time.

    A task is told a minute before its time is up, saves, ends with 75 and is put back into the queue.
    """
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={job_name(name)}",
        f"#SBATCH --array=0-{tasks - 1}%{workers}",
        f"#SBATCH --output={logs}/slurm-%A_%a.log",
        f"#SBATCH --cpus-per-task={resources.cpus}",
        f"#SBATCH --mem={resources.memory}",
        f"#SBATCH --time={resources.minutes}",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:TERM@60",
    ]
    lines += [f"#SBATCH --gpus={resources.gpus}"] if resources.gpus else []
    lines += [f"#SBATCH --partition={resources.partition}"] if resources.partition else []
    requeue = 'scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"'
    wait = 'trap \'kill -TERM "$task"; wait "$task"; code=$?\' TERM'
    body = f'{shlex.join(command)} & task=$!\n{wait}\nwait "$task"; code=${{code:-$?}}\n'
    return "\n".join(lines) + f'\n\n{body}if [ "$code" = 75 ]; then {requeue}; fi\nexit "$code"\n'


def kubernetes(name: str, command: list[str], tasks: int, workers: int, resources: Resources) -> str:
    """A manifest for kubectl apply: an indexed Job of one completion per run, `workers` of them at a time."""
    limits = {"cpu": str(resources.cpus), "memory": resources.memory} | ({"nvidia.com/gpu": str(resources.gpus)} if resources.gpus else {})
    container = {
        "name": "worker",
        "image": resources.image,
        "command": command,
        "resources": {"requests": limits, "limits": limits},
        "volumeMounts": [{"name": "sweep", "mountPath": resources.mount}],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 120,
        "containers": [container],
        "volumes": [{"name": "sweep", "persistentVolumeClaim": {"claimName": resources.volume}}],
    }
    spec = {
        "completions": tasks,
        "parallelism": workers,
        "completionMode": "Indexed",
        "backoffLimit": 6 * tasks,
        "activeDeadlineSeconds": 60 * resources.minutes * -(-tasks // workers),
        "template": {"metadata": {"labels": {"app": job_name(name)}}, "spec": pod},
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job_name(name)}, "spec": spec}
    return yaml.safe_dump(job, sort_keys=False, allow_unicode=True)


def job_name(name: str) -> str:
    """A name that both systems take: small letters, digits and dashes, at most 63."""
    return f"sweep-{re.sub(r'[^a-z0-9]+', '-', name.lower())}"[:63].strip("-")
