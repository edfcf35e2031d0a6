"""Two traces held against each other: the step, the measurement and the weights that differ first."""

import numpy as np
import pytest

from seqcfg.runs.divergence import divergence
from seqcfg.runs.trace import Trace

ROWS = np.arange(12, dtype="float32").reshape(6, 2) + 1
WEIGHTS = {"model/a": np.ones([2], "float32"), "model/b": np.ones([3], "float32")}


def run(folder, rows=ROWS, changed=(), steps=(0, 1, 2, 4, 6)):
    """A folder with a trace; `changed` = (step, path) is from when on a weight is another."""
    folder.mkdir()
    trace = Trace(folder, 0)
    trace.add(rows)
    for step in steps:
        moved = {path: WEIGHTS[path] + 1 for since, path in changed if step >= since}
        trace.note(step, WEIGHTS | moved)
    return folder


@pytest.fixture
def before(tmp_path):
    return run(tmp_path / "before")


def test_equal_traces_are_identical(before, tmp_path):
    found = divergence(before, run(tmp_path / "now"), 6)
    assert (found.compared, found.is_identical, found.lines()) == (6, True, [])


def test_the_first_step_whose_loss_differs_is_named(before, tmp_path):
    rows = ROWS.copy()
    rows[2:, 0] = np.nextafter(rows[2:, 0], 100)
    found = divergence(before, run(tmp_path / "now", rows), 6)
    assert (found.step, found.measured, found.values[0]) == (3, "loss", 5.0)
    assert found.lines()[0].startswith("first at step 3 of 6: loss 5 then, 5.00000048 now")


def test_a_gradient_may_differ_while_the_loss_still_agrees(before, tmp_path):
    rows = ROWS.copy()
    rows[1, 1] += 1
    found = divergence(before, run(tmp_path / "now", rows), 6)
    assert (found.step, found.measured, found.values) == (2, "norm of the gradients", (4.0, 5.0))


def test_the_weights_that_differ_first_are_named_with_the_step_they_last_agreed_after(before, tmp_path):
    found = divergence(before, run(tmp_path / "now", changed=[(4, "model/b"), (6, "model/a")]), 6)
    assert (found.equal_after, found.differ_after, found.weights) == (2, 4, ("model/b",))
    assert found.lines() == ["weights: all agree after step 2; after step 4 model/b alone of 2 differ"]
    assert not found.is_identical


def test_only_steps_that_both_noted_are_compared(before, tmp_path):
    found = divergence(before, run(tmp_path / "now", changed=[(2, "model/a")], steps=(0, 1, 3, 6)), 6)
    assert (found.equal_after, found.differ_after) == (1, 6)


def test_a_shorter_repetition_is_compared_as_far_as_it_goes(before, tmp_path):
    found = divergence(before, run(tmp_path / "now", ROWS[:3], changed=[(4, "model/a")]), 3)
    assert (found.compared, found.is_identical) == (3, True)


def test_nothing_is_said_of_runs_without_a_trace(before, tmp_path):
    (tmp_path / "now").mkdir()
    assert not divergence(before, tmp_path / "now", 6).is_identical
