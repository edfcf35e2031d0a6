"""Which checkpoints a run writes and keeps, and how it goes on where one cannot be written."""

import pytest
import tensorflow as tf

from seqcfg.checkpoints import commit
from seqcfg.checkpoints.commit import CheckpointWriteError
from seqcfg.checkpoints.read import find
from seqcfg.training import keeping
from seqcfg.training.following import Follower
from seqcfg.training.keeping import Keeper
from seqcfg.training.settings import Checkpointing


@pytest.fixture
def clock(monkeypatch):
    """Seconds that tests set: [now]."""
    now = [1000.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(keeping.time, "sleep", lambda seconds: now.append(seconds))
    return now


def keeper(folder, **settings):
    return Keeper(folder, Checkpointing(asynchronous=False, **settings), "bleu", True)


def save(one, step, bleu=0.0):
    one.save(step, {"state/step": tf.Variable(step)}, {"metrics": {"bleu": bleu}})
    return one.wait()


def steps(folder):
    return [info.step for info in find(folder)]


def test_the_newest_few_and_the_best_few_stay_and_multiples_of_a_number_for_ever(tmp_path):
    one = keeper(tmp_path, keep_last=2, keep_best=1, keep_every_steps=30)
    for step, bleu in ((10, 5.0), (20, 9.0), (30, 1.0), (40, 2.0), (50, 3.0)):
        save(one, step, bleu)
    assert steps(tmp_path) == [20, 30, 40, 50]


def test_a_checkpoint_is_due_by_steps_and_by_minutes(tmp_path, clock):
    one = keeper(tmp_path, every_steps=10, every_minutes=2.0)
    assert one.is_due(20) and not one.is_due(21)
    clock[0] += 120.0
    assert one.is_due(21)
    save(one, 21)
    assert not one.is_due(22)


@pytest.fixture
def full(monkeypatch):
    """A disk that is full while full[0] is true."""
    is_full, write = [True], commit.save

    def attempt(*arguments):
        if is_full[0]:
            raise CheckpointWriteError("No space left on device")
        return write(*arguments)

    monkeypatch.setattr(commit, "save", attempt)
    return is_full


def test_what_could_not_be_written_is_tried_again_ever_more_rarely_and_the_older_ones_stay(tmp_path, clock, full):
    full[0] = False
    one = keeper(tmp_path, every_steps=1000)
    save(one, 1000)
    full[0], waits = True, []
    for step in range(1001, 1005):
        assert "No space left" in save(one, step)[0].failure
        began = clock[0]
        while not one.is_due(step):
            clock[0] += 1.0
        waits.append(clock[0] - began)
    assert waits == [5.0, 10.0, 20.0, 40.0] and steps(tmp_path) == [1000] and one.newest == 1000
    full[0] = False
    save(one, 1005)
    assert steps(tmp_path) == [1000, 1005] and not one.is_due(1006)


def test_the_last_state_is_tried_several_times_and_is_missing_in_the_end_where_that_was_in_vain(tmp_path, clock, full):
    one = keeper(tmp_path)
    outcomes = one.save_last(7, {"state/step": tf.Variable(7)}, {})
    assert len(outcomes) == keeping.LAST_TRIES and one.newest is None
    assert clock[1:] == [1, 2, 4]  # seconds between the attempts


def test_a_process_that_follows_writes_nothing_whatever_it_is_asked(tmp_path):
    one = Follower(tmp_path, Checkpointing(), "bleu", True)
    save(one, 10)
    one.save_last(20, {"state/step": tf.Variable(20)}, {})
    one.go_back([])
    assert list(tmp_path.iterdir()) == []
