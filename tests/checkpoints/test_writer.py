"""Writing beside the training: what is written is the state at the call, and every failure is told once."""

import shutil
import threading
from pathlib import Path

import pytest

from seqcfg.checkpoints import commit
from seqcfg.checkpoints.read import find, folder_name, latest_valid, load_arrays
from seqcfg.checkpoints.writer import CheckpointWriter
from seqcfg.errors import UserError


def test_what_is_written_is_the_state_at_the_call_although_training_goes_on(tmp_path, make_variables, monkeypatch):
    may_write, save = threading.Event(), commit.save
    monkeypatch.setattr(commit, "save", lambda *given: (may_write.wait(20), save(*given))[1])
    variables, writer = make_variables(1), CheckpointWriter(tmp_path)
    writer.save(1, variables, {})
    for variable in variables.values():
        variable.assign_add(variable * 0 + 5)  # in place, as an optimizer does
    assert writer.finished() == []
    may_write.set()
    writer.wait()
    assert [(one.step, one.failure) for one in writer.finished()] == [(1, "")] and writer.finished() == []
    assert load_arrays(find(tmp_path)[0].path)["weights/a.b/.x"].tolist() == [1.5, 0.5]


def test_the_next_checkpoint_waits_for_the_one_before(tmp_path, make_variables):
    writer = CheckpointWriter(tmp_path)
    for step in (1, 2, 3):
        writer.save(step, make_variables(step), {})
    writer.wait()
    assert [one.step for one in writer.finished()] == [1, 2, 3]
    assert latest_valid(tmp_path, pytest.fail).step == 3


def test_a_full_disk_is_told_and_what_is_on_it_stays(tmp_path, make_variables, monkeypatch):
    writer, usage = CheckpointWriter(tmp_path), type("Usage", (), {"free": 10})
    writer.save(1, make_variables(1), {})
    writer.wait()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda folder: usage())
        writer.save(2, make_variables(2), {})
        writer.wait()
    assert [(one.step, "No space left" in one.failure) for one in writer.finished()] == [(1, False), (2, True)]
    assert [one.step for one in find(tmp_path)] == [1]


def test_nothing_is_written_by_who_has_lost_the_lock(tmp_path, make_variables):
    def refuse():
        raise UserError("taken away")

    writer = CheckpointWriter(tmp_path, allow=refuse)
    writer.save(1, make_variables(1), {})
    writer.wait()
    with pytest.raises(UserError, match="taken away"):
        writer.finished()
    assert find(tmp_path) == []


def test_a_bug_in_the_thread_reaches_the_caller(tmp_path, make_variables, monkeypatch):
    monkeypatch.setattr(commit, "save", lambda *given: 1 / 0)
    writer = CheckpointWriter(tmp_path, is_asynchronous=False)
    writer.save(1, make_variables(1), {})
    with pytest.raises(ZeroDivisionError):
        writer.finished()


def test_who_lists_checkpoints_while_the_only_one_is_replaced_finds_the_new_one(tmp_path, make_variables, monkeypatch):
    commit.save(tmp_path, 1, make_variables(1))
    is_dir = Path.is_dir

    def replaced_meanwhile(path, *arguments, **named):
        if path.name == folder_name(1) and path.exists():
            commit.save(tmp_path, 2, make_variables(2))
            shutil.rmtree(path)
        return is_dir(path, *arguments, **named)

    monkeypatch.setattr(Path, "is_dir", replaced_meanwhile)
    assert [one.step for one in find(tmp_path)] == [2]


def test_r13_who_reads_while_a_run_writes_and_deletes_never_sees_half_a_checkpoint(tmp_path, make_variables):
    """R13: a thousand reads beside a writer that keeps one checkpoint; a reader gets all of one step, whichever."""
    commit.save(tmp_path, 1, make_variables(1))
    is_over = threading.Event()

    def write():
        step = 1
        while not is_over.is_set():
            step += 1
            commit.save(tmp_path, step, make_variables(step))
            commit.prune(tmp_path, {step})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen, reads = set(), 0
        while reads < 1000 or len(seen) < 5:
            reads += 1
            seen.add(latest_valid(tmp_path, pytest.fail).step)
    finally:
        is_over.set()
        thread.join()
    assert sorted(seen)[0] >= 1
