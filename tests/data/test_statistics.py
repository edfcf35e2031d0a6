"""Statistics of the corpus that `prepare` computes for the front end, and that a run's state begins with."""

import json

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.data.prepare import prepare
from seqcfg.data.statistics import FOLDER
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.create import view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from seqcfg.recipe.experiment import load
from seqcfg.training.run import warm_up
from seqcfg.training.state import create_state

RECIPE = """
recipe_version: 1
name: tones
data:
  splits: {train: {type: keypad_tones, num_examples: 24, longest: 3}}
  batching: {max_tokens: 1000, max_length: 400}
tokenizers: {letters: {type: byte}}
task:
  type: recognition
  tokenizer: letters
  sample_rate_hz: 8000
  front_end:
    type: sequential
    layers:
      - {type: log_mel, sample_rate_hz: 8000, num_bins: 6, dither: 0.1}
      - {type: corpus_normalization}
      - {type: spec_augment}
      - {type: corpus_normalization}
  model: {type: ctc, encoder: {type: dense, units: 4}}
training: {steps: 2, ema_decay: 0.9}
"""
FIRST, SECOND = "front_end/layers/1", "front_end/layers/3"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("statistics")
    (folder / "tones.yaml").write_text(RECIPE)
    return folder


def prepared(place, *overrides):
    experiment = load(str(place / "tones.yaml"), overrides)
    return experiment, prepare(experiment, data_root=place, cache_root=place / "cache")


def frames_by_hand(columns):
    """All log-mel frames of the split, one utterance after the other, without noise."""
    layer = LogMel(sample_rate_hz=8000, num_bins=6)
    w = view(declare(layer, ()), {})
    lengths = columns.lengths("audio")
    return np.concatenate([w(Sequence(tf.constant(columns.gather("audio", [i], lengths[i])))).values[0] for i in range(len(lengths))])


def test_they_are_the_mean_and_deviation_of_all_frames_without_noise(place):
    _, data = prepared(place)
    frames = frames_by_hand(data.splits["train"])
    np.testing.assert_allclose(data.statistics[f"{FIRST}/mean"], frames.mean(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(data.statistics[f"{FIRST}/deviation"], frames.std(0, dtype=np.float64), rtol=1e-5)


def test_a_later_layer_is_measured_behind_an_earlier_one(place):
    _, data = prepared(place)
    np.testing.assert_allclose(data.statistics[f"{SECOND}/mean"], 0.0, atol=1e-4)
    np.testing.assert_allclose(data.statistics[f"{SECOND}/deviation"], 1.0, atol=1e-4)


def test_they_are_computed_once_and_anew_for_another_front_end(place):
    _, data = prepared(place)
    files = sorted((data.folder / FOLDER).iterdir())
    told = [json.loads(file.read_text()) for file in files]
    assert len(files) == 2 and {one["frames"] for one in told} == {len(frames_by_hand(data.splits["train"]))}
    before = [file.stat().st_mtime_ns for file in files]
    prepared(place, "training.steps=3")
    assert [file.stat().st_mtime_ns for file in files] == before
    _, other = prepared(place, "task.front_end.layers.0.lower_hz=300.0")
    assert other.fingerprint == data.fingerprint and len(list((data.folder / FOLDER).iterdir())) == 4
    assert (other.statistics[f"{FIRST}/mean"] != data.statistics[f"{FIRST}/mean"]).any()


def test_fewer_utterances_are_spread_over_the_corpus(place):
    _, data = prepared(place)
    _, few = prepared(place, "task.front_end.layers.1.num_utterances=4")
    ours, theirs = few.statistics[f"{FIRST}/mean"], data.statistics[f"{FIRST}/mean"]
    assert (ours != theirs).all() and np.abs(ours - theirs).max() < 1.0


def test_a_run_s_state_begins_with_them_and_so_does_its_average(place):
    experiment, data = prepared(place)
    state = create_state(experiment.declaration, experiment.recipe.training)
    warm_up(experiment.recipe.training, state, data, print)
    for weights in (state.weights, state.average):
        np.testing.assert_array_equal(weights[f"{FIRST}/deviation"], data.statistics[f"{FIRST}/deviation"])
