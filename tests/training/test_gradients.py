"""What a batch says about the weights, with a task of one layer."""

import numpy as np
import tensorflow as tf

from seqcfg.distribution.devices import Devices
from seqcfg.layers.create import initial_values
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.sequence import Sequence
from seqcfg.losses.loss_sum import LossSum
from seqcfg.plan.declaration import Declaration
from seqcfg.training.gradients import LossGradients
from seqcfg.training.noise import WeightNoise
from seqcfg.training.settings import Training


class Normalizing:
    """Its loss is the sum of squares after batch normalisation; it notes the step that layers are told."""

    def losses(self, w, batch):
        self.step = w.context.step
        y = w.norm(Sequence(batch["x"])).values
        return {"loss": LossSum(tf.reduce_sum(tf.square(y)), tf.constant(1.0), {})}


def found(**settings):
    root, task = Declaration(BatchNorm()), Normalizing()
    root.child("norm", BatchNorm(), 3)
    values = initial_values(root, 1)
    gradients = LossGradients(task, root, Training(**settings), {"main": ["norm/gain", "norm/bias"]}, Devices())
    batch = {"x": tf.random.stateless_normal([2, 5, 3], [1, 2])}
    given = gradients(values, batch, tf.constant(9, tf.int64), 0, tf.constant(1.0))
    return given[0]["main"], given[2], task


def test_noise_on_weights_spares_statistics_that_no_gradient_moves():
    calm, noisy = found(), found(weight_noise=WeightNoise(std=0.5))
    for path in ("norm/moving_mean", "norm/moving_variance"):
        np.testing.assert_array_equal(calm[1][path], noisy[1][path])
    assert not np.allclose(calm[0][0], noisy[0][0])


def test_layers_are_told_the_step():
    assert int(found()[2].step) == 9
