"""A transducer's loss, prefixes and lattice speak of one distribution over texts."""

import functools
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, NUM_RESERVED, START
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.transducer_beam import TransducerBeam
from seqcfg.decoding.transducer_greedy import TransducerGreedy
from seqcfg.errors import UserError
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.dense import Dense
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.position.learned import LearnedPosition
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.losses.ctc import ctc_loss, frame_logits
from seqcfg.losses.transducer import TransducerLoss
from seqcfg.models.transducer import Transducer
from seqcfg.plan.declaration import Misfit, declare
from tests.decoding.tabular import outputs_of

FEATURES, VOCABULARY, TIME = 3, NUM_RESERVED + 3, 4
LENGTHS = [4, 2, 3]
WORDS = range(NUM_RESERVED, VOCABULARY)
PREDICTIONS = {"recurrent": LSTM(units=4), "stateless": Conv1D(units=4, kernel_size=2, causal=True, activation="tanh")}


def model_of(prediction="recurrent", **fields):
    prediction = PREDICTIONS[prediction] if isinstance(prediction, str) else prediction
    fields = {"encoder": LSTM(units=5), "joint_width": 6, "loss": TransducerLoss(chunk_frames=3)} | fields
    return Transducer(embedding=Embedding(dim=4), prediction=prediction, **fields)


def view_of(model, seed=1):
    root = declare(model, FEATURES, VOCABULARY)
    return view(root, {path: 3.0 * value for path, value in initial_values(root, seed).items()})


def frames_of(seed=0, time=TIME):
    values = np.random.default_rng(seed).normal(size=[len(LENGTHS), time, FEATURES]).astype(np.float32)
    return Sequence(tf.constant(values), tf.sequence_mask(LENGTHS, time))


def ids_of(texts):
    rows = [[*text, END] for text in texts]
    longest = max(map(len, rows))
    return tf.constant([row + [0] * (longest - len(row)) for row in rows]), tf.constant([len(row) for row in rows])


def judge_of(w):
    """A function (frames, text) -> log-probability of the text for each sentence, by the loss."""
    specs = [tf.TensorSpec([1, None, FEATURES]), tf.TensorSpec([1, None], tf.bool), tf.TensorSpec([1, None], tf.int32)]

    @tf.function(input_signature=specs)
    def judge(values, mask, ids):
        loss = w.losses(Sequence(values, mask), ids, tf.shape(ids)[1:])["loss"]
        return tf.where(loss.weight > 0, -loss.total, -math.inf)

    return lambda x, text: [
        float(judge(x.values[row : row + 1], x.mask[row : row + 1], tf.constant([[*text, END]]))) for row in range(len(LENGTHS))
    ]


class Heard:
    """A model's scorer with the inputs that a task would make of sound."""

    def __init__(self, w, what):
        self._w, self._scorer = w, w.scorer(what)

    def __getattr__(self, name):
        return getattr(self._scorer, name)

    def start(self, inputs, max_length):
        return self._scorer.start(self._w.hear(Sequence(inputs["frames"], inputs["mask"])), max_length)


def inputs_of(x):
    return {"frames": x.values, "mask": x.mask}


@pytest.mark.parametrize(("prediction", "tokens_per_frame"), [("recurrent", "any"), ("stateless", "one")])
def test_prefixes_multiply_to_what_the_loss_says_of_a_text(prediction, tokens_per_frame):
    w, x = view_of(model_of(prediction, tokens_per_frame=tokens_per_frame)), frames_of()
    texts, judge = [(4, 6), (5,), (4, 4)], judge_of(w)
    ids, lengths = ids_of(texts)
    following = w.scorer("tokens").logits(w.hear(x), ids, lengths).numpy()
    for row, text in enumerate(texts):
        labels = [*text, END]
        assert following[row, len(text), END] == pytest.approx(judge(x, text)[row], rel=1e-5)
        before = 0.0
        for place, token in enumerate(labels):  # what begins so goes on in some way, or ends
            assert np.logaddexp.reduce(following[row, place]) == pytest.approx(before, abs=1e-4)
            before = following[row, place, token]


@pytest.mark.parametrize("tokens_per_frame", ["any", "one"])
def test_both_beams_find_the_most_probable_text(tokens_per_frame):
    w, x = view_of(model_of(tokens_per_frame=tokens_per_frame)), frames_of()
    texts = [text for length in range(3) for text in itertools.product(WORDS, repeat=length)]
    totals = np.array(list(map(functools.partial(judge_of(w), x), texts)))  # [texts, sentences]
    for needs, search in (("tokens", Beam(width=len(texts), length_penalty=0.0)), ("lattice", TransducerBeam(width=len(texts)))):
        found = outputs_of(search(Heard(w, needs), inputs_of(x), 2))
        for row, ((score, text),) in enumerate(found):
            assert text == texts[totals[:, row].argmax()]
            assert score == pytest.approx(totals[:, row].max(), rel=1e-4)


