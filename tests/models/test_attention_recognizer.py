"""Listen, attend and spell: the encoder-decoder on frames, alone and fed with tokens of its own."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.scoring import Scorer
from seqcfg.decoding.settings import Decoding
from seqcfg.layers.attention.additive import AdditiveAttention
from seqcfg.layers.attention.monotonic import MonotonicAttention
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.dense import Dense
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.recurrent.attention_decoder import AttentionDecoder
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.models.encoder_decoder import EncoderDecoder
from seqcfg.models.scheduled_sampling import ScheduledSampling
from seqcfg.plan.declaration import Declaration
from seqcfg.schedules.constant import Constant
from seqcfg.tasks.recognition import Recognition

RATE, VOCABULARY = 4000, 7
ENCODER = Sequential(layers=[Conv1D(units=6, kernel_size=3, stride=2, activation="relu"), LSTM(units=5)])
MODEL = EncoderDecoder(
    target_embedding=Embedding(dim=4),
    encoder=ENCODER,
    decoder=AttentionDecoder(cell=LSTM(units=6), attention=AdditiveAttention(hidden=4), num_layers=2),
    output=Dense(units=VOCABULARY),
)
IDS, LENGTHS = tf.constant([[4, 5, 6, END], [6, 4, END, 0]]), tf.constant([4, 3])
FRAMES = Sequence(tf.random.stateless_normal([2, 14, 8], [1, 2]), tf.sequence_mask([14, 9], 14))


def made(model, scale=3.0, **context):
    declaration = Declaration(model)
    declaration.output = model.declare(declaration, 8, VOCABULARY)
    return view(declaration, {path: scale * value for path, value in initial_values(declaration, 3).items()}, **context)


def with_(model, **changes):
    return dataclasses.replace(model, **changes)


def test_the_loss_is_that_of_the_tokens_one_by_one():
    w = made(MODEL)
    loss = w.losses(FRAMES, IDS, LENGTHS)["loss"]
    fixed, moving = w.start(w.hear(FRAMES), 4)
    tokens, total = tf.constant([START, START]), 0.0
    for index in range(4):
        moving, logits = w.step(fixed, moving, tokens, tf.constant(index))
        tokens = IDS[:, index]
        found = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens, logits)
        total += float(tf.reduce_sum(tf.where(index < LENGTHS, found, 0.0)))
    assert float(loss.total) == pytest.approx(total, rel=1e-5)
    assert float(loss.weight) == 7


@pytest.mark.parametrize("attention", [AdditiveAttention(hidden=4), MonotonicAttention(hidden=4, first_offset=0.0)])
def test_texts_that_a_beam_finds_have_the_scores_it_says(attention):
    task = Recognition(
        tokenizer="letters",
        sample_rate_hz=RATE,
        front_end=LogMel(sample_rate_hz=RATE, num_bins=8, frames="centered"),
        model=with_(MODEL, decoder=AttentionDecoder(cell=LSTM(units=6), attention=attention)),
    )
    root = Declaration(task)
    task.declare(root, {"letters": VOCABULARY})
    tree = {path: 3.0 * value for path, value in initial_values(root, 3).items()}
    rng = np.random.default_rng(1)
    sounds = [rng.uniform(-0.5, 0.5, int(RATE * seconds)).astype(np.float32) for seconds in (0.5, 0.9)]
    settings = Decoding(search=Beam(width=3, n_best=2, length_penalty=0.0, min_length=1), max_length=4, xla="never")
    found = Decoder(task, root, tree, {"letters": Letters()}, settings).decode(sounds)
    scored = Scorer(task, root, tree, {"letters": Letters()}, settings).score(sounds, [line.texts[0] for line in found])
    assert [line.scores[0] for line in found] == pytest.approx([one.log_probability for one in scored], abs=1e-4)
    assert any(line.texts[0] for line in found)


class Letters:
    vocabulary = VOCABULARY

    def encode(self, texts):
        return [["abc".index(letter) + 4 for letter in text] for text in texts]

    def decode(self, ids):
        return ["".join("...?abc"[one] if one > 3 else "" for one in row) for row in ids]


def sampled(truth, choice="best", **context):
    model = with_(MODEL, scheduled_sampling=ScheduledSampling(truth=Constant(value=truth), choice=choice))
    w = made(model, step=tf.constant(7), seed=tf.constant([1, 2]), training=True, **context)
    inputs = tf.constant([[START, 4, 5, 6], [START, 6, 4, END]])
    return w, w.hidden(w.hear(FRAMES), inputs, LENGTHS).numpy(), inputs


def test_with_the_truth_alone_sampling_changes_nothing():
    w, ours, inputs = sampled(1.0)
    np.testing.assert_allclose(ours, made(MODEL).hidden(w.hear(FRAMES), inputs, tf.constant([4, 4])), rtol=1e-5, atol=1e-6)


def test_without_the_truth_the_decoder_reads_what_it_wrote():
    w, ours, _ = sampled(0.0)
    fixed, moving = w.start(w.hear(FRAMES), 4)
    tokens = tf.constant([START, START])
    for index in range(4):
        moving, hidden = w.read(fixed, moving, tokens, tf.constant(index))
        np.testing.assert_allclose(ours[:, index], hidden, rtol=1e-5, atol=1e-6)
        tokens = tf.argmax(w.logits(hidden)[:, 4:], -1, output_type=tf.int32) + 4


def test_other_tokens_are_drawn_at_each_step():
    assert np.abs(sampled(0.3, "drawn")[1] - sampled(1.0)[1]).max() > 1e-3
    model = with_(MODEL, scheduled_sampling=ScheduledSampling(truth=Constant(value=0.3)))
    again = [made(model, step=tf.constant(7), seed=tf.constant([1, s]), training=True).losses(FRAMES, IDS, LENGTHS) for s in (2, 2, 3)]
    totals = [float(one["loss"].total) for one in again]
    assert totals[0] == totals[1] != totals[2]


def test_gradients_flow_through_sampled_positions():
    model = with_(MODEL, scheduled_sampling=ScheduledSampling(truth=Constant(value=0.5)))
    declaration = Declaration(model)
    declaration.output = model.declare(declaration, 8, VOCABULARY)
    tree = initial_values(declaration, 3)

    with tf.GradientTape() as tape:
        tape.watch(tree)
        w = view(declaration, tree, training=True, seed=tf.constant([1, 2]), step=tf.constant(3))
        loss = w.losses(FRAMES, IDS, LENGTHS)["loss"].total
    for path, gradient in tape.gradient(loss, tree).items():
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), path
        assert tf.reduce_max(tf.abs(tf.convert_to_tensor(gradient))) > 0, path
