"""Merged paths: a beam over tokens of which some are others joined, against enumeration of texts."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.merging import Spelt, merged, tables
from tests.decoding.tabular import STATES, log_softmax, outputs_of
from tests.decoding.tabular import tables as random_tables

SPELLINGS = [b"", b"?", b"", b"", b"a", b"b", b"ab", b"ba"]
LONGEST = 3


class Letters:
    """a, b and two of their joins."""

    def spellings(self):
        return SPELLINGS


class ByLetters:
    """What follows depends on how many letters are written alone, whatever tokens wrote them, so that merging loses nothing."""

    vocabulary = len(SPELLINGS)

    def start(self, inputs, max_length):
        return {"table": inputs["table"]}, {"state": tf.zeros([tf.shape(inputs["table"])[0]], tf.int32)}

    def step(self, fixed, moving, tokens, index):
        state = (moving["state"] + tf.gather([len(one) for one in SPELLINGS], tokens)) % STATES
        rows = tf.range(tf.shape(tokens)[0]) // (tf.shape(tokens)[0] // tf.shape(fixed["table"])[0])
        return {"state": state}, tf.gather_nd(fixed["table"], tf.stack([rows, state], axis=1))


def run(search, table, xla=False, longest=LONGEST):
    stepper = Spelt(ByLetters(), Letters())

    @tf.function(jit_compile=xla, autograph=False)
    def call(table):
        return search(stepper, {"table": table}, longest)

    return outputs_of(call(tf.constant(table)))


def text_of(tokens):
    return b"".join(SPELLINGS[token] for token in tokens)


def by_text(table, longest=LONGEST):
    """{text: log-probabilities of every way to write it}."""
    found = defaultdict(list)
    for length in range(longest + 1):
        for tokens in itertools.product(range(4, 8), repeat=length):
            total, state = 0.0, 0
            for fed, following in zip((START, *tokens), (*tokens, END)):
                state = (state + len(SPELLINGS[fed])) % STATES
                total += table[state, following]
            found[text_of(tokens)].append(total)
    return found


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_the_best_path_of_each_text_is_kept_and_no_text_comes_twice(xla):
    table = random_tables(40, 8, seed=1)
    for row, outputs in zip(table, run(Beam(width=90, n_best=5, length_penalty=0.0, merge="best"), table, xla), strict=True):
        best = sorted(((max(totals), text) for text, totals in by_text(log_softmax(row)).items()), reverse=True)[:5]
        assert [text_of(tokens) for _, tokens in outputs] == [text for _, text in best]
        np.testing.assert_allclose([score for score, _ in outputs], [total for total, _ in best], atol=2e-5)


@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "xla"])
def test_summed_paths_give_a_text_the_probability_of_all_its_ways(xla):
    table = random_tables(40, 8, seed=2, sharpness=0.7)
    table[:, :2, END] -= 6.0  # two letters are a good length, and may be one token or two
    table[:, 2, END] += 3.0
    changed = 0
    found = run(Beam(width=90, n_best=85, length_penalty=0.0, merge="sum"), table, xla)
    first = run(Beam(width=90, length_penalty=0.0, merge="sum"), table, xla)
    for row, outputs, only in zip(table, found, first, strict=True):
        ways = by_text(log_softmax(row))
        sums = {text: np.logaddexp.reduce(totals) for text, totals in ways.items()}
        given = [text_of(tokens) for _, tokens in outputs]
        assert len(set(given)) == len(given) > 25
        for score, tokens in outputs[:20]:
            assert score == pytest.approx(sums[text_of(tokens)], abs=3e-5)
        best = max(sums, key=sums.get)
        assert given[0] == text_of(only[0][1]) == best
        changed += best != max(ways, key=lambda text: max(ways[text]))
    assert changed > 3, "in none of the models did summing matter"


@pytest.mark.slow
@pytest.mark.parametrize("longest, models, at_once", [(4, 200, 20), (5, 4, 1)])
@pytest.mark.parametrize("merge", ["best", "sum"])
def test_merged_paths_of_many_models_with_outputs_of_five_tokens(merge, longest, models, at_once):
    table = random_tables(models, 8, seed=longest, sharpness=0.7)
    search = Beam(width=4**longest, n_best=1, length_penalty=0.0, merge=merge)
    for start in range(0, models, at_once):
        part = table[start : start + at_once]
        for row, outputs in zip(part, run(search, part, longest=longest), strict=True):
            ways = by_text(log_softmax(row), longest)
            values = {text: max(totals) if merge == "best" else np.logaddexp.reduce(totals) for text, totals in ways.items()}
            best = max(values, key=values.get)
            assert text_of(outputs[0][1]) == best and outputs[0][0] == pytest.approx(values[best], abs=3e-5)


def test_a_narrow_merging_beam_holds_more_texts_than_one_that_keeps_all_paths():
    table = random_tables(100, 8, seed=3, sharpness=0.7)
    for merge in ("best", "sum"):
        outputs = run(Beam(width=4, n_best=4, merge=merge), table)
        assert all(len({text_of(tokens) for _, tokens in one}) == len(one) for one in outputs)
    plain = run(Beam(width=4, n_best=4), table)
    assert any(len({text_of(tokens) for _, tokens in one}) < len(one) for one in plain)


def test_merging_keeps_the_first_of_equals_and_leaves_out_what_is_not_alive():
    values, texts = tf.constant([[-1.0, -2.0, -1.0, -math.inf]]), tf.constant([[7, 7, 8, 8]], tf.int64)
    assert merged(values, texts, "best").numpy().tolist() == [[-1.0, -math.inf, -1.0, -math.inf]]
    np.testing.assert_allclose(merged(values, texts, "sum").numpy()[0, 0], np.logaddexp(-1.0, -2.0), rtol=1e-6)
    assert merged(tf.constant([[-1.0, -1.0]]), tf.constant([[5, 5]], tf.int64), "best").numpy().tolist() == [[-1.0, -math.inf]]


def test_hashes_of_different_texts_differ_and_those_of_one_text_do_not():
    hashes, powers = (table.view(np.uint64) for table in tables(Letters()))
    seen = {}
    for tokens in itertools.chain.from_iterable(itertools.product(range(4, 8), repeat=n) for n in range(6)):
        value = np.zeros([1], np.uint64)
        for token in tokens:
            value = value * powers[token] + hashes[token]
        value = int(value[0])
        assert seen.setdefault(text_of(tokens), value) == value
    assert len(set(seen.values())) == len(seen)


def test_tokens_of_byte_spelling_are_bytes_and_sums_in_groups_are_refused(tmp_path):
    assert Bytes().load(tmp_path).spellings()[4 + 0xC3] == b"\xc3"
    assert [field for field, _, _ in Beam(width=4, num_groups=2, merge="sum").check()] == ["merge"]
