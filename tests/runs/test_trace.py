"""The trace of a run: bits of every step, cut where a run goes on."""

import os

import numpy as np
import pytest

from seqcfg.errors import UserError
from seqcfg.runs.trace import STEPS, WEIGHTS, Trace, checksums, extract, read_steps, read_weights, restore, unknown

ROWS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, float("nan")]], "float32")


def test_bits_of_loss_and_norm_come_back(tmp_path):
    trace = Trace(tmp_path, 0)
    trace.add(ROWS[:2])
    trace.add(ROWS[2:])
    assert np.array_equal(read_steps(tmp_path), ROWS.view("uint32"))


def test_a_resumed_run_cuts_what_came_after_its_checkpoint(tmp_path):
    trace = Trace(tmp_path, 0)
    trace.add(ROWS)
    for step in (0, 1, 2, 3):
        trace.note(step, {"w": np.zeros([2], "float32")})
    Trace(tmp_path, 2).add(ROWS[:1])
    assert np.array_equal(read_steps(tmp_path)[:, 0].view("float32"), [1.0, 3.0, 1.0])
    assert list(read_weights(tmp_path)) == [0, 1, 2]


def test_steps_from_before_there_were_traces_are_unknown(tmp_path):
    Trace(tmp_path, 2).add(ROWS[:1])
    assert unknown(read_steps(tmp_path)).tolist() == [True, True, False]


def test_torn_ends_are_passed_over(tmp_path):
    trace = Trace(tmp_path, 0)
    trace.add(ROWS)
    trace.note(1, {"w": np.zeros([2], "float32")})
    for name in (STEPS, WEIGHTS):
        with open(tmp_path / name, "ab") as file:
            file.write(b'{"s')
    assert len(read_steps(tmp_path)) == 3
    assert list(read_weights(tmp_path)) == [1]
    Trace(tmp_path, 3).add(ROWS[:1])
    assert len(read_steps(tmp_path)) == 4


def test_weights_are_noted_ever_more_rarely(tmp_path):
    trace, noted = Trace(tmp_path, 0), []
    for step in range(0, 101, 5):
        if trace.is_wanted(step):
            trace.note(step, {"w": np.zeros([1], "float32")})
            noted.append(step)
    assert noted == [0, 5, 10, 20, 40, 80]


def test_one_changed_bit_changes_a_checksum():
    weights = {"one": np.ones([3], "float32"), "scalar": np.float32(1.0)}
    changed = weights | {"one": np.nextafter(weights["one"], 2.0)}
    assert checksums(weights)["one"] != checksums(changed)["one"]
    assert checksums(weights)["scalar"] == checksums(changed)["scalar"]


def test_what_a_lock_holds_of_a_trace_comes_back_and_the_rest_is_unknown(tmp_path):
    (tmp_path / "copy").mkdir()
    trace = Trace(tmp_path, 0)
    trace.add(np.tile(ROWS[:2], (60, 1)))
    for step in (0, 1, 120):
        trace.note(step, {"w": np.full([2], step, "float32")})
    restore(tmp_path / "copy", extract(tmp_path))
    rows = read_steps(tmp_path / "copy")
    assert len(rows) == 120 and np.array_equal(rows[:100], read_steps(tmp_path)[:100])
    assert unknown(rows).sum() == 20
    assert read_weights(tmp_path / "copy") == {step: read_weights(tmp_path)[step] for step in (0, 120)}


@pytest.mark.parametrize(
    "told", [{}, {"num_steps": 1, "first_steps": ["xyz"], "weights": {}}, {"num_steps": 0, "first_steps": ["0" * 16], "weights": {}}]
)
def test_damaged_evidence_is_refused(tmp_path, told):
    with pytest.raises(UserError, match="evidence in the lock is damaged"):
        restore(tmp_path, told)


def test_updates_that_a_full_disk_did_not_take_are_unknown_and_later_ones_keep_their_place(tmp_path):
    trace = Trace(tmp_path, 0)
    trace.add(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))
    os.truncate(tmp_path / STEPS, 12)  # what a short write leaves
    trace.add(np.array([[5.0, 6.0]], np.float32))
    rows = read_steps(tmp_path)
    assert unknown(rows).tolist() == [False, True, False]
    assert rows[[0, 2]].view("<f4").tolist() == [[1.0, 2.0], [5.0, 6.0]]


def test_an_update_that_could_not_be_added_at_all_is_unknown(tmp_path, monkeypatch):
    trace = Trace(tmp_path, 0)
    with monkeypatch.context() as full:
        full.setattr("builtins.open", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "no space left")))
        trace.add(np.array([[1.0, 2.0]], np.float32))
    trace.add(np.array([[3.0, 4.0]], np.float32))
    assert unknown(read_steps(tmp_path)).tolist() == [True, False]
