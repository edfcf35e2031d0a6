"""R22: runs that go back to an earlier state, as processes: what they learn from, what tells of it, and what kills change."""

import random
import signal
import time

import pytest
import tensorflow as tf

from seqcfg.checkpoints.read import folder_name, load_arrays, restore
from seqcfg.data.loader import make_loader
from seqcfg.data.prepare import prepare
from seqcfg.recipe.experiment import load
from seqcfg.runs.catalogue import look_at
from seqcfg.runs.records import read
from seqcfg.training.state import create_state
from seqcfg.training.step import TrainingStep
from tests.training.crashing import ROLL_BACK, assert_same, hit, updates_made

pytestmark = pytest.mark.xdist_group("crashes")

ROLL_BACK_WORDS = [word for setting in ROLL_BACK for word in ("--set", setting)]


@pytest.fixture(scope="module")
def rolled_back(place):
    """The folder of a run that went back once."""
    assert place.run("rolled-back", "plain", *ROLL_BACK_WORDS) == 0, place.log("rolled-back").read_text()
    return place.folder / "rolled-back"


def test_r22_a_run_that_goes_back_learns_from_the_documented_batches(place, rolled_back):
    """The oracle knows nothing of going back: from the checkpoint gone back to it takes the batches that the record names."""
    (event,) = [record["rolled_back"] for record in read(rolled_back / "records.jsonl", "event") if "rolled_back" in record]
    assert (event["to"], event["trouble"], event["first_batch"], event["last_batch"]) == (10, 16, 10, 17)
    experiment = load(str(rolled_back / "resolved.yaml"))
    prepared = prepare(experiment, cache_root=place.folder / "prepared")
    loader = make_loader(prepared.splits, experiment.recipe.data, experiment.recipe.task.features(), experiment.recipe.training.seed)
    state = create_state(experiment.declaration, experiment.recipe.training)
    restore(rolled_back / "checkpoints" / folder_name(event["to"]), state.variables())
    step = TrainingStep(experiment.recipe.task, experiment.declaration, experiment.recipe.training, state)
    batches = iter(loader.dataset(event["last_batch"] + 1, 60))
    while state.step.numpy() < 40:
        step.run(batches, tf.constant(40 - state.step.numpy(), tf.int32))
    ended = load_arrays(rolled_back / "checkpoints" / folder_name(40))
    assert [name for name, variable in state.variables().items() if ended[name].tobytes() != variable.numpy().tobytes()] == []
    assert loader.plan.batch(15).example_ids[:8].tolist() == event["examples"]


def test_r22_replay_data_show_and_runs_know_that_a_run_went_back(place, rolled_back):
    data = ["--cache-root", place.folder / "prepared"]
    assert place.server.run("replay", rolled_back, "--step", 13, *data, log=place.log("replay-rolled-back")) == 0
    assert "loss and gradient norm have the run's bits" in place.log("replay-rolled-back").read_text()
    assert place.server.run("data", "show", rolled_back, "--step", 12, *data, log=place.log("shown")) == 0
    assert place.log("shown").read_text().startswith("batch 20: ")
    row = look_at(rolled_back)
    assert (row.status, row.attempts, row.rollbacks) == ("finished", 2, 1)
    assert place.server.run("runs", "show", rolled_back, log=place.log("told")) == 0
    assert "went back from update 16 to the state after 10 and passes over batches 10 to 17" in place.log("told").read_text()


def test_r22_a_run_that_stopped_goes_on_by_going_back_and_no_more_often_than_it_may(place):
    """Here the rate is to blame, which is a function of the step: going back does not help."""
    settings = ("training.schedule.value=1e30", "training.optimizer={type: sgd}", "training.non_finite.action=stop")
    words = [word for setting in settings for word in ("--set", setting)]
    roll_back = ["--set", "training.roll_back={every_steps: 2, least_steps: 1, margin_steps: 0, max_times: 2}"]
    log = place.log("hopeless")
    assert place.run("hopeless", "plain", *words, *roll_back) == 1
    text = log.read_text()
    assert "went back from update 2 to the state after 0 and passes over batches 0 to 1: the layer" in text
    assert "went back from update 2 to the state after 0 and passes over batches 2 to 3: the layer" in text
    assert "step 2 is not finite (training.non_finite.action is stop, after going back 2 times" in text and "Traceback" not in text


@pytest.mark.slow
def test_r22_a_run_that_goes_back_ends_with_the_same_bits_however_often_it_is_killed(place, rolled_back):
    dice, kills = random.Random("rollbacks"), 0
    for number in range(4):
        name = f"rolled-back-{number}"

        def strike(attempt, name=name):
            process, run = place.start(name, "plain", *ROLL_BACK_WORDS), place.folder / name
            code = hit(place, process, signal.SIGKILL, around_going_back(run, process, dice))
            return code, code != 0

        for attempt in range(4):
            kills += strike(attempt)[1]
        assert place.run(name, "plain", *ROLL_BACK_WORDS) == 0, place.log(name).read_text()
        assert_same(rolled_back, place.folder / name)
        told = [[one for one in read(run / "records.jsonl", "event") if "rolled_back" in one] for run in (rolled_back, place.folder / name)]
        assert told[0] == told[1] and len(told[0]) == 1
    assert kills >= 8


def around_going_back(run, process, dice):
    """A moment between update 12 and some 20 ms after the run has begun to go back, or while it starts anew."""
    made, pause, seen = updates_made(run), dice.uniform(0.0, 0.02), []
    target = dice.choice([made + 1, 14, 16])

    def is_there():
        if updates_made(run) >= target:
            seen.append(time.monotonic())
        return bool(seen) and seen[-1] >= seen[0] + pause

    return is_there
