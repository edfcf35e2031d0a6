"""Who watches a run is told what happened, and can neither end it nor learn what is private."""

import math
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.errors import UserError
from seqcfg.layers.create import initial_values
from seqcfg.recipe.experiment import load
from seqcfg.training.journal import Watcher
from seqcfg.training.profiling import Profiler, most_expensive, parse_steps
from seqcfg.training.progress import TrainingProgress
from seqcfg.training.tensorboard import AttentionPictures, TensorBoard
from seqcfg.training.trackers.about import About
from seqcfg.training.trackers.guarded import Guarded
from seqcfg.training.trackers.mlflow import MlflowTracker
from seqcfg.training.trackers.wandb import WandbTracker
from seqcfg.training.watching import Watching

RECIPE = str(Path(__file__).parent / "tiny.yaml")
SAMPLE = {"source": "two | three", "output": "deux", "reference": "deux trois"}


@pytest.fixture
def about(tmp_path):
    experiment = load(RECIPE)
    return About(experiment.name, tmp_path, experiment.canonical())


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def test_tensorboard_shows_figures_samples_pictures_and_hyperparameters(tmp_path, about):
    board = TensorBoard(tmp_path, Watching(num_samples=1), about)
    board.record(3, "train", {"loss": 1.5, "step": 3, "note": "no number"})
    board.record(3, "event", {"saved": 3})
    board.samples(3, [SAMPLE, SAMPLE])
    board.pictures(3, {"attention/a": np.zeros([4, 5], np.float32)})
    board.weights(3, {"kernel": tf.ones([3])})
    board.close()
    found = events(tmp_path)
    assert {"train/loss", "samples", "attention/a"} <= set(found.Tags()["tensors"])
    assert "_hparams_/session_start_info" in found.summary_metadata
    assert not any("event" in tag or "note" in tag or "weights" in tag for tag in found.summary_metadata)
    text = found.Tensors("samples")[0].tensor_proto.string_val[0].decode()
    assert text.count("deux trois") == 1 and "two \\| three" in text


def test_histograms_are_kept_when_they_are_wanted(tmp_path):
    TensorBoard(tmp_path, Watching(histograms=True)).weights(1, {"model/kernel": tf.ones([3])})
    assert "weights/model/kernel" in events(tmp_path).Tags()["tensors"]


def test_hyperparameters_are_the_leaves_of_what_decides_the_result(about):
    found = about.hyperparameters()
    assert found["training.steps"] == 24 and found["task.model.encoder.layers.1.layer.num_heads"] == 2
    assert all(isinstance(value, (str, int, float, bool)) for value in found.values())


def test_attempts_of_one_run_have_one_identity(about, tmp_path):
    assert about.identity == About("tiny", tmp_path, {}).identity != About("tiny", tmp_path / "other", {}).identity


def test_attention_pictures_darken_where_a_head_looks(tmp_path):
    experiment = load(RECIPE)
    batch = {name: np.full([2, 3], 7, np.int32) for name in ("source", "target")}
    batch |= {f"{name}_length": np.array([3, 3], np.int32) for name in ("source", "target")}
    weights = {path: tf.Variable(value) for path, value in initial_values(experiment.declaration, 1).items()}
    [(name, picture)] = AttentionPictures(experiment, batch)(weights).items()
    assert name == "attention/model/decoder/layers/2/layer"
    assert picture.shape == (2 * (3 + 1), 3) and picture.min() == pytest.approx(0.0) and (picture[3] == 1.0).all()


class Failing(Watcher):
    def record(self, step, kind, values):
        raise ConnectionError("no network")


def test_a_tracker_that_fails_is_told_no_more_and_ends_nothing():
    said = []
    guarded = Guarded("wandb", Failing, said.append)
    for step in (1, 2):
        guarded.record(step, "train", {"loss": 1.0})
    guarded.close()
    assert said == ["the tracker wandb is told no more: ConnectionError: no network"]


@pytest.mark.parametrize("tracker", [WandbTracker(), MlflowTracker()])
def test_a_tracker_that_is_not_installed_says_what_to_install(tracker, about, monkeypatch):
    for name in ("wandb", "mlflow", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="is not installed") as caught:
        tracker.open(about)
    assert f"seqcfg[{tracker.type}]" in caught.value.problems[0].hint


