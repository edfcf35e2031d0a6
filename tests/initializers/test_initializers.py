"""Initial values: their scale, and that they depend on the weight's path and the seed alone."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component import catalog
from seqcfg.initializers.constant import Constant, Ones
from seqcfg.initializers.fan_in import FanInNormal, FanInTruncatedNormal, FanInUniform
from seqcfg.initializers.glorot import GlorotNormal, GlorotUniform
from seqcfg.initializers.normal import Normal, TruncatedNormal
from seqcfg.initializers.sqrt_dim import SqrtDimNormal, SqrtDimUniform
from seqcfg.initializers.uniform import Uniform
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.create import initial_values
from seqcfg.layers.dense import Dense
from seqcfg.plan.declaration import declare

SHAPE, FANS, SEED = (100, 400), (100, 400), tf.constant([1, 2])
SQRT3 = math.sqrt(3.0)  # limit over standard deviation of a uniform distribution
TRUNCATED = 0.8796256610342398  # standard deviation of a standard normal cut at +-2

STDDEV = {
    Normal(stddev=0.5): 0.5,
    TruncatedNormal(stddev=0.5): 0.5 * TRUNCATED,
    Uniform(limit=0.3): 0.3 / SQRT3,
    GlorotUniform(): math.sqrt(2 / 500),
    GlorotNormal(gain=2.0): 2 * math.sqrt(2 / 500),
    FanInNormal(scale=3.0): 0.3,
    FanInTruncatedNormal(scale=3.0): 0.3 * TRUNCATED,
    FanInUniform(scale=SQRT3): 0.1,
    SqrtDimNormal(): 0.05,
    SqrtDimUniform(scale=SQRT3): 0.05,
}


@pytest.mark.parametrize("initializer", STDDEV, ids=lambda initializer: initializer.type)
def test_draws_have_mean_0_and_the_stated_deviation(initializer):
    values = initializer(SHAPE, FANS, SEED).numpy()
    assert values.shape == SHAPE and values.dtype == np.float32
    assert abs(values.mean()) < 4 * STDDEV[initializer] / math.sqrt(values.size)
    assert values.std() == pytest.approx(STDDEV[initializer], rel=0.02)


def test_truncated_draws_stay_within_two_deviations():
    assert np.abs(TruncatedNormal(stddev=0.5)(SHAPE, FANS, SEED)).max() <= 1.0


def test_constants():
    np.testing.assert_array_equal(Constant(value=-1.5)((2,), (2, 1), SEED), [-1.5, -1.5])
    np.testing.assert_array_equal(Ones()((2,), (2, 1), SEED), [1.0, 1.0])


def test_every_random_initializer_is_measured_here():
    assert {type(initializer).type for initializer in STDDEV} | {"zeros", "ones", "constant"} == {
        name for name, cls in catalog.load()["initializer"].items() if cls.__module__.startswith("seqcfg.")
    }


def test_compiled_draws_equal_eager_draws():
    for initializer in (Normal(), GlorotUniform()):
        compiled = tf.function(lambda initializer=initializer: initializer(SHAPE, FANS, SEED), jit_compile=True)()
        np.testing.assert_allclose(compiled, initializer(SHAPE, FANS, SEED), rtol=1e-4, atol=1e-6)


def test_adding_a_layer_changes_no_other_start():
    two = initial_values(declare(Sequential(layers=[Dense(units=3), Dense(units=3)]), 4), seed=5)
    three = initial_values(declare(Sequential(layers=[Dense(units=3), Dense(units=3), Dense(units=3)]), 4), seed=5)
    for path, value in two.items():
        np.testing.assert_array_equal(value, three[path])
    assert not np.array_equal(two["layers/0/kernel"][:3], two["layers/1/kernel"])


def test_another_seed_starts_elsewhere():
    declaration = declare(Dense(units=3), 4)
    first, second = (initial_values(declaration, seed)["kernel"].numpy() for seed in (1, 2))
    assert not np.isclose(first, second).any()
