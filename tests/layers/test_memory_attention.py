"""Attention that reads a memory query by query: against Lingvo's numbers, and against each paper's equations one number at a time."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.attention.additive import AdditiveAttention
from seqcfg.layers.attention.gaussian_mixture import GaussianMixtureAttention
from seqcfg.layers.attention.location_sensitive import LocationSensitiveAttention
from seqcfg.layers.attention.monotonic import MonotonicAttention, hard_stops, soft_stops
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Declaration, Misfit, declare
from tests.layers.test_lingvo_goldens import cases, close, golden

MEMORY = Sequence(tf.random.stateless_normal([2, 5, 4], [5, 6]), tf.sequence_mask([5, 3], 5))
QUERIES = tf.random.stateless_normal([2, 3, 6], [1, 2])


def make(layer, **context):
    declaration = Declaration(layer)
    declaration.memory_width = 4
    declaration.output = layer.declare(declaration, 6)
    noise = {w.path: tf.random.stateless_normal(w.shape, [7, i], stddev=0.4) for i, w in enumerate(declaration.all_weights())}
    tree = {path: value + noise[path] for path, value in initial_values(declaration, 3).items()}
    return view(declaration, tree, **context), {path: value.numpy().astype(np.float64) for path, value in tree.items()}


def weights_of(w, x):
    """What is shown of a run over queries: [batch, query, source], and the contexts."""
    w.context.watched = {}
    contexts = w(Sequence(x, memory=MEMORY)).values.numpy()
    (shown,) = w.context.watched.values()
    return shown.numpy()[:, 0], contexts


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def energy(tree, name, query, key, extra=0.0):
    total = query @ tree[f"{name}/query_kernel"] + key @ tree[f"{name}/key_kernel"] + tree.get(f"{name}/bias", 0.0) + extra
    return np.tanh(total) @ tree[f"{name}/score"]


@pytest.mark.parametrize("case", cases("additive_attention"))
def test_additive_attention_is_lingvo_s(case):
    weights, given, expected = golden("additive_attention", case)
    layer = AdditiveAttention(hidden=8)
    declaration = Declaration(layer)
    declaration.memory_width = 6
    layer.declare(declaration, 4)
    names = {"query_var": "energy/query_kernel", "source_var": "energy/key_kernel", "hidden_var": "energy/score"}
    w = view(declaration, {names[name.split("/")[-1]]: tf.constant(value) for name, value in weights.items()}, watched={})
    source = Sequence(tf.constant(given["source_vecs"].transpose(1, 0, 2)), tf.constant(given["source_padding"].T < 0.5))
    fixed, moving = w.start(Sequence(tf.zeros([3, 1, 4]), memory=source), None)
    fixed["values"] = tf.constant(given["source_contexts"].transpose(1, 0, 2))
    n = given["query"].shape[0] // 3  # Lingvo's query j reads source j mod 3; ours are neighbours
    order = [row + 3 * hypothesis for row in range(3) for hypothesis in range(n)]
    y, _ = w.step(Sequence(tf.constant(given["query"][order])[:, None]), fixed, moving)
    close(y.values[:, 0], expected["context"][order])
    close(tf.reshape(w.context.watched[""], [3 * n, 5]), expected["probs"][order])


def test_heads_read_their_parts_of_the_source():
    w, tree = make(AdditiveAttention(hidden=3, num_heads=2, projection=8))
    shown, contexts = weights_of(w, QUERIES)
    query, key = QUERIES.numpy() @ tree["query/kernel"] + tree["query/bias"], MEMORY.values.numpy() @ tree["key/kernel"] + tree["key/bias"]
    for head in range(2):
        part, read = slice(4 * head, 4 * head + 4), slice(2 * head, 2 * head + 2)
        p = softmax(np.array([energy(tree, "energy", query[1, 2, part], key[1, j, part]) for j in range(3)]))
        close(contexts[1, 2, read], p @ MEMORY.values.numpy()[1, :3, read])


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(Misfit, match="3 heads do not divide the width 8"):
        declare(AdditiveAttention(hidden=4, num_heads=3), 8)


@pytest.mark.parametrize("location", ["previous", "cumulative", "both"])
def test_location_sensitive_attention_follows_its_equations(location):
    w, tree = make(LocationSensitiveAttention(hidden=4, num_filters=2, kernel_size=3, location=location, use_bias=True))
    shown, contexts = weights_of(w, QUERIES)
    filters, last, total = tree["filters"], np.eye(5)[0], np.eye(5)[0]
    for i in range(3):
        tracks = {"previous": [last], "cumulative": [total], "both": [last, total]}[location]
        padded = np.pad(np.stack(tracks, -1), [[1, 1], [0, 0]])
        f = np.stack([np.einsum("kt,ktf->f", padded[j : j + 3], filters) for j in range(5)])
        scores = [
            energy(tree, "energy", QUERIES.numpy()[0, i], MEMORY.values.numpy()[0, j], f[j] @ tree["location_kernel"]) for j in range(5)
        ]
        last = softmax(np.array(scores))
        total = total + last
        close(shown[0, i], last)
        close(contexts[0, i], last @ MEMORY.values.numpy()[0])


def formulas(version, share, step, width):
    """(w / Z, d, s^2) as Battenberg et al. give them."""
    if version == "v0":
        return np.exp(share), np.exp(step), np.exp(-width) / 2
    variance = np.exp(width) if version == "v1" else np.log1p(np.exp(width)) ** 2
    step = np.exp(step) if version == "v1" else np.log1p(np.exp(step))
    return softmax(share) / np.sqrt(2 * math.pi * variance), step, variance


@pytest.mark.parametrize("version", ["v0", "v1", "v2"])
def test_gaussians_move_onward(version):
    w, tree = make(GaussianMixtureAttention(num_mixtures=2, hidden=5, version=version))
    shown, _ = weights_of(w, QUERIES)
    mean = np.zeros(2)
    for i in range(3):
        hidden = np.tanh(QUERIES.numpy()[1, i] @ tree["hidden_layer/kernel"] + tree["hidden_layer/bias"])
        share, step, variance = formulas(version, *np.split(hidden @ tree["mixture/kernel"] + tree["mixture/bias"], 3))
        mean = mean + step
        expected = [float((share * np.exp(-((j - mean) ** 2) / (2 * variance))).sum()) if j < 3 else 0.0 for j in range(5)]
        close(shown[1, i], expected)


@pytest.mark.parametrize("version", ["v0", "v1", "v2"])
def test_gaussians_start_with_the_step_and_width_that_are_asked_for(version):
    layer = GaussianMixtureAttention(num_mixtures=1, hidden=3, version=version, first_step=1.5, first_width=3.0)
    _, step, variance = layer._shape(tf.zeros([1]), tf.zeros([1]), tf.zeros([1]))
    close(step, [1.5])
    close(variance, [9.0])


def stops_by_paths(p, before):
    """P(stop at j) by following every position of the last stop onward."""
    out = np.zeros_like(p)
    for start, chance in enumerate(before):
        for j in range(start, len(p)):
            out[j] += chance * p[j]
            chance *= 1 - p[j]
    return out


def test_expected_stops_are_those_of_all_paths():
    p, before = np.array([0.2, 0.9, 0.0, 0.4, 0.6]), np.array([0.5, 0.1, 0.3, 0.0, 0.0])
    close(soft_stops(tf.constant(p, tf.float32), tf.constant(before, tf.float32)), stops_by_paths(p, before))


@pytest.mark.parametrize(
    "p, before, expected",
    [
        ([0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]),
        ([1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0]),
        ([0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]),
        ([1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]),
        ([1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_a_query_stops_at_the_first_chosen_position_from_the_last_stop_on(p, before, expected):
    close(hard_stops(tf.constant(p, tf.float32), tf.constant(before, tf.float32)), expected)


@pytest.mark.parametrize("chunk_size", [1, 2, 4])
def test_soft_monotonic_attention_follows_its_equations(chunk_size):
    w, tree = make(MonotonicAttention(hidden=4, chunk_size=chunk_size, first_offset=0.3, outside_training="soft"))
    shown, contexts = weights_of(w, QUERIES)
    source, stops = MEMORY.values.numpy()[1, :3], np.eye(3)[0]
    v = tree["stop/score"]
    scaled = tree | {"stop/score": tree["stop/gain"] * v / np.sqrt((v**2).sum())}
    for i in range(3):
        query = QUERIES.numpy()[1, i]
        e = np.array([energy(scaled, "stop", query, key) + tree["stop/offset"] for key in source])
        stops = stops_by_paths(1 / (1 + np.exp(-e)), stops)
        expected = np.zeros(3)
        for end in range(3):
            chunk = list(range(max(0, end - chunk_size + 1), end + 1))
            share = softmax(np.array([energy(tree, "chunk", query, source[j]) for j in chunk])) if chunk_size > 1 else [1.0]
            for j, part in zip(chunk, share, strict=True):
                expected[j] += stops[end] * part
        close(shown[1, i], [*expected, 0, 0], 1e-4)
        close(contexts[1, i], expected @ source, 1e-4)


def test_hard_monotonic_attention_reads_the_chunk_that_ends_where_it_stops():
    w, _ = make(MonotonicAttention(hidden=4, chunk_size=3, first_offset=0.5))
    shown, _ = weights_of(w, QUERIES)
    for row in shown.reshape(-1, 5):
        read = np.flatnonzero(row)
        assert not len(read) or (abs(row.sum() - 1) < 1e-5 and read[-1] - read[0] == len(read) - 1 and len(read) <= 3)
    assert shown.sum() > 0


def test_noise_moves_stops_in_training_alone():
    layer = MonotonicAttention(hidden=4, noise=2.0, outside_training="soft")
    calm, _ = weights_of(make(layer)[0], QUERIES)
    noisy, _ = weights_of(make(layer, training=True, seed=tf.constant([1, 2]))[0], QUERIES)
    quiet, _ = weights_of(make(MonotonicAttention(hidden=4), training=True, seed=tf.constant([1, 2]))[0], QUERIES)
    close(quiet, calm)
    assert np.abs(noisy - calm).max() > 0.05
