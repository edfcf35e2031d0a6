"""Attention against loops in plain numpy, and what masks, segments, rotations and heads must not change."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.errors import UserError
from seqcfg.layers.attention import masks
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.position.rotary import Rotary
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Declaration, Misfit, declare

X = tf.random.stateless_normal([2, 5, 8], [1, 2])
MASK = tf.constant([[True] * 5, [True, True, True, False, False]])


def make(layer, seed=3):
    declaration = declare(layer, 8)
    noise = {w.path: tf.random.stateless_normal(w.shape, [seed, i], stddev=0.3) for i, w in enumerate(declaration.all_weights())}
    tree = {path: value + noise[path] for path, value in initial_values(declaration, seed).items()}
    return view(declaration, tree), {path: value.numpy() for path, value in tree.items()}


def by_loops(tree, x, source, heads, kv_heads, may_attend):
    """Attention one number at a time; may_attend(batch, query, source) says which pairs count."""
    q, k, v = (z @ tree[f"{n}/kernel"] + tree[f"{n}/bias"] for n, z in (("query", x), ("key", source), ("value", source)))
    size = q.shape[-1] // heads
    out = np.zeros_like(q)
    for b in range(x.shape[0]):
        for h in range(heads):
            mine, theirs = slice(h * size, (h + 1) * size), slice(h // (heads // kv_heads) * size, (h // (heads // kv_heads) + 1) * size)
            for i in range(x.shape[1]):
                seen = [j for j in range(source.shape[1]) if may_attend(b, i, j)]
                weights = np.exp([q[b, i, mine] @ k[b, j, theirs] / math.sqrt(size) for j in seen])
                out[b, i, mine] = sum(p * v[b, j, theirs] for p, j in zip(weights / weights.sum(), seen, strict=True))
    return out @ tree["output/kernel"] + tree["output/bias"]


@pytest.mark.parametrize("heads, kv_heads", [(1, 1), (2, 2), (4, 2), (4, 1)])
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_equals_loops(heads, kv_heads, causal):
    w, tree = make(MultiHeadAttention(num_heads=heads, num_kv_heads=kv_heads, causal=causal))
    ours = w(Sequence(X, MASK)).values.numpy()
    expected = by_loops(tree, X.numpy(), X.numpy(), heads, kv_heads, lambda b, i, j: MASK[b, j] and (j <= i or not causal))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_attention_to_a_memory_equals_loops():
    w, tree = make(MultiHeadAttention(num_heads=2, attend_to="memory"))
    memory = tf.random.stateless_normal([2, 3, 8], [5, 6])
    mask = tf.constant([[True, False, True], [True, True, True]])
    ours = w(Sequence(X, memory=Sequence(memory, mask))).values.numpy()
    np.testing.assert_allclose(ours, by_loops(tree, X.numpy(), memory.numpy(), 2, 2, lambda b, i, j: mask[b, j]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rotary", [None, Rotary()])
def test_packed_segments_are_as_if_alone(rotary):
    w, _ = make(MultiHeadAttention(num_heads=2, causal=True, rotary=rotary))
    packed = Sequence(X[:1], segments=tf.constant([[1, 1, 1, 2, 2]]), positions=tf.constant([[0, 1, 2, 0, 1]]))
    alone = tf.concat([w(Sequence(X[:1, :3])).values, w(Sequence(X[:1, 3:])).values], 1)
    np.testing.assert_allclose(w(packed).values, alone, rtol=1e-5, atol=1e-5)


def test_without_positions_the_order_of_the_source_does_not_matter():
    w, _ = make(MultiHeadAttention(num_heads=4))
    order = [3, 0, 4, 2, 1]
    np.testing.assert_allclose(w(Sequence(tf.gather(X, order, axis=1))).values, tf.gather(w(Sequence(X)).values, order, axis=1), atol=1e-5)


def test_rotations_make_scores_depend_on_distance_alone():
    for layout in ("halves", "interleaved"):
        rotary = Rotary(layout=layout)
        q, k = tf.random.stateless_normal([2, 1, 1, 1, 6], [1, 2])
        scores = [
            float(tf.reduce_sum(rotary.rotate(q, tf.constant([start + 2])) * rotary.rotate(k, tf.constant([start]))))
            for start in (0, 5, 40)
        ]
        assert scores[1:] == pytest.approx([scores[0]] * 2, abs=1e-4)
        apart = float(tf.reduce_sum(rotary.rotate(q, tf.constant([3])) * rotary.rotate(k, tf.constant([0]))))
        assert abs(apart - scores[0]) > 1e-3


def test_a_rotation_by_hand():
    # One pair, frequency 1: (1, 0) at position p becomes (cos p, sin p).
    turned = Rotary().rotate(tf.constant([[[[1.0, 0.0]] * 3]]), tf.constant([0, 1, 2])).numpy()[0, 0]
    np.testing.assert_allclose(turned, [[math.cos(p), math.sin(p)] for p in range(3)], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_row_that_may_attend_to_nothing_stays_finite(dtype):
    bias = masks.bias(tf.constant([[False, False], [True, False]]), dtype)
    probabilities = tf.nn.softmax(tf.cast(tf.constant([[1.0, 2.0], [1.0, 2.0]]), dtype) + bias).numpy().astype("float32")
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities[1], [1, 0], atol=1e-3)


def test_heads_that_do_not_divide_the_width_are_reported_with_a_remedy():
    with pytest.raises(Misfit) as error:
        declare(MultiHeadAttention(num_heads=7), 512, path="task/model/attention")
    assert error.value.message == "7 does not divide the width 512 it is given"
    assert (error.value.hint, error.value.field, error.value.path) == ("8 does", "num_heads", "task.model.attention")


def test_a_memory_may_be_of_another_width():
    layer = MultiHeadAttention(num_heads=2, attend_to="memory")
    root = Declaration(layer)
    root.memory_width = 6
    assert layer.declare(root, 8) == 8
    assert {w.path: w.shape for w in root.all_weights()}["key/kernel"] == (6, 8)


def test_a_missing_memory_is_reported_at_its_place():
    w, _ = make(MultiHeadAttention(num_heads=2, attend_to="memory"))
    for call in (lambda: w(Sequence(X)), lambda: w.start(Sequence(X), 3)):
        with pytest.raises(UserError, match="attends to a memory, and there is none"):
            call()


@pytest.mark.parametrize("fields", [{"causal": True, "attend_to": "memory"}, {"num_kv_heads": 3}, {"rotary": Rotary(), "head_dim": 3}])
def test_fields_that_do_not_go_together_are_named(fields):
    assert len(list(MultiHeadAttention(num_heads=4, **fields).check())) == 1
