"""Who takes part, from what launchers put into the environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.distribution.cluster import Cluster, expand_counts, expand_hosts, find
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load

RECIPE = str(Path(__file__).parents[1] / "training/smallest.yaml")
TWO = {"cluster": {"worker": ["a:1000", "b:1000"]}, "task": {"type": "worker", "index": 1}}


def tf_config(**changes):
    return {"TF_CONFIG": json.dumps(TWO | changes)}


def test_tf_config_lists_workers_and_tells_which_one_this_is():
    assert find("auto", 1, tf_config()) == Cluster(("a:1000", "b:1000"), 1)


def test_slurm_tasks_on_one_machine_use_ports_that_follow_one_another():
    names = {"SLURM_PROCID": "2", "SLURM_STEP_NODELIST": "node[08-09]", "SLURM_STEP_TASKS_PER_NODE": "2,1"}
    assert find("auto", 5000, names) == Cluster(("node08:5000", "node08:5001", "node09:5000"), 2)


def test_pods_of_an_indexed_job_are_found_by_name():
    names = {"JOB_COMPLETION_INDEX": "0", "SEQCFG_SERVICE": "peers", "SEQCFG_WORKERS": "2", "HOSTNAME": "my-job-0"}
    assert find("auto", 5000, names) == Cluster(("my-job-0.peers:5000", "my-job-1.peers:5000"), 0)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a", ["a"]),
        ("a,b-2", ["a", "b-2"]),
        ("n[1-3,007],m[9-10]-ib", ["n1", "n2", "n3", "n007", "m9-ib", "m10-ib"]),
        ("n[098-101]", ["n098", "n099", "n100", "n101"]),
    ],
)
def test_lists_of_machines_are_spelt_out(text, hosts):
    assert expand_hosts(text) == hosts


def test_numbers_of_tasks_are_spelt_out():
    assert expand_counts("2(x3),1") == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("source", "environment", "words"),
    [
        ("auto", {}, "TF_CONFIG, SLURM_PROCID, JOB_COMPLETION_INDEX is not set"),
        ("slurm", tf_config(), "SLURM_PROCID is not set"),
        ("auto", {"TF_CONFIG": "{"}, "TF_CONFIG is not as it should be"),
        ("auto", tf_config(cluster={"worker": ["a:1"], "ps": ["b:1"]}), "only workers take part, not ps"),
        ("auto", tf_config(cluster={"worker": ["a", "b"]}), "cluster.worker is"),
        ("auto", tf_config(cluster={"worker": ["a:1", "a:1"]}), "stands twice"),
        ("auto", tf_config(cluster={"worker": ["a:99999", "b:1"]}), "TF_CONFIG: a:99999 has no port from 1 to 65535"),
        ("auto", tf_config(task={"type": "worker", "index": 2}), "task.index is 2, and there are 2 processes"),
        ("auto", {"SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "a,b", "SLURM_STEP_TASKS_PER_NODE": "1"}, "names 2 machines"),
        ("auto", {"SLURM_PROCID": "0"}, "SLURM_STEP_NODELIST is not set"),
        (
            "auto",
            {"JOB_COMPLETION_INDEX": "1", "SEQCFG_SERVICE": "s", "SEQCFG_WORKERS": "2", "HOSTNAME": "pod-x"},
            "the pods of an indexed job are called JOB-INDEX",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(source, environment, words):
    with pytest.raises(UserError, match=words):
        find(source, 1, environment)


def test_tpus_are_refused_with_the_reason():
    with pytest.raises(UserError, match="needs tensorflow-tpu"):
        load(RECIPE, ["training.strategy={type: tpu}"])


@pytest.mark.parametrize("command", ["validate", "plan", "train"])
def test_r19_a_parameter_server_is_refused_before_anything_begins_with_what_would_be_broken(command, tmp_path):
    """R19: TensorFlow carries it still, and it survives lost workers; but a step of it is no function of its number."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    words = [command, RECIPE, "--set", "training.strategy={type: parameter_server}"]
    words += ["--run", str(tmp_path / "run")] if command == "train" else []
    done = subprocess.run([sys.executable, "-m", "seqcfg", *words], env=environment, capture_output=True, text=True, timeout=60)
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "training.strategy.type: updates weights in an order that depends on timing, so no run could be resumed" in told
    assert "hint: use multi_worker for several devices" in told and not (tmp_path / "run").exists()
