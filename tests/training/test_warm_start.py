"""Weights taken over from another run: by rules of paths, and by token."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.checkpoints.read import load_arrays
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.data.tokenizers.token_list import write_tokens
from seqcfg.data.tokenizers.vocabulary import WordCodec
from seqcfg.errors import UserError
from seqcfg.layers.create import initial_values
from seqcfg.recipe.experiment import load
from seqcfg.training import warm_start
from seqcfg.training.run import warm_up
from seqcfg.training.state import create_state
from seqcfg.training.warm_start import WarmStart, pieces

spec = importlib.util.spec_from_file_location("small_run", Path(__file__).parents[1] / "evaluation" / "small_run.py")
small_run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(small_run)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run.make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def fresh(run):
    """Variables as drawn with another seed."""
    declaration = load(run / "resolved.yaml").declaration
    return {path: tf.Variable(value) for path, value in initial_values(declaration, 7).items()}


def stored(run, step=20):
    return {path.removeprefix("weights/"): a for path, a in load_arrays(run / f"checkpoints/step-{step:08d}", "weights/").items()}


def same(fresh, arrays):
    return {path for path, variable in fresh.items() if path in arrays and np.array_equal(variable.numpy(), arrays[path])}


def test_without_rules_every_weight_is_taken_from_the_checkpoint_asked_for(run, fresh):
    said = []
    WarmStart(run=str(run), checkpoint="last").apply(fresh, {}, said.append)
    assert same(fresh, stored(run)) == set(fresh)
    assert said == [f"started from step-00000020 of {run}: {len(fresh)} of {len(fresh)} weights"]


def test_a_moving_average_begins_at_the_weights_taken_over_not_at_drawn_ones(run):
    settings = ["training.ema_decay=0.9", f"training.warm_start={{run: '{run}', checkpoint: last}}"]
    experiment = load(run / "resolved.yaml", settings)
    training, prepared = experiment.recipe.training, SimpleNamespace(statistics={}, codecs={})
    state = create_state(experiment.declaration, training)
    warm_up(training, state, prepared, lambda _: None)
    assert same(state.average, stored(run)) == same(state.weights, stored(run)) == set(state.weights)


def test_the_first_pattern_that_fits_decides_and_null_leaves_as_drawn(run, fresh):
    before = {path: variable.numpy() for path, variable in fresh.items()}
    WarmStart(run=str(run), weights={"model/decoder/*": None, "*kernel": "*kernel"}).apply(fresh, {}, lambda _: None)
    changed = {path for path in fresh if not np.array_equal(fresh[path].numpy(), before[path])}
    assert changed and all(path.endswith("kernel") and "/decoder/" not in path for path in changed)


def test_stars_carry_parts_of_paths_over():
    rules = WarmStart(run="r", weights={"model/encoder/layers/*/layer/*": "encoder/block_*/*", "*": None})
    assert rules.source_of("model/encoder/layers/3/layer/query/kernel") == "encoder/block_3/query/kernel"
    assert rules.source_of("model/decoder/layers/3/layer/query/kernel") is None
    assert [field for field, *_ in WarmStart(run="r", weights={"a/*": "*/*"}).check()] == ["weights"]


def test_what_does_not_fit_is_listed_and_nothing_is_changed(run, fresh):
    fresh["model/extra"] = tf.Variable([1.0])
    name = next(path for path in fresh if path.endswith("kernel"))
    fresh[name] = tf.Variable(tf.zeros([1, 2]))
    before = {path: variable.numpy() for path, variable in fresh.items()}
    with pytest.raises(UserError) as caught:
        WarmStart(run=str(run)).apply(fresh, {}, lambda _: None)
    message = str(caught.value)
    assert "model/extra: there is no model/extra" in message and f"{name} is (1, 2) here" in message
    assert all(np.array_equal(fresh[path].numpy(), before[path]) for path in fresh)


def test_rows_are_matched_by_token_and_new_tokens_keep_their_drawn_values(tmp_path, monkeypatch):
    for name, listed in (("here", ["b", "new", "a"]), ("there", ["a", "b"])):
        (tmp_path / name).mkdir()
        write_tokens(listed, tmp_path / name)
    here, there = WordCodec(tmp_path / "here"), WordCodec(tmp_path / "there")
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    arrays = {"table": table, "out": table.T.copy()}
    monkeypatch.setattr(warm_start, "_open", lambda *_: (arrays, {"words": there}, "step-1"))
    drawn = {"table": tf.Variable(tf.fill([7, 2], -1.0)), "out": tf.Variable(tf.fill([2, 7], -1.0))}
    said = []
    WarmStart(run="r", vocabularies={"*": "words"}).apply(drawn, {"words": here}, said.append)
    expected = np.array([[0, 1], [2, 3], [4, 5], [6, 7], [10, 11], [-1, -1], [8, 9]], np.float32)  # reserved, b, new, a
    np.testing.assert_array_equal(drawn["table"].numpy(), expected)
    np.testing.assert_array_equal(drawn["out"].numpy(), expected.T)
    assert "table: 6 of 7 tokens of 'words' are known there" in said


def test_a_weight_without_an_axis_of_ids_is_refused(tmp_path, monkeypatch):
    codec = Bytes().load(tmp_path)
    monkeypatch.setattr(warm_start, "_open", lambda *_: ({"bias": np.zeros([3], np.float32)}, {"words": codec}, "step-1"))
    with pytest.raises(UserError, match="bias has no axis of 260 ids"):
        WarmStart(run="r", vocabularies={"*": "words"}).apply({"bias": tf.Variable([0.0])}, {"words": codec}, lambda _: None)
    assert len(set(pieces(codec))) == 260


def test_another_run_is_named_when_it_is_not_there(fresh, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        WarmStart(run=str(tmp_path / "nothing")).apply(fresh, {}, lambda _: None)