def test_padding_changes_neither_loss_nor_outputs():
    w, x, (ids, lengths) = view_of(model_of()), frames_of(), ids_of([(4, 6), (5,), ()])
    wide = Sequence(tf.pad(x.values, [[0, 0], [0, 3], [0, 0]], constant_values=2.0), tf.pad(x.mask, [[0, 0], [0, 3]]))
    loss, wider = w.losses(x, ids, lengths)["loss"], w.losses(wide, tf.pad(ids, [[0, 0], [0, 2]]), lengths)["loss"]
    assert float(wider.total) == pytest.approx(float(loss.total), rel=1e-5)
    assert float(wider.weight) == float(loss.weight) == 2 + 1 + 1
    for search in (TransducerGreedy(), TransducerBeam(width=3)):
        narrow, padded = (outputs_of(search(Heard(w, "lattice"), inputs_of(one), 5)) for one in (x, wide))
        assert [[text for _, text in one] for one in narrow] == [[text for _, text in one] for one in padded]


def test_rows_without_length_and_texts_without_alignment_weigh_nothing():
    w, x, (ids, _) = view_of(model_of(tokens_per_frame="one")), frames_of(), ids_of([(4, 6, 5, 4, 4), (5,), (6,)])
    loss = w.losses(x, ids, tf.constant([6, 2, 0]))["loss"]
    assert float(loss.weight) == 1.0
    assert float(loss.metrics["left_out"]) == 1.0
    alone = w.losses(Sequence(x.values[1:2], x.mask[1:2]), ids[1:2], tf.constant([2]))["loss"]
    assert float(loss.total) == pytest.approx(float(alone.total), rel=1e-5)


@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_weight_is_trained_whatever_the_shape_of_the_batch(xla):
    model = model_of("stateless", encoder=Dense(units=5))
    root = declare(model, FEATURES, VOCABULARY)
    weights = initial_values(root, 1)

    def gradients(values, mask, ids, lengths):
        tree = {path: tf.identity(value) for path, value in weights.items()}
        with tf.GradientTape() as tape:
            tape.watch(tree)
            loss = view(root, tree, training=True, seed=tf.constant([1, 2])).losses(Sequence(values, mask), ids, lengths)["loss"]
        return loss.total, tape.gradient(loss.total, tree)

    specs = [tf.TensorSpec([None] * rank, dtype) for rank, dtype in ((3, tf.float32), (2, tf.bool), (2, tf.int32), (1, tf.int32))]
    specs[0] = tf.TensorSpec([None, None, FEATURES])
    traced = tf.function(gradients, input_signature=specs, jit_compile=xla)
    for time, texts in ((4, [(4, 6), (5,), ()]), (7, [(4,), (5,), (4, 5, 6)])):
        x, batch = frames_of(time=time), ids_of(texts)
        total, found = traced(x.values, x.mask, *batch)
        assert float(total) == pytest.approx(float(view(root, weights).losses(x, *batch)["loss"].total), rel=1e-5)
        assert all(np.abs(tf.convert_to_tensor(gradient)).max() > 0 for gradient in found.values())


def test_a_ctc_loss_beside_it_is_that_of_a_ctc_model_on_the_same_encoder():
    x, (ids, lengths) = frames_of(), ids_of([(4, 6), (5,), ()])
    w = view_of(model_of(ctc_weight=0.5))
    plain, both = (view_of(model_of(ctc_weight=weight)).losses(x, ids, lengths)["loss"] for weight in (0.0, 0.5))
    ctc = ctc_loss(frame_logits(w.ctc_output(w.encoder(x).values)), tf.constant(LENGTHS), ids, lengths)
    assert float(both.total) == pytest.approx(float(plain.total) + 0.5 * float(ctc.total), rel=1e-5)
    assert float(both.metrics["nll"]) == pytest.approx(float(plain.total), rel=1e-5)
    assert "ctc_output" not in declare(model_of(), FEATURES, VOCABULARY).children


def test_the_start_and_end_ids_are_never_written():
    w, x = view_of(model_of()), frames_of()
    heard = w.hear(x)
    lattice = w.scorer("lattice")
    fixed, moving = lattice.start(heard, 3)
    arcs = lattice.arcs(fixed, moving, tf.zeros([len(LENGTHS), 1], tf.int32)).numpy()
    assert (arcs[..., [START, END]] < -1e8).all()
    np.testing.assert_allclose(np.exp(arcs).sum(-1), 1.0, rtol=1e-5)


def test_attention_over_tokens_is_refused_before_anything_runs():
    with pytest.raises(Misfit, match="attention cannot follow tokens") as caught:
        declare(model_of(MultiHeadAttention(num_heads=2, causal=True)), FEATURES, VOCABULARY)
    assert caught.value.field == "prediction"


def test_a_layer_that_wants_the_position_of_tokens_is_told_that_there_is_none():
    w = view_of(model_of(Sequential(layers=[LearnedPosition(max_length=9), Dense(units=4)])))
    with pytest.raises(UserError, match="wants one position for all"):
        TransducerGreedy()(Heard(w, "lattice"), inputs_of(frames_of()), 3)
