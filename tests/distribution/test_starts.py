"""R20: processes of one run that cannot come together say within seconds at which address it fails, before TensorFlow is loaded."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.distribution.test_meeting import free_addresses

RECIPE = str(Path(__file__).parents[1] / "training" / "smallest.yaml")
DEADLINE_SECONDS = 30  # of B15; a process that takes longer fails the test
pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with prepared data."""
    folder = tmp_path_factory.mktemp("starts")
    subprocess.run([sys.executable, "-m", "seqcfg", "prepare", RECIPE, "--cache-root", str(folder / "prepared")], check=True, env=known())
    return folder


def known(**more):
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | more


def start(place, addresses, index, seconds=3):
    config = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    command = [sys.executable, "-m", "seqcfg", "train", RECIPE, "--run", str(place / "run"), "--cache-root", str(place / "prepared")]
    command += ["--set", f"training.strategy={{type: multi_worker, meeting_seconds: {seconds}}}"]
    return subprocess.Popen(command, env=known(TF_CONFIG=json.dumps(config)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def refused(*processes):
    """What they say; each is the user's problem, told without a trace."""
    told = [process.communicate(timeout=DEADLINE_SECONDS)[1] for process in processes]
    assert [process.returncode for process in processes] == [1] * len(processes), told
    assert not any("Traceback" in text for text in told), told
    return told


def test_r20_a_port_that_is_taken_is_named_with_its_address(place):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        taken = f"127.0.0.1:{door.getsockname()[1]}"
        (told,) = refused(start(place, [taken, *free_addresses(1)], 0))
    assert f"port {taken.rpartition(':')[2]} of {taken} is taken" in told and "hint: end the process that has it" in told


def test_r20_a_process_that_is_missing_is_named_by_its_address_to_all_that_came(place):
    addresses = free_addresses(3)
    for index, told in enumerate(refused(*(start(place, addresses, index) for index in range(2)))):
        assert re.search(f"{addresses[index]} waited 3 s in vain for .*{addresses[2]}", told)


@pytest.mark.parametrize(
    ("addresses", "index", "words"),
    [
        (["127.0.0.1:123456", "127.0.0.1:40001"], 0, "cluster.worker is ['127.0.0.1:123456'"),
        (["127.0.0.1:99999", "127.0.0.1:40001"], 0, "TF_CONFIG: 127.0.0.1:99999 has no port from 1 to 65535"),
        (["127.0.0.1:40000", "127.0.0.1:40001"], 2, "task.index is 2, and there are 2 processes: 127.0.0.1:40000, 127.0.0.1:40001"),
        (["127.0.0.1:40000", "127.0.0.1:40000"], 1, "an address stands twice in cluster.worker: 127.0.0.1:40000"),
    ],
)
def test_r20_a_wrong_tf_config_is_told_with_the_address(place, addresses, index, words):
    (told,) = refused(start(place, addresses, index))
    assert words in told and "hint: " in told


def test_r20_processes_that_were_given_different_addresses_do_not_wait_for_one_another(place):
    first, second, third = free_addresses(3)
    one, other = refused(start(place, [first, second], 0, 20), start(place, [first, second, third], 1, 20))
    assert f"the process at {second} was given other addresses" in one and f"the process at {first} was given other addresses" in other
