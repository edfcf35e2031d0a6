"""Job files for clusters."""

import re
import subprocess

import yaml

from seqcfg.sweeps.jobs import Resources, job_name, kubernetes, slurm

COMMAND = ["seqcfg", "sweep", "/sweep dir", "--take", "1"]


def test_a_slurm_script_is_an_array_that_shell_can_read(tmp_path):
    text = slurm("my sweep", COMMAND, 12, 4, Resources(gpus=1, partition="long"), tmp_path)
    assert "#SBATCH --array=0-11%4" in text
    assert "#SBATCH --gpus=1" in text and "#SBATCH --partition=long" in text
    assert "seqcfg sweep '/sweep dir' --take 1 &" in text
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


def test_a_slurm_task_asks_to_be_queued_again_when_it_was_stopped(tmp_path):
    text = slurm("s", ["bash", "-c", "exit 75"], 1, 1, Resources(), tmp_path)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}
    (tmp_path / "scontrol").write_text(f"#!/bin/bash\necho $* > {tmp_path}/asked\n")
    (tmp_path / "scontrol").chmod(0o755)
    assert subprocess.run(["bash"], input=text, text=True, env=environment).returncode == 75
    assert (tmp_path / "asked").read_text() == "requeue 7_0\n"


def test_a_kubernetes_job_has_one_completion_for_each_run():
    job = yaml.safe_load(kubernetes("My Sweep", COMMAND, 12, 4, Resources(image="me/seqcfg:1", volume="claim", gpus=2)))
    assert (job["kind"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Job", 12, 4)
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"] == COMMAND
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "claim"


def test_names_are_what_both_systems_take():
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", job_name("Émile's run_3." + "x" * 99))
