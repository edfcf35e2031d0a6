"""The transducer loss is the sum over all alignments, its gradient is exact, and logits of all nodes never exist at once."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.losses.transducer import Joint, TransducerLoss

WIDTH, VOCABULARY, BLANK = 3, 5, 0
FRAMES, LABELS = np.array([4, 2, 3], np.int32), np.array([2, 1, 0], np.int32)
IDS = np.array([[3, 4], [2, 0], [0, 0]], np.int32)


def random_joint(seed=0, time=4, labels=2, batch=3, width=WIDTH, vocabulary=VOCABULARY):
    rng = np.random.default_rng(seed)
    shapes = (batch, time, width), (batch, labels + 1, width), (width, vocabulary), (vocabulary,)
    return Joint(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))


def loss_of(joint, ids=IDS, frames=FRAMES, labels=LABELS, one_per_frame=False, activation="tanh", **fields):
    parts = Joint(*map(tf.convert_to_tensor, joint))
    return TransducerLoss(**fields)(parts, ids, frames, labels, blank=BLANK, activation=activation, one_per_frame=one_per_frame)


def gradients_of(joint, upstream=(1.0, 1.0, 1.0), **named):
    parts = Joint(*map(tf.constant, joint))
    with tf.GradientTape() as tape:
        tape.watch(list(parts))
        total = tf.reduce_sum(loss_of(parts, **named)[0] * upstream)
    return [gradient.numpy() for gradient in tape.gradient(total, list(parts))]


def log_probabilities(joint):
    """[batch, time, labels + 1, vocabulary] in float64."""
    frames, labels, kernel, bias = (np.asarray(part, np.float64) for part in joint)
    logits = np.tanh(frames[:, :, None] + labels[:, None]) @ kernel + bias
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def sum_over_all_paths(log_p, ids, one_per_frame):
    """-log of the summed probability of every sequence of arcs that writes ids; log_p [time, labels + 1, vocabulary]."""
    time, count, total = len(log_p), len(ids), 0.0
    length = time if one_per_frame else time + count
    for places in itertools.combinations(range(length), count):  # which arcs write
        t, u, path = 0, 0, 0.0
        for step in range(length):
            if t == time:  # a label behind the last blank is no alignment
                path = -math.inf
                break
            is_label = step in places
            path += log_p[t, u, ids[u] if is_label else BLANK]
            t, u = t + (not is_label or one_per_frame), u + is_label
        total += math.exp(path)
    return -math.log(total)


def by_recursion(log_p, ids, one_per_frame):
    """The forward recursion of the paper written with plain loops in float64."""
    time, count = len(log_p), len(ids)
    alpha = np.full([time + 1, count + 1], -np.inf)
    alpha[0, 0] = 0.0
    for t in range(time):
        for u in range(count + 1):
            if u < count:
                to = (t + 1, u + 1) if one_per_frame else (t, u + 1)
                alpha[to] = np.logaddexp(alpha[to], alpha[t, u] + log_p[t, u, ids[u]])
            alpha[t + 1, u] = np.logaddexp(alpha[t + 1, u], alpha[t, u] + log_p[t, u, BLANK])
    return -alpha[time, count]


def test_one_frame_without_labels_costs_its_blank():
    joint = Joint(np.zeros([1, 1, 1], np.float32), np.zeros([1, 1, 1], np.float32), np.zeros([1, 4], np.float32), np.zeros(4, np.float32))
    nll, possible = loss_of(joint, np.zeros([1, 0], np.int32), [1], [0])
    assert float(nll[0]) == pytest.approx(math.log(4), rel=1e-6)
    assert bool(possible[0])


@pytest.mark.parametrize("one_per_frame", [False, True])
def test_it_is_the_sum_over_all_alignments(one_per_frame):
    joint = random_joint()
    log_p = log_probabilities(joint)
    expected = [sum_over_all_paths(log_p[b, :t, : u + 1], IDS[b, :u], one_per_frame) for b, (t, u) in enumerate(zip(FRAMES, LABELS))]
    np.testing.assert_allclose(loss_of(joint, one_per_frame=one_per_frame)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("one_per_frame", [False, True])
def test_long_lattices_agree_with_plain_recursion_in_double_precision(one_per_frame):
    joint = random_joint(time=40, labels=25, batch=2, vocabulary=9)
    ids = np.random.default_rng(1).integers(1, 9, [2, 25]).astype(np.int32)
    frames, labels = np.array([40, 33], np.int32), np.array([25, 17], np.int32)
    expected = [
        by_recursion(one[:t, : u + 1], row[:u], one_per_frame) for one, row, t, u in zip(log_probabilities(joint), ids, frames, labels)
    ]
    np.testing.assert_allclose(loss_of(joint, ids, frames, labels, one_per_frame)[0], expected, rtol=2e-6)


@pytest.mark.parametrize("one_per_frame", [False, True])
@pytest.mark.parametrize("chunk_frames", [1, 3, 8])
def test_the_gradient_is_that_of_finite_differences(one_per_frame, chunk_frames):
    joint, upstream = random_joint(), np.array([1.0, 0.5, 2.0])
    found = gradients_of(joint, upstream.astype(np.float32), one_per_frame=one_per_frame, chunk_frames=chunk_frames)

    def total(parts):
        log_p = log_probabilities(parts)
        return sum(
            factor * by_recursion(log_p[b, :t, : u + 1], IDS[b, :u], one_per_frame)
            for b, (t, u, factor) in enumerate(zip(FRAMES, LABELS, upstream))
        )

    for place, gradient in enumerate(found):
        for index in np.ndindex(gradient.shape):
            sides = []
            for step in (1e-5, -1e-5):
                parts = [np.array(part, np.float64) for part in joint]
                parts[place][index] += step
                sides.append(total(parts))
            assert gradient[index] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=2e-5)


def test_arcs_of_labels_weigh_more_with_fast_emit():
    """Equation 12: the gradient is that of the loss whose label arcs pass 1 + lambda times what reaches them."""
    joint, strength = random_joint(), 0.3

    def by_paths():
        parts = Joint(*map(tf.constant, joint))
        with tf.GradientTape() as tape:
            tape.watch(list(parts))
            hidden = tf.tanh(parts.frames[:, :, None] + parts.labels[:, None])
            log_p = tf.nn.log_softmax(tf.einsum("btuw,wv->btuv", hidden, parts.kernel) + parts.bias)
            scaled = (1 + strength) * log_p - strength * tf.stop_gradient(log_p)
            total = 0.0
            for b, (time, count) in enumerate(zip(FRAMES, LABELS)):
                alpha = {(0, 0): tf.constant(0.0)}
                for t in range(time):
                    for u in range(count + 1):
                        arcs = [alpha[t, u - 1] + scaled[b, t, u - 1, IDS[b, u - 1]]] if u else []
                        arcs += [alpha[t - 1, u] + log_p[b, t - 1, u, BLANK]] if t else []
                        alpha[t, u] = tf.reduce_logsumexp(tf.stack(arcs)) if arcs else alpha[0, 0]
                total -= alpha[time - 1, count] + log_p[b, time - 1, count, BLANK]
        return tape.gradient(total, list(parts))

    for one, other in zip(gradients_of(joint, fast_emit=strength), by_paths(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    np.testing.assert_array_equal(loss_of(joint, fast_emit=strength)[0], loss_of(joint)[0])


@pytest.mark.parametrize("one_per_frame", [False, True])
def test_padding_changes_neither_the_loss_nor_the_gradient_and_gets_none(one_per_frame):
    joint, rng = random_joint(), np.random.default_rng(5)
    wide = Joint(
        np.concatenate([joint.frames, rng.normal(size=[3, 5, WIDTH]).astype(np.float32)], 1),
        np.concatenate([joint.labels, rng.normal(size=[3, 4, WIDTH]).astype(np.float32)], 1),
        *joint[2:],
    )
    ids = np.concatenate([IDS, rng.integers(1, VOCABULARY, [3, 4]).astype(np.int32)], 1)
    np.testing.assert_allclose(
        loss_of(wide, ids, one_per_frame=one_per_frame)[0], loss_of(joint, one_per_frame=one_per_frame)[0], rtol=1e-6
    )
    narrow, broad = gradients_of(joint, one_per_frame=one_per_frame), gradients_of(wide, ids=ids, one_per_frame=one_per_frame)
    for place in (0, 1):
        size = narrow[place].shape[1]
        np.testing.assert_allclose(broad[place][:, :size], narrow[place], atol=1e-6)
        assert not broad[place][:, size:].any()
    assert not broad[0][1, FRAMES[1] :].any()
    assert not broad[1][2, LABELS[2] + 1 :].any()


def test_more_labels_than_frames_have_no_alignment_of_one_per_frame():
    joint = random_joint()
    frames = np.array([1, 2, 0], np.int32)
    nll, possible = loss_of(joint, frames=frames, one_per_frame=True)
    assert possible.numpy().tolist() == [False, True, True]  # no frames and no labels: the empty alignment
    assert nll.numpy()[[0, 2]].tolist() == [0.0, 0.0]
    frame_gradient = gradients_of(joint, frames=frames, one_per_frame=True)[0]
    assert not frame_gradient[0].any()
    assert frame_gradient[1, :2].any()


def test_an_utterance_without_frames_has_no_alignment():
    nll, possible = loss_of(random_joint(), frames=np.array([0, 2, 3], np.int32))
    assert possible.numpy().tolist() == [False, True, True]
    assert float(nll[0]) == 0.0


def test_logits_of_a_thousand_stay_finite():
    joint = random_joint()
    steep = joint._replace(kernel=1000 * joint.kernel)
    assert np.isfinite(loss_of(steep)[0]).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients_of(steep))


@pytest.mark.parametrize(("xla", "one_per_frame"), [(False, True), (True, False)])
def test_graphs_give_what_eager_gives(xla, one_per_frame):
    joint = random_joint()

    def both(*parts):
        with tf.GradientTape() as tape:
            tape.watch(parts)
            nll = loss_of(Joint(*parts), one_per_frame=one_per_frame, chunk_frames=3)[0]
        return nll, tape.gradient(nll, parts)

    nll, gradients = tf.function(both, jit_compile=xla)(*map(tf.constant, joint))
    np.testing.assert_allclose(nll, loss_of(joint, one_per_frame=one_per_frame)[0], rtol=1e-6)
    for one, other in zip(gradients, gradients_of(joint, one_per_frame=one_per_frame), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_half_precision_costs_about_the_same():
    joint = random_joint()
    half = Joint(*(tf.cast(part, tf.bfloat16) for part in joint))
    np.testing.assert_allclose(loss_of(half)[0], loss_of(joint)[0], rtol=0.03)


def test_no_tensor_spans_batch_time_labels_and_vocabulary():
    """Every tensor of the graph of loss and gradient is counted, those inside loops too: the largest is one chunk's."""
    batch, time, labels, width, vocabulary, chunk = 2, 48, 15, 8, 64, 4
    joint = random_joint(0, time, labels, batch, width, vocabulary)
    ids = np.ones([batch, labels], np.int32)

    def gradients(*parts):
        with tf.GradientTape() as tape:
            tape.watch(parts)
            nll, _ = loss_of(Joint(*parts), ids, np.full(batch, time), np.full(batch, labels), chunk_frames=chunk)
        return tape.gradient(nll, parts)

    graph = tf.function(gradients).get_concrete_function(*map(tf.constant, joint)).graph
    chunk_logits = batch * chunk * (labels + 1) * vocabulary
    sizes = [output.shape.num_elements() or 0 for inner in graphs_of(graph) for op in inner.get_operations() for output in op.outputs]
    assert max(sizes) == chunk_logits
    assert chunk_logits * 12 == batch * time * (labels + 1) * vocabulary


def graphs_of(graph):
    """A graph and those of the loops in it."""
    yield graph
    for function in graph._functions.values():
        yield from graphs_of(function.graph)
