import pytest
import tensorflow as tf

VALUES = {
    "weights/encoder/layers/0/kernel": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
    "weights/a.b/.x": [0.5, -0.5],
    "slots/adam.m/kernel": [[0.0, 1.0]],
}


@pytest.fixture
def make_variables():
    """A function of a number that is added to every value, so that checkpoints differ."""

    def make(shift=0.0):
        variables = {path: tf.Variable(tf.constant(value) + shift) for path, value in VALUES.items()}
        return {**variables, "step": tf.Variable(int(shift), dtype=tf.int64), "seed": tf.Variable([1, 2], dtype=tf.int32)}

    return make


@pytest.fixture
def as_lists():
    return lambda variables: {path: variable.numpy().tolist() for path, variable in variables.items()}