class Recorder:
    """Stands for any object of a tracker's library and remembers what was called."""

    def __init__(self, calls, name=""):
        self._calls, self._name = calls, name

    def __getattr__(self, name):
        return Recorder(self._calls, f"{self._name}.{name}".lstrip("."))

    def __call__(self, *given, **named):
        self._calls.append((self._name, given, named))
        return Recorder(self._calls, self._name.partition("(")[0] + "()")


def test_wandb_is_told_figures_under_their_step_and_nothing_private(about, monkeypatch):
    calls = []
    monkeypatch.setitem(sys.modules, "wandb", Recorder(calls))
    watcher = WandbTracker(project="p", mode="offline").open(about)
    watcher.record(5, "train", {"loss": 2.0, "name": "x"})
    watcher.record(5, "event", {"saved": 5})
    watcher.close()
    named = {name: settings for name, _, settings in calls}
    assert named["Settings"] | {"disable_code": True, "disable_git": True, "x_disable_meta": True} == named["Settings"]
    assert named["init"]["id"] == about.identity and named["init"]["resume"] == "allow"
    assert [given for name, given, _ in calls if name.endswith("log")] == [({"step": 5, "train/loss": 2.0},)]
    assert calls[-1][0].endswith("finish")


def test_mlflow_is_told_figures_at_their_step(about, monkeypatch):
    calls = []
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", Recorder(calls))
    client = type("Client", (Recorder,), {"search_runs": lambda *_, **__: []})(calls)
    monkeypatch.setattr(Recorder, "MlflowClient", lambda *_, **__: client, raising=False)
    watcher = MlflowTracker(uri="sqlite:///x.db").open(about)
    watcher.record(5, "validation", {"bleu": 20.0})
    watcher.samples(5, [SAMPLE])
    watcher.close()
    metrics = [(given[1:], named) for name, given, named in calls if name == "log_metric"]
    assert metrics == [(("validation/bleu", 20.0), {"step": 5})]
    assert len([1 for name, *_ in calls if name == "log_param"]) == len(about.hyperparameters())


def test_a_profile_lists_the_operations_of_its_steps(tmp_path):
    profiler = Profiler(tmp_path, parse_steps("steps=2:4"))
    assert profiler.next_stop(0) == [2, 4] and profiler.next_stop(2) == [4] and profiler.look(1) == []
    assert profiler.look(2) == []
    product = tf.function(lambda x: tf.matmul(x, x))
    product(tf.ones([64, 64])).numpy()
    lines = profiler.look(4)
    assert "2 to 4" in lines[0] and any("MatMul" in line for line in lines)
    costs = most_expensive(tmp_path)
    assert [cost.seconds for cost in costs] == sorted((cost.seconds for cost in costs), reverse=True)


@pytest.mark.parametrize("text", ["100:110", "steps=5", "steps=7:7", "steps=a:b"])
def test_a_profile_of_no_steps_is_refused(text):
    with pytest.raises(UserError, match="steps=FIRST:LAST"):
        parse_steps(text)


MEASURED = {"loss": 1.5, "rate": 1e-3, "tokens_per_second": 1234.0, "padding": 0.25}


def test_without_a_terminal_progress_is_plain_lines(capsys):
    with TrainingProgress(10, 0, line_seconds=0.0) as progress:
        progress.update(5, MEASURED)
        progress.validated(5, {"loss": 2.0})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 5/10  loss 1.500  lr 1.00e-03  1,234 tok/s  pad 25%  mem ")
    assert lines[1] == "step 5  validation  loss 2"


def test_on_a_terminal_the_last_validations_stand_below_the_bar():
    import io

    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with TrainingProgress(100, 0, console=console) as progress:
        for step in range(10, 80, 10):
            progress.validated(step, {"loss": float(step), "bleu": math.sqrt(step)})
        progress.update(70, MEASURED)
        console.print(progress._picture())
    shown = console.file.getvalue()
    assert "validation at step" in shown and "bleu" in shown and "8.367" in shown
