"""R14, R16: signals in every phase of a process, with small programs instead of a whole training."""

import signal
import subprocess
import sys
import textwrap

import pytest

WAITING = textwrap.dedent(
    """
    import sys, time
    from seqcfg.training.stopping import Stopping
    with Stopping(grace_seconds=float(sys.argv[2])) as stopping:
        stopping.has_state = sys.argv[1] == "has_state"
        stopping.when_noted.append(lambda: print("noted", flush=True))
        print("ready", flush=True)
        {work}
    sys.exit(stopping.exit_code)
    """
)
NATIVE = "import ctypes; ctypes.CDLL(None).sleep(30); ctypes.CDLL(None).sleep(30)"  # Python code runs only after these
POLLING = "deadline = time.monotonic() + 30\n    while not stopping.is_due and time.monotonic() < deadline: time.sleep(0.01)"


def start(work, *arguments):
    program = WAITING.replace("{work}", work)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    out, _ = process.communicate(timeout=20)
    return process.returncode, out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)])
def test_a_loop_that_looks_leaves_in_its_own_time(number, code):
    process = start(POLLING, "has_state", 25)
    process.send_signal(number)
    assert finish(process)[0] == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_before_there_is_anything_to_save_the_first_signal_ends_the_process(number, code):
    process = start("time.sleep(30)", "nothing", 25)
    process.send_signal(number)
    assert finish(process)[0] == code


def test_r16_the_second_signal_ends_the_process_inside_native_code():
    process = start(NATIVE, "has_state", 25)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "noted\n"
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 75


def test_what_cannot_be_ended_in_good_order_is_ended_after_the_time_of_grace():
    process = start(NATIVE, "has_state", 0.2)
    process.send_signal(signal.SIGTERM)
    code, out = finish(process)
    assert (code, out) == (75, "noted\n")


def test_two_signals_of_different_kinds_count_together():
    process = start(NATIVE, "has_state", 25)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "noted\n"
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
