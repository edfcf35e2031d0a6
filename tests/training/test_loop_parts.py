"""Meter, budgets and event files, each alone."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from seqcfg.training.meter import Meter
from seqcfg.training.step import MEASURED
from seqcfg.training.stopping import Stopping
from seqcfg.training.tensorboard import TensorBoard

SEEN = {
    "total": 30.0,
    "weight": 10.0,
    "nll": 20.0,
    "positions": 40.0,
    "tokens": 30.0,
    "norm": 2.0,
    "rate": 0.5,
    "examples": 3.0,
    "left_out": 0.0,
}


def one(**changed):
    """What one update measured, as the step gives it."""
    return np.array([[(SEEN | changed)[name] for name in MEASURED]], np.float32)


def test_the_meter_divides_sums_by_tokens_and_keeps_the_last_rate():
    meter = Meter()
    meter.add(one())
    meter.add(one(total=10.0, rate=0.25))
    measured = meter.measured()
    assert (measured["loss"], measured["nll"], measured["rate"], measured["tokens"]) == (2.0, 2.0, 0.25, 20.0)
    assert measured["padding"] == pytest.approx(0.25)


def test_a_restarted_meter_forgets():
    meter = Meter()
    meter.add(one())
    meter.restart()
    meter.add(one(total=5.0))
    assert meter.measured()["loss"] == 0.5


def test_figures_do_not_depend_on_how_many_updates_the_host_saw_at_once_or_on_a_restart():
    rows = np.concatenate([one(total=total) for total in (0.1, 1e8, 0.3, -1e8)])
    together, apart, resumed = Meter(), Meter(), Meter()
    together.add(rows)
    for row in rows[:2]:
        apart.add(row[None])
    resumed.restore(json.loads(json.dumps(apart.state())))
    resumed.add(rows[2:])
    assert resumed.measured()["loss"] == together.measured()["loss"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_the_first_signal_is_noted_and_the_handlers_come_back(number, code):
    before = signal.getsignal(number)
    with Stopping() as stopping:
        assert not stopping.is_due
        os.kill(os.getpid(), number)
        assert stopping.is_due
        assert stopping.exit_code == code
    assert signal.getsignal(number) is before


def test_the_second_signal_ends_the_process_at_once():
    program = (
        "import os, signal\nfrom seqcfg.training.stopping import Stopping\n"
        "with Stopping():\n    [os.kill(os.getpid(), signal.SIGTERM) for _ in range(2)]\n    print('still here')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (75, "")


def test_a_spent_budget_is_due_without_an_error_code():
    with Stopping(max_minutes=1e-9) as stopping:
        assert stopping.is_due
        assert stopping.exit_code == 0


def test_scalars_can_be_read_back_by_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = TensorBoard(tmp_path)
    writer.record(3, "train", {"loss": 1.5})
    writer.record(4, "train", {"loss": 1.25})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["scalars"] == ["train/loss"] or events.Tags()["tensors"] == ["train/loss"]


def test_a_folder_that_cannot_be_written_silences_the_writer(tmp_path):
    (tmp_path / "file").write_text("")
    writer = TensorBoard(tmp_path / "file" / "events")
    writer.record(1, "train", {"loss": 1.0})
    writer.record(2, "train", {"loss": 1.0})
