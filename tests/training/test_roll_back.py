"""R22: where a run goes back to, which batches it passes over, and what a death in the middle leaves."""

import pytest
import tensorflow as tf

from seqcfg.checkpoints import commit
from seqcfg.checkpoints.commit import CheckpointWriteError
from seqcfg.checkpoints.read import find
from seqcfg.data.passing_over import PassingOver
from seqcfg.errors import UserError
from seqcfg.training.keeping import Keeper
from seqcfg.training.roll_back import RollBack, WentBack, history_of, jumps, number_in_plan
from seqcfg.training.settings import Checkpointing

POLICY = RollBack(every_steps=100, least_steps=50, margin_steps=20)


def numbers(history, parts, count):
    found = jumps(history, parts)
    return [number_in_plan(found, number) for number in range(count)]


@pytest.mark.parametrize(("update", "to"), [(1, 0), (149, 0), (150, 100), (455, 400), (449, 300)])
def test_a_run_goes_back_to_the_newest_state_that_is_far_enough_away(update, to):
    assert POLICY.target(update, []) == to


def test_it_never_goes_back_behind_the_state_it_went_back_to_last():
    first = POLICY.decide(455, "why", [], [], 1)
    assert first.to == 400
    assert POLICY.target(410, [first]) == 400


def test_the_batches_of_the_updates_taken_back_and_of_the_margin_are_passed_over():
    went_back = RollBack(every_steps=2, least_steps=1, margin_steps=3).decide(5, "why", [], [], 1)
    assert (went_back.to, went_back.first_batch, went_back.last_batch) == (4, 4, 7)
    assert numbers([went_back], 1, 7) == [0, 1, 2, 3, 8, 9, 10]


def test_batches_are_counted_in_the_plan_where_several_make_an_update():
    went_back = RollBack(every_steps=2, least_steps=1, margin_steps=1).decide(3, "why", [], [], 2)
    assert (went_back.to, went_back.first_batch, went_back.last_batch) == (2, 4, 7)
    assert numbers([went_back], 2, 6) == [0, 1, 2, 3, 8, 9]


def test_going_back_again_passes_over_the_next_batches_too():
    policy, history = RollBack(every_steps=2, least_steps=1, margin_steps=0), []
    history.append(policy.decide(3, "why", [], history, 1))
    assert numbers(history, 1, 5) == [0, 1, 3, 4, 5]
    history.append(policy.decide(4, "why", [], history, 1))  # to 2 once more, whose batches 3 and 4 of the plan are bad, too
    assert numbers(history, 1, 5) == [0, 1, 5, 6, 7]
    history.append(policy.decide(5, "why", [], history, 1))
    assert numbers(history, 1, 6) == [0, 1, 5, 6, 8, 9]


def test_a_plan_gives_what_is_left():
    class Plan:
        is_packed = True

        def batch(self, number):
            return f"batch {number}"

    passing = PassingOver(Plan(), lambda number: number + 10)
    assert passing.batch(3) == "batch 13" and passing.is_packed


def test_states_that_a_run_may_still_go_back_to_are_kept():
    assert [step for step in range(0, 501, 50) if POLICY.is_wanted(step, 449)] == [400, 500]
    assert [step for step in range(0, 501, 50) if POLICY.is_wanted(step, 440)] == [300, 400, 500]


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of steps 2, 4, 6 and 7, whose variable is the step."""
    for step in (2, 4, 6, 7):
        commit.save(tmp_path, step, {"state/step": tf.Variable(step)}, {"metrics": {"loss": 1.0}})
    return tmp_path


def keeper(folder):
    return Keeper(folder, Checkpointing(keep_last=1), "loss", False, roll_back=RollBack(every_steps=2, least_steps=2))


def steps(folder):
    return [info.step for info in find(folder)]


def went_back(to):
    return WentBack(to, 8, to, 9, "why", (1, 2))


def test_the_checkpoint_gone_back_to_is_the_newest_and_tells_of_it(folder):
    keeper(folder).go_back([went_back(4)])
    assert steps(folder) == [2, 4] and history_of(folder) == [went_back(4)]
    variable = tf.Variable(0)
    assert keeper(folder).restore({"state/step": variable}, print) == 4 and variable.numpy() == 4
    assert find(folder)[-1].metadata["metrics"] == {"loss": 1.0}


def test_a_death_before_it_is_told_leaves_a_run_that_comes_to_the_same_trouble(folder, monkeypatch):
    def die(*_, **__):
        raise CheckpointWriteError("the disk is gone")

    monkeypatch.setattr(commit, "set_metadata", die)
    with pytest.raises(CheckpointWriteError):
        keeper(folder).go_back([went_back(4)])
    assert steps(folder) == [2, 4] and history_of(folder) == []


def test_a_damaged_checkpoint_is_made_again_from_an_older_one_once(folder):
    (folder / "step-00000004" / "MANIFEST.json").write_text("{}")
    one = keeper(folder)
    one.go_back([went_back(4)])
    assert steps(folder) == [2] and history_of(folder) == []
    with pytest.raises(UserError, match="no whole checkpoint to go back to"):
        one.go_back([went_back(4)])


def test_without_any_checkpoint_before_the_run_ends_and_keeps_what_it_has(folder):
    with pytest.raises(UserError, match="went back from update 8 to the state after 0"):
        keeper(folder).go_back([went_back(0)])
    assert steps(folder) == [2, 4, 6, 7]


def test_pruning_leaves_what_a_run_may_go_back_to(folder):
    one = keeper(folder)
    one.save(8, {"state/step": tf.Variable(8)}, {})
    one.wait()
    assert steps(folder) == [2, 6, 8]  # the best, that to go back to after trouble in update 9, and the newest
