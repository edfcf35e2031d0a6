"""CTC and attention over one encoder, mixed in training and in decoding."""

import base64

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import START
from seqcfg.decoding.settings import Decoding
from seqcfg.evaluation.sound_pictures import SoundPictures
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.create import initial_values, view
from seqcfg.losses.targets import targets
from seqcfg.models.ctc_attention import CTCAttention, aligned_scores
from seqcfg.models.speller import Speller
from seqcfg.plan.declaration import Declaration
from seqcfg.tasks.recognition import Recognition
from tests.models.test_attention_recognizer import FRAMES, IDS, LENGTHS, MODEL, RATE, VOCABULARY, Letters


def made(**fields):
    model = CTCAttention(attention=MODEL, **fields)
    declaration = Declaration(model)
    declaration.output = model.declare(declaration, 8, VOCABULARY)
    return view(declaration, {path: 2.0 * value for path, value in initial_values(declaration, 3).items()})


def test_the_loss_is_the_weighted_sum_of_both_per_token():
    found = made(ctc_weight=0.25).losses(FRAMES, IDS, LENGTHS)
    mean = {name: float(loss.total / loss.weight) for name, loss in found.items()}
    assert mean["loss"] == pytest.approx(0.75 * mean["attention"] + 0.25 * mean["ctc"], rel=1e-5)
    assert float(found["loss"].weight) == 7
    assert float(found["loss"].metrics["nll"]) == pytest.approx(float(found["attention"].total))


def test_steps_score_as_the_whole_text_does():
    w = made(decoding_ctc_weight=0.4)
    scorer, memory = w.scorer("tokens"), w.hear(FRAMES)
    expected = scorer.logits(memory, IDS, LENGTHS)
    fixed, moving = scorer.start(memory, 4)
    tokens = tf.constant([START, START])
    for index in range(4):
        moving, scores = scorer.step(fixed, moving, tokens, tf.constant(index))
        can_be = (np.asarray(expected)[:, index] > -1e8) & (index < LENGTHS.numpy()[:, None])
        np.testing.assert_allclose(np.asarray(scores)[can_be], np.asarray(expected)[:, index][can_be], rtol=1e-4, atol=1e-4)
        tokens = IDS[:, index]


def test_scores_of_a_text_are_those_of_the_parts_together():
    w = made(decoding_ctc_weight=0.4)
    found, memory = w.losses(FRAMES, IDS, LENGTHS), w.hear(FRAMES)
    scores = tf.gather(w.scorer("tokens").logits(memory, IDS, LENGTHS), targets(IDS, LENGTHS).labels, batch_dims=2)
    total = float(tf.reduce_sum(tf.where(tf.sequence_mask(LENGTHS, 4), scores, 0.0)))
    assert total == pytest.approx(-0.6 * float(found["attention"].total) - 0.4 * float(found["ctc"].total), rel=1e-4)


def test_without_ctc_in_decoding_the_speller_is_all():
    assert type(made(decoding_ctc_weight=0.0).scorer("tokens")) is Speller


def test_frames_have_probabilities_that_sum_to_1():
    w = made()
    fixed, _ = w.scorer("frames").start(w.hear(FRAMES), 4)
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(fixed["frames"]), -1), np.ones([2, 7]), rtol=1e-4)
    np.testing.assert_array_equal(fixed["num_frames"], tf.reduce_sum(tf.cast(aligned_scores(w, w.hear(FRAMES)).mask, tf.int32), 1))


def test_an_untrained_part_cannot_decode():
    assert [field for field, _, _ in CTCAttention(attention=MODEL, ctc_weight=0.0).check()] == ["decoding_ctc_weight"]


@pytest.mark.parametrize("model", [MODEL, CTCAttention(attention=MODEL)], ids=["attention", "both"])
def test_pages_show_attention_and_words_where_frames_tell_their_times(model):
    front_end = LogMel(sample_rate_hz=RATE, num_bins=8, frames="centered")
    task = Recognition(tokenizer="letters", sample_rate_hz=RATE, front_end=front_end, model=model)
    root = Declaration(task)
    task.declare(root, {"letters": VOCABULARY})
    pictures = SoundPictures(task, root, initial_values(root, 3), {"letters": Written()}, Decoding())
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, RATE // 2).astype(np.float32)
    (found,) = pictures([sound], [[4, 5]], [0], lambda done: None).values()
    shown = tf.io.decode_png(base64.b64decode(found["attention"].partition(",")[2]))
    frames = len(task.frames(view(root, initial_values(root, 3)), tf.constant([sound]), tf.constant([len(sound)])).values[0])
    assert shown.shape[:2] == (2, -(-frames // 2))  # tokens, and the encoder's positions
    assert bool(found["words"]) == (model is not MODEL)


class Written(Letters):
    def tokens(self, ids):
        return self.decode([[one] for one in ids])
