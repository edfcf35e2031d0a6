import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, UNKNOWN
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.ctc_prefixes import CTCPrefixes
from seqcfg.decoding.frame_scores import FrameScores
from seqcfg.layers.sequence import Sequence
from tests.decoding.tabular import outputs_of
from tests.losses.paths import collapsed, frames_of, labellings

VOCABULARY = 6  # with two tokens of text
LENGTHS = (5, 3, 1, 4)


class Given:
    """A scorer whose frames are its input."""

    def __init__(self, scorer):
        self._scorer = scorer

    def __getattr__(self, name):
        return getattr(self._scorer, name)

    def start(self, inputs, max_length):
        return self._scorer.start(heard(inputs), max_length)


def heard(inputs):
    return Sequence(inputs["frames"], tf.sequence_mask(inputs["frames_length"], tf.shape(inputs["frames"])[1]))


@pytest.fixture(scope="module")
def scores():
    return frames_of(np.random.default_rng(5), (4, 5, VOCABULARY))


def inputs_of(scores, lengths=LENGTHS):
    return {"frames": tf.constant(scores, tf.float32), "frames_length": tf.constant(lengths)}


def without_unknown(found):
    return {labels: value for labels, value in found.items() if UNKNOWN not in labels}


def test_the_probabilities_of_a_text_s_tokens_multiply_to_that_of_all_its_alignments(scores):
    known = labellings(scores[0])
    ids = np.zeros([len(known), 6], np.int32)
    for row, labels in zip(ids, known, strict=True):
        row[: len(labels) + 1] = [*labels, END]
    lengths = (ids != 0).sum(1)
    frames = {"frames": tf.tile(tf.constant(scores[:1], tf.float32), [len(ids), 1, 1]), "frames_length": tf.fill([len(ids)], 5)}
    logits = tf.nn.log_softmax(CTCPrefixes(VOCABULARY).logits(heard(frames), tf.constant(ids), tf.constant(lengths)))
    found = np.where(ids != 0, tf.gather(logits, ids, batch_dims=2), 0.0).sum(1)
    assert found.tolist() == pytest.approx(list(known.values()), abs=1e-4)


def test_a_wide_beam_over_prefixes_finds_the_most_probable_texts(scores):
    found = outputs_of(Beam(width=32, n_best=4, length_penalty=0.0)(Given(CTCPrefixes(VOCABULARY)), inputs_of(scores), 6))
    for row, length, outputs in zip(scores, LENGTHS, found, strict=True):
        best = sorted(((value, labels) for labels, value in without_unknown(labellings(row[:length])).items()), reverse=True)[:4]
        assert [tokens for _, tokens in outputs[: len(best)]] == [labels for _, labels in best]
        assert [score for score, _ in outputs[: len(best)]] == pytest.approx([value for value, _ in best], abs=1e-4)


def test_greedy_takes_the_best_id_of_each_frame(scores):
    found = outputs_of(CTCGreedy(allow_unknown=True)(Given(FrameScores(VOCABULARY)), inputs_of(scores), 6))
    for row, length, outputs in zip(scores, LENGTHS, found, strict=True):
        path = row[:length].argmax(-1)
        assert outputs == [(pytest.approx(row[:length].max(-1).sum(), abs=1e-5), collapsed(tuple(map(int, path))))]


def test_greedy_writes_nothing_unknown_unless_allowed():
    frames = np.full([1, 3, VOCABULARY], -9.0)
    frames[0, :, UNKNOWN], frames[0, :, 5] = -0.1, -1.0
    assert outputs_of(CTCGreedy()(Given(FrameScores(VOCABULARY)), inputs_of(frames, [3]), 6))[0][0][1] == (5,)


def test_greedy_says_where_its_buffer_was_too_short_and_cuts_at_the_limit():
    frames = np.full([2, 4, VOCABULARY], -9.0)
    frames[:, [0, 2], 4] = frames[:, [1, 3], 5] = 0.0
    search, scorer = CTCGreedy(), Given(FrameScores(VOCABULARY))
    found = search(scorer, inputs_of(frames, [4, 4]), 2, limits=[4, 1])
    assert found.is_over.numpy().tolist() == [False, True]
    assert search(scorer, inputs_of(frames, [4, 4]), 4, limits=[4, 1]).lengths.numpy().tolist() == [[4], [1]]


@pytest.mark.parametrize(("search", "scorer"), [(CTCGreedy(), FrameScores), (Beam(width=3, length_penalty=0.0), CTCPrefixes)])
def test_batch_and_padding_change_no_output(scores, search, scorer):
    together = outputs_of(search(Given(scorer(VOCABULARY)), inputs_of(scores), 6))
    for row, length, expected in zip(scores, LENGTHS, together, strict=True):
        for padding in (0, 7):
            frames = np.concatenate([row[:length], frames_of(np.random.default_rng(9), (padding, VOCABULARY), 4.0)])
            (alone,) = outputs_of(search(Given(scorer(VOCABULARY)), inputs_of(frames[None], [length]), 6))
            assert [tokens for _, tokens in alone] == [tokens for _, tokens in expected]
            assert alone[0][0] == pytest.approx(expected[0][0], abs=1e-4)


def test_long_and_sharp_frames_keep_scores_exact():
    written = [4, 5, 4, 4, 5] * 12
    path = [one for token in written for one in (token, 0)]
    logits = np.where(np.arange(VOCABULARY) == np.array(path)[:, None], 200.0, 0.0)
    scores = logits - np.log(np.exp(logits - 200.0).sum(-1, keepdims=True)) - 200.0
    search = tf.function(Beam(width=4, length_penalty=0.0), autograph=False)
    (((score, tokens), *_),) = outputs_of(search(Given(CTCPrefixes(VOCABULARY)), inputs_of(scores[None], [len(path)]), 80))
    assert tokens == tuple(written)
    assert score == pytest.approx(0.0, abs=1e-6)
