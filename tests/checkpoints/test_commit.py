"""Deaths and errors at every call that changes the disk; what remains must be the old state or the new one."""

import builtins
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from seqcfg.checkpoints.commit import CheckpointWriteError, choose, clean, prune, save, set_metadata
from seqcfg.checkpoints.read import find, latest_valid, load_arrays

CALLS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "remove")


class Fault:
    """Counts the calls that change the disk and raises at the n-th."""

    def __init__(self, monkeypatch, at):
        self.count, self.at, self.fired = 0, at, False
        for name in CALLS:
            monkeypatch.setattr(os, name, self.wrap(getattr(os, name)))
        monkeypatch.setattr(builtins, "open", self.wrap(builtins.open))

    def wrap(self, call):
        def guarded(*args, **named):
            self.count += 1
            if self.count == self.at:
                self.fired = True
                raise OSError(28, "No space left on device")
            return call(*args, **named)

        return guarded


@pytest.mark.parametrize("is_same_step", [False, True])
def test_r9_an_error_at_any_call_loses_nothing_and_leaves_no_debris(tmp_path, make_variables, is_same_step):
    """Saves step 2 (or step 1 again) with an error at the n-th call, for every n until none fires."""
    step = 1 if is_same_step else 2
    at, fired = 0, True
    while fired:
        at += 1
        folder = tmp_path / str(at)
        save(folder, 1, make_variables(1))
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, at)
            try:
                save(folder, step, make_variables(2))
                is_saved = True
            except CheckpointWriteError as error:
                is_saved = False
                assert "No space left on device" in str(error)
        fired = fault.fired
        found = latest_valid(folder, pytest.fail)
        shift = load_arrays(found.path)["step"]
        assert found.step == step if is_saved else found.step in (1, step)
        assert shift in ((2,) if is_saved else (1, 2))
        save(folder, 3, make_variables(3))  # the next attempt mends what the failed one could not
        assert sorted(entry.name for entry in folder.iterdir()) == [f"step-0000000{n}" for n in sorted({1, found.step, 3})]
    assert at > 8


VICTIM = textwrap.dedent(
    """
    import os, sys
    import tensorflow as tf
    from seqcfg.checkpoints.commit import prune, save

    folder, at = sys.argv[1], int(sys.argv[2])
    def variables(step):
        return {"weights/a": tf.Variable(tf.fill([64], float(step))), "step": tf.Variable(step, dtype=tf.int64)}
    save(folder, 1, variables(1))
    count = 0
    def dying(call):
        def guarded(*args, **named):
            global count
            count += 1
            if count == at:
                os._exit(9)
            return call(*args, **named)
        return guarded
    for name in ("fsync", "replace", "mkdir", "unlink", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
    for step in (2, 2, 3):
        save(folder, step, variables(step))
        prune(folder, keep={step})
        print(step, flush=True)
    """
)


def run_victim(folder, at):
    done = subprocess.run([sys.executable, "-c", VICTIM, str(folder), str(at)], capture_output=True, text=True)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9, int((done.stdout.split() or ["1"])[-1])


def check_after_death(folder, acknowledged):
    found = latest_valid(folder, pytest.fail)
    assert found.step >= acknowledged
    assert load_arrays(found.path)["weights/a"].tolist() == [float(found.step)] * 64
    clean(folder)
    assert latest_valid(folder, pytest.fail).step == found.step
    assert all(entry.name.startswith("step-") and len(entry.name) == 13 for entry in folder.iterdir())


@pytest.mark.parametrize("at", [4, 16])
def test_r2_a_death_at_some_calls_loses_no_acknowledged_checkpoint(tmp_path, at):
    was_killed, acknowledged = run_victim(tmp_path, at)
    assert was_killed
    check_after_death(tmp_path, acknowledged)


@pytest.mark.slow
def test_r2_a_death_at_any_call_loses_no_acknowledged_checkpoint(tmp_path):
    at, was_killed = 0, True
    while was_killed:
        at += 1
        was_killed, acknowledged = run_victim(tmp_path / str(at), at)
        check_after_death(tmp_path / str(at), acknowledged)
    assert at > 20


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_written(tmp_path, make_variables, monkeypatch):
    save(tmp_path, 1, make_variables(1))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(CheckpointWriteError, match="No space left on device"):
        save(tmp_path, 2, make_variables(2))
    assert [one.step for one in find(tmp_path)] == [1]


