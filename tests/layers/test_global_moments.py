"""Batch normalisation over the rows of two replicas, in a process of its own: devices are counted when TensorFlow starts."""

import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np, tensorflow as tf
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
declaration = declare(BatchNorm(statistics="global"), 2)
tree = initial_values(declaration, 1)
x, mask = tf.random.stateless_normal([4, 3, 2], [1, 2]), tf.sequence_mask([3, 1, 2, 3], 3)

def run(part):
    values = x[part]
    with tf.GradientTape() as tape:
        tape.watch(values)
        w = view(declaration, tree, training=True, seed=tf.constant([1, 2]))
        y = w(Sequence(values, mask[part])).values
        loss = tf.reduce_sum(y ** 3)
    return y, tape.gradient(loss, values), w.context.updates["moving_mean"]

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
index = lambda: tf.distribute.get_replica_context().replica_id_in_sync_group
parts = tf.function(lambda: strategy.run(lambda: run(slice(index(), None, 2))), autograph=False)()
for whole, ours in zip(run(slice(None)), parts):
    first, second = strategy.experimental_local_results(ours)
    if whole.shape.rank == 3:
        np.testing.assert_allclose(first, whole[0::2], atol=1e-5)
        np.testing.assert_allclose(second, whole[1::2], atol=1e-5)
    else:
        np.testing.assert_allclose([first, second], [whole, whole], atol=1e-6)
"""


@pytest.mark.slow
def test_two_replicas_normalise_as_one_does_with_all_rows():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
