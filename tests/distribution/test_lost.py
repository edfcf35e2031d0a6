"""Which process of several is gone, from what TensorFlow says."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from seqcfg.distribution.replicated import Replicated

STILL = """Graph execution error:

Detected at node while/CollectiveReduceV2_1 defined at (most recent call last):
Collective ops is aborted by: Error reported from /job:worker/task:0: The following tasks are unhealthy (stopped sending heartbeats):
/job:worker/replica:0/task:2
The tasks have crashed."""
KILLED = """Graph execution error:

Collective ops is aborted by: recvmsg:Connection reset by peer
Additional GRPC error information from remote target /job:worker/replica:0/task:0 while calling CompleteInstance:"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (STILL, "c:3 (Error reported from /job:worker/task:0: The following tasks are unhealthy (stopped sending heartbeats):)"),
        (KILLED, "a:1 (recvmsg:Connection reset by peer)"),
        ("Collective has timed out during execution.", "which one is not known (Collective has timed out during execution.)"),
        ("of another kind\nthat nobody knows", "which one is not known (of another kind)"),
    ],
)
def test_the_process_that_is_gone_is_named_by_its_address_where_tensorflow_names_it(text, words):
    devices = Replicated(SimpleNamespace(num_replicas_in_sync=3), process=1, addresses=("a:1", "b:2", "c:3"))
    assert devices.cause(RuntimeError(text)) == words


WAITING = "import ctypes, time; from seqcfg.distribution.patience import patience\nwith patience({}): {}\nprint('done')"


@pytest.mark.parametrize(
    "wait",
    [
        "time.sleep(60)",
        pytest.param(
            "ctypes.PyDLL(None).sleep(60)",  # as TensorFlow waits for the start of the others
            marks=pytest.mark.skipif(sys.platform != "linux", reason="needs timers of the system"),
        ),
    ],
    ids=["python-waits", "python-cannot-run"],
)
def test_patience_ends_what_waits_even_where_python_cannot_run(wait):
    ended = subprocess.run([sys.executable, "-c", WAITING.format(0.05, wait)], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (75, "")
    assert "does not come: updates are not finished after 0.05 s\n    hint: start all of them again; they go on" in ended.stderr


def test_patience_leaves_alone_what_does_not_wait():
    ended = subprocess.run(
        [sys.executable, "-c", WAITING.format(0.2, "pass") + "\ntime.sleep(0.5)"], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_patience_without_timers_of_the_system_has_one_of_python():
    program = "from seqcfg.distribution import patience as there\nthere._with_timers = lambda: None\n" + WAITING.format(
        0.05, "time.sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 75 and "updates are not finished after 0.05 s" in ended.stderr