def test_an_error_inside_tensorflow_is_a_write_error_too(tmp_path, make_variables, monkeypatch):
    import tensorflow as tf

    def fail(self, prefix):
        name = "{{function_node __wrapped__SaveV2_device_/job:localhost/device:CPU:0}} "
        raise tf.errors.ResourceExhaustedError(None, None, name + "disk full; No space left on device [Op:SaveV2]")

    save(tmp_path, 1, make_variables(1))
    monkeypatch.setattr(tf.train.Checkpoint, "write", fail)
    with pytest.raises(CheckpointWriteError, match="step 2 [^{]*: disk full; No space left on device\\n"):
        save(tmp_path, 2, make_variables(2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["step-00000001"]


def test_power_loss_before_the_rename_is_on_the_disk_leaves_the_older_one(tmp_path, make_variables):
    """Everything that is synced stays; a folder renamed without a synced parent may come back under its old name."""
    save(tmp_path, 1, make_variables(1))
    os.rename(save(tmp_path, 2, make_variables(2)), tmp_path / "step-00000002.partial")
    assert latest_valid(tmp_path, pytest.fail).step == 1
    save(tmp_path, 2, make_variables(2))
    assert [one.step for one in find(tmp_path)] == [1, 2] and len(list(tmp_path.iterdir())) == 2


def test_r3_power_loss_at_any_call_leaves_a_whole_checkpoint(tmp_path, make_variables, monkeypatch):
    """R3: after each call that changes the disk, what was not synced by then is lost: such files are found full of zeros."""
    folder, images = tmp_path / "run", []
    save(folder, 1, make_variables(1))
    durable = {file.stat().st_ino for file in folder.rglob("*")}

    def image():
        copy = tmp_path / f"image-{len(images)}"
        shutil.copytree(folder, copy)
        for file in folder.rglob("*"):
            if file.is_file() and file.stat().st_ino not in durable:
                (copy / file.relative_to(folder)).write_bytes(bytes(file.stat().st_size))
        images.append(copy)

    real_sync, real_replace = os.fsync, os.replace

    def fsync(handle):
        image()
        real_sync(handle)
        durable.add(os.fstat(handle).st_ino)

    def replace(one, other):
        real_replace(one, other)
        image()

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    save(folder, 2, make_variables(2))
    image()
    monkeypatch.undo()
    steps = []
    for copy in images:
        found = latest_valid(copy, pytest.fail)
        assert load_arrays(found.path)["step"] == found.step
        steps.append(found.step)
    assert steps == sorted(steps) and steps[0] == 1 and steps[-1] == 2 and len(steps) > 6


def test_metadata_can_be_added_later(tmp_path, make_variables):
    path = save(tmp_path, 5, make_variables(), {"metrics": {"loss": 2.0}, "note": "a"})
    set_metadata(path, metrics={"loss": 1.0, "bleu": 30.5})
    found = find(tmp_path)[0]
    assert found.metadata == {"metrics": {"loss": 1.0, "bleu": 30.5}, "note": "a"} and found.damage() == ""


def test_pruning_keeps_what_it_is_told_and_the_newest_that_is_whole(tmp_path, make_variables):
    for step in (1, 2, 3, 4):
        save(tmp_path, step, make_variables(step))
    (tmp_path / "step-00000004" / "variables.index").write_bytes(b"")
    assert prune(tmp_path, keep={1}) == [2, 4]
    assert [one.step for one in find(tmp_path)] == [1, 3]
    assert prune(tmp_path, keep=set()) == [1]
    assert prune(tmp_path, keep=set()) == []
    assert [one.step for one in find(tmp_path)] == [3]


def test_pruning_deletes_nothing_when_no_checkpoint_is_whole(tmp_path, make_variables):
    for step in (1, 2):
        (save(tmp_path, step, make_variables(step)) / "variables.index").write_bytes(b"")
    assert prune(tmp_path, keep=set()) == []
    assert [one.step for one in find(tmp_path)] == [1, 2]


def test_the_last_and_the_best_are_chosen(tmp_path, make_variables):
    for step, loss, bleu in ((1, 3.0, 10.0), (2, 1.0, 30.0), (3, 1.0, 20.0), (4, float("nan"), 5.0), (5, 2.0, 7.0)):
        save(tmp_path, step, make_variables(), {"metrics": {"loss": loss, "bleu": bleu}})
    save(tmp_path, 6, make_variables())
    assert choose(tmp_path, last=2) == {5, 6}
    assert choose(tmp_path, last=0) == set()
    assert choose(tmp_path, last=1, best=1) == {2, 6}
    assert choose(tmp_path, last=1, best=3) == {2, 3, 5, 6}
    assert choose(tmp_path, last=1, best=2, metric="bleu", is_higher_better=True) == {2, 3, 6}
