import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START, UNKNOWN
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.ctc_beam import CTCBeam
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.ctc_prefixes import CTCPrefixes
from seqcfg.decoding.frame_fusion import FusedFrames
from seqcfg.decoding.frame_scores import FrameScores
from seqcfg.layers.portable import PORTABLE
from seqcfg.layers.sequence import Sequence
from tests.decoding.tabular import TabularPrior, outputs_of
from tests.losses.paths import collapsed, frames_of, labellings

VOCABULARY = 6  # with two tokens of text
LENGTHS = (5, 3, 1, 4)
MODES = ["eager", "graph", "xla"]


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


def called(search, scorer, inputs, size, mode="graph"):
    if mode == "eager":
        return search(scorer, inputs, size)
    return tf.function(lambda given: search(scorer, given, size), autograph=False, jit_compile=mode == "xla")(inputs)


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


@pytest.mark.parametrize("mode", MODES)
def test_a_wide_beam_over_frames_finds_the_most_probable_texts_in_every_mode(scores, mode):
    found = outputs_of(called(CTCBeam(width=64, n_best=4), Given(FrameScores(VOCABULARY)), inputs_of(scores), 6, mode))
    for row, length, outputs in zip(scores, LENGTHS, found, strict=True):
        best = sorted(((value, labels) for labels, value in without_unknown(labellings(row[:length])).items()), reverse=True)[:4]
        assert [tokens for _, tokens in outputs] == [labels for _, labels in best]
        assert [score for score, _ in outputs] == pytest.approx([value for value, _ in best], abs=1e-5)


@pytest.mark.parametrize("beam", [CTCBeam(width=1), CTCBeam(width=2, n_best=2), CTCBeam(width=3, n_best=3, token_bonus=0.8)], ids=str)
def test_a_narrow_beam_over_frames_is_that_written_without_tensors(beam):
    rows = frames_of(np.random.default_rng(11), (60, 9, VOCABULARY))
    lengths = [1 + row % 9 for row in range(60)]
    found = outputs_of(called(beam, Given(FrameScores(VOCABULARY)), inputs_of(rows, lengths), 10))
    for row, length, outputs in zip(rows, lengths, found, strict=True):
        wanted = plain_prefix_beam(row[:length], beam)
        assert [tokens for _, tokens in outputs] == [tokens for _, tokens in wanted]
        assert [score for score, _ in outputs] == pytest.approx([score for score, _ in wanted], abs=1e-5)


def plain_prefix_beam(frames, beam):
    """Hannun et al. 2014, algorithm 1, with dictionaries: [(score, tokens)] best first."""
    alive = {(): (0.0, -math.inf)}
    for y in frames:
        new = defaultdict(lambda: [[], []])
        for text, (blank, token) in alive.items():
            either = np.logaddexp(blank, token)
            new[text][0].append(either + y[0])
            if text:
                new[text][1].append(token + y[text[-1]])
            for one in range(END + 1, VOCABULARY):
                new[(*text, one)][1].append((blank if text[-1:] == (one,) else either) + y[one])
        sums = {text: tuple(np.logaddexp.reduce(part) if part else -math.inf for part in parts) for text, parts in new.items()}
        best = sorted(sums, key=lambda text: -np.logaddexp(*sums[text]) - beam.token_bonus * len(text))[: beam.width]
        alive = {text: sums[text] for text in best}
    ranked = sorted(((np.logaddexp(*parts) + beam.token_bonus * len(text), text) for text, parts in alive.items()), reverse=True)
    return [(score, text) for score, text in ranked if score > -math.inf][: beam.n_best]


@pytest.mark.parametrize("mode", MODES)
def test_a_language_model_adds_its_part_for_each_token_and_the_end(scores, mode):
    table = frames_of(np.random.default_rng(8), (VOCABULARY, VOCABULARY)).astype(np.float32)
    table = np.log(np.exp(table) * 0.9 + 0.1 / VOCABULARY)  # the end is possible
    fused = FusedFrames(Given(FrameScores(VOCABULARY)), [TabularPrior(table)], [0.7])
    inputs = inputs_of(scores) | {"1.prompt": tf.zeros([4, 0], tf.int32)}
    found = outputs_of(called(CTCBeam(width=64, n_best=3, token_bonus=0.5), fused, inputs, 6, mode))
    for row, length, outputs in zip(scores, LENGTHS, found, strict=True):
        texts = without_unknown(labellings(row[:length]))
        judged = {text: sum(table[pair] for pair in itertools.pairwise((START, *text, END))) for text in texts}
        best = sorted(((value + 0.7 * judged[text] + 0.5 * len(text), text) for text, value in texts.items()), reverse=True)[:3]
        assert [tokens for _, tokens in outputs] == [text for _, text in best]
        assert [score for score, _ in outputs] == pytest.approx([value for value, _ in best], abs=1e-4)


