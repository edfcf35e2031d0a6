"""Attention by distance against the formula for single pairs, and how far it looks."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.errors import UserError
from seqcfg.layers.attention.reach import Reach
from seqcfg.layers.attention.relative import RelativeAttention
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.position.sinusoidal import SinusoidalPosition
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

X = tf.random.stateless_normal([1, 6, 4], [1, 2])


def make(**fields):
    declaration = declare(RelativeAttention(num_heads=2, **fields), 4)
    noise = {path: value + 0.1 for path, value in initial_values(declaration, 7).items()}
    return view(declaration, noise)


def allowed(reach, length=6):
    mask = reach.allowed(tf.range(length), tf.range(length))
    return np.ones([length, length], bool) if mask is None else mask[0, 0].numpy()


@pytest.mark.parametrize("reach", [Reach(), Reach(right=0), Reach(left=1, right=2), Reach(left=2, right=0, chunk=3)])
def test_it_equals_the_formula_pair_by_pair(reach):
    w, x = make(reach=reach), X[0].numpy()
    q, k, v = (x @ getattr(w, name).kernel.numpy() + getattr(w, name).bias.numpy() for name in ("query", "key", "value"))
    out = np.zeros([6, 4])
    for head in range(2):
        part = slice(2 * head, 2 * head + 2)
        scores = np.full([6, 6], -np.inf)
        for i, j in zip(*np.nonzero(allowed(reach)), strict=True):
            sines = SinusoidalPosition(exponent="half").signal(tf.constant(i - j), 4).numpy()
            r = (sines @ w.distance.kernel.numpy())[part]
            by_content, by_distance = q[i, part] + w.content_bias[head].numpy(), q[i, part] + w.distance_bias[head].numpy()
            scores[i, j] = (by_content @ k[j, part] + by_distance @ r) / math.sqrt(2)
        chances = np.exp(scores - scores.max(1, keepdims=True))
        out[:, part] = chances / chances.sum(1, keepdims=True) @ v[:, part]
    np.testing.assert_allclose(w(Sequence(X)).values[0], out @ w.output.kernel.numpy() + w.output.bias.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "reach, seen",
    [
        (Reach(left=1, right=1), ["01", "012", "123", "234", "345", "45"]),
        (Reach(right=0, chunk=2), ["01", "01", "0123", "0123", "012345", "012345"]),
        (Reach(left=1, right=0, chunk=2), ["01", "01", "123", "123", "345", "345"]),
        (Reach(left=0, right=1, chunk=3), ["0123", "0123", "0123", "345", "345", "345"]),
    ],
)
def test_a_position_sees_its_chunk_and_what_lies_within_reach_of_it(reach, seen):
    assert ["".join(str(j) for j in np.flatnonzero(row)) for row in allowed(reach)] == seen


@pytest.mark.parametrize("size", [2, 4, 6])
def test_chunks_arriving_one_or_several_at_a_time_give_the_whole_sequence(size):
    w = make(reach=Reach(left=3, right=0, chunk=2))
    x = tf.random.stateless_normal([2, 12, 4], [3, 4])
    mask = tf.sequence_mask([12, 9], 12)
    whole = w(Sequence(x, mask)).values
    _, moving = w.start(Sequence(x[:, :1]), 12)
    parts = []
    for at in range(0, 12, size):
        y, moving = w.step(Sequence(x[:, at : at + size], mask[:, at : at + size], start=tf.constant(at)), {}, moving)
        parts.append(y.values)
        assert moving["keys"].shape == [2, 2, 3, 2]  # whatever the length
    np.testing.assert_allclose(tf.concat(parts, 1)[mask], whole[mask], rtol=1e-5, atol=1e-5)


def test_a_part_of_a_chunk_is_refused():
    w = make(reach=Reach(left=3, right=0, chunk=2))
    with pytest.raises(UserError, match="whole chunks of 2"):
        w.step(Sequence(X[:, :3]), {}, w.start(Sequence(X), 6)[1])


def test_packed_texts_are_kept_apart_and_count_distances_of_their_own():
    w = make(reach=Reach(right=0, chunk=2))
    packed = Sequence(X, segments=tf.constant([[1, 1, 1, 2, 2, 2]]), positions=tf.constant([[0, 1, 2, 0, 1, 2]]))
    both = w(packed).values[0]
    np.testing.assert_allclose(both[:3], w(Sequence(X[:, :3])).values[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(both[3:], w(Sequence(X[:, 3:])).values[0], rtol=1e-5, atol=1e-5)
