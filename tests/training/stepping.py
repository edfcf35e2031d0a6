"""A training step on the smallest model there is, for tests of what a step does besides computing a gradient."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from seqcfg.recipe.experiment import load
from seqcfg.training.state import create_state
from seqcfg.training.step import MEASURED, TrainingStep

RECIPE = str(Path(__file__).parent / "smallest.yaml")
FIRST, SECOND = "model/decoder/layers/0/layer", "model/decoder/layers/1/layer"


def batch(rows, time, seed):
    """Random texts of the language model."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, time + 1, rows).astype(np.int32)
    ids = rng.integers(4, 260, (rows, time)).astype(np.int32) * (np.arange(time) < lengths[:, None])
    return {"text": ids, "text_length": lengths}


def joined(*batches):
    return {name: np.concatenate([one[name] for one in batches]) for name in batches[0]}


class Stepping:
    """A state and a step on it, over given batches."""

    def __init__(self, batches, *overrides, recipe=RECIPE, devices=None):
        self.experiment = load(recipe, overrides)
        training = self.experiment.recipe.training
        with devices.scope() if devices else tf.device(None):
            self.state = create_state(self.experiment.declaration, training)
        task, augmentation = self.experiment.recipe.task, self.experiment.recipe.data.augmentation
        self.step = TrainingStep(task, self.experiment.declaration, training, self.state, devices, augmentation)
        dataset = tf.data.Dataset.from_generator(
            lambda: iter(batches),
            output_signature={name: tf.TensorSpec([None] * value.ndim, value.dtype) for name, value in batches[0].items()},
        )
        self._iterator = iter(dataset)
        self.before = self.weights()

    def run(self, count):
        """Runs so many updates, in as many calls as skipped ones need; returns each one's measurements by name."""
        rows, end = [], int(self.state.step.numpy()) + count
        while int(self.state.step.numpy()) < end:
            rows += list(self.step.run(self._iterator, tf.constant(end - int(self.state.step.numpy())))["each"].numpy())

        return [dict(zip(MEASURED, row, strict=True)) for row in rows]

    def weights(self):
        return {path: variable.numpy() for path, variable in self.state.weights.items()}

    def moved(self):
        """The paths of weights that are not what they were at the start."""
        return {path for path, value in self.weights().items() if not np.array_equal(value, self.before[path])}


def trained(batches, count, *overrides, **more):
    stepping = Stepping(batches, *overrides, **more)
    stepping.measured = stepping.run(count)
    return stepping


def assert_near(one, other, tolerance=1e-6):
    for path, value in one.weights().items():
        np.testing.assert_allclose(value, other.weights()[path], atol=tolerance, err_msg=path)