def test_a_beam_over_frames_says_where_its_buffer_was_too_short_and_stops_at_the_limit():
    frames = np.full([2, 4, VOCABULARY], -9.0)
    frames[:, [0, 2], 4] = frames[:, [1, 3], 5] = 0.0
    search, scorer = CTCBeam(width=4), Given(FrameScores(VOCABULARY))
    found = search(scorer, inputs_of(frames, [4, 4]), 2, limits=[4, 1])
    assert found.is_over.numpy().tolist() == [False, True]
    assert search(scorer, inputs_of(frames, [4, 4]), 4, limits=[4, 1]).lengths.numpy().tolist() == [[4], [1]]
    assert [field for field, _, _ in CTCBeam(width=2, n_best=3).check()] == ["n_best"]


@pytest.mark.parametrize(
    ("search", "scorer"),
    [
        (CTCGreedy(), FrameScores),
        (Beam(width=3, length_penalty=0.0), CTCPrefixes),
        (CTCBeam(width=3, n_best=2), FrameScores),
    ],
)
def test_batch_and_padding_change_no_output(scores, search, scorer):
    together = outputs_of(search(Given(scorer(VOCABULARY)), inputs_of(scores), 6))
    for row, length, expected in zip(scores, LENGTHS, together, strict=True):
        for padding in (0, 7):
            frames = np.concatenate([row[:length], frames_of(np.random.default_rng(9), (padding, VOCABULARY), 4.0)])
            (alone,) = outputs_of(search(Given(scorer(VOCABULARY)), inputs_of(frames[None], [length]), 6))
            assert [tokens for _, tokens in alone] == [tokens for _, tokens in expected]
            assert alone[0][0] == pytest.approx(expected[0][0], abs=1e-4)


@pytest.mark.parametrize(("search", "scorer"), [(CTCBeam(width=4), FrameScores), (Beam(width=4, length_penalty=0.0), CTCPrefixes)])
def test_long_and_sharp_frames_keep_scores_exact(search, scorer):
    written = [4, 5, 4, 4, 5] * 12
    path = [one for token in written for one in (token, 0)]
    logits = np.where(np.arange(VOCABULARY) == np.array(path)[:, None], 200.0, 0.0)
    scores = logits - np.log(np.exp(logits - 200.0).sum(-1, keepdims=True)) - 200.0
    (((score, tokens), *_),) = outputs_of(called(search, Given(scorer(VOCABULARY)), inputs_of(scores[None], [len(path)]), 80))
    assert tokens == tuple(written)
    assert score == pytest.approx(0.0, abs=1e-6)


def test_graphs_for_other_engines_give_the_same_scores_in_single_precision():
    scores = frames_of(np.random.default_rng(6), (3, 90, VOCABULARY))
    lengths = (90, 41, 1)
    expected = outputs_of(Beam(width=4, length_penalty=0.0)(Given(CTCPrefixes(VOCABULARY)), inputs_of(scores, lengths), 30))
    before = PORTABLE.set(True)
    try:
        found = outputs_of(Beam(width=4, length_penalty=0.0)(Given(CTCPrefixes(VOCABULARY)), inputs_of(scores, lengths), 30))
        moving = CTCPrefixes(VOCABULARY).start(heard(inputs_of(scores, lengths)), 3)[1]
    finally:
        PORTABLE.reset(before)
    assert moving["token"].dtype == tf.float32
    for ours, theirs in zip(expected, found, strict=True):
        assert [tokens for _, tokens in ours] == [tokens for _, tokens in theirs]
        np.testing.assert_allclose([score for score, _ in ours], [score for score, _ in theirs], atol=1e-4)
