"""The decoder: order, batches, empty and long lines, with a task that can be computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.kinds import Task
from seqcfg.component.reserved_ids import END, NUM_RESERVED, UNKNOWN
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.block import rounded
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.demands import Demand
from seqcfg.decoding.engine import rung
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.minimum_risk import MinimumRisk
from seqcfg.decoding.sample import Sample
from seqcfg.decoding.settings import Decoding, LengthFloor, LengthLimit
from seqcfg.decoding.ways import Ways
from seqcfg.decoding.with_outputs import with_outputs
from seqcfg.errors import UserError
from seqcfg.plan.declaration import declare

LETTERS = 26


class Echo(Task, kind="test_task"):
    """Repeats its input shifted by one letter: a -> b, z -> a; ids are letters."""

    sharpness: float = 9.0

    def declare(self, d):
        d.weight("shift", (1,))

    def encode_texts(self, codecs, texts):
        rows = [[ord(c) - ord("a") + NUM_RESERVED for c in text.strip()] + [END] for text in texts]
        ids = np.zeros([len(rows), max(map(len, rows))], np.int32)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
        return {"source": ids, "source_length": np.array([len(row) for row in rows], np.int32)}

    def decode_ids(self, codecs, ids):
        return ["".join(chr(i - NUM_RESERVED + ord("a")) for i in row) for row in ids]

    def target_codec(self, codecs):
        return Spelling()

    def stepper(self, w):
        return EchoStepper(w, self.sharpness)


class EchoStepper:
    vocabulary = LETTERS + NUM_RESERVED

    def __init__(self, w, sharpness):
        self.shift, self.sharpness = w.shift, sharpness

    def start(self, inputs, max_length):
        return dict(inputs), {}

    def step(self, fixed, moving, tokens, index):
        source, length = fixed["source"], fixed["source_length"]
        at = tf.gather(source, tf.minimum(index, tf.shape(source)[1] - 1), axis=1)
        letter = (at - NUM_RESERVED + tf.cast(self.shift[0], tf.int32)) % LETTERS + NUM_RESERVED
        wanted = tf.where(index >= length - 1, END, letter)
        logits = self.sharpness * tf.one_hot(wanted, self.vocabulary)
        return moving, tf.repeat(logits, tf.shape(tokens)[0] // tf.shape(source)[0], axis=0)


def decoder(task=None, shift=1.0, **settings):
    task = task or Echo()
    return Decoder(
        task, declare(task), {"shift": np.array([shift], np.float32)}, {}, Decoding(**{"xla": "never", "search": Beam(width=3)} | settings)
    )


TEXTS = ["abc", "", "z", "hello", "   ", "a" * 30, "quick", "brown", "fox", "", "zz"]
SHIFTED = ["bcd", "", "a", "ifmmp", "", "b" * 30, "rvjdl", "cspxo", "gpy", "", "aa"]


@pytest.mark.parametrize("batch_size", [1, 2, 4, 64])
def test_every_line_comes_back_in_its_place_whatever_the_batch_size(batch_size):
    assert [one.text for one in decoder(batch_size=batch_size).decode(TEXTS)] == SHIFTED


@pytest.mark.parametrize("search", [Greedy(), Sample(temperature=0.1)], ids=["greedy", "sample"])
def test_other_searches_do_the_same(search):
    assert [one.text for one in decoder(search=search).decode(TEXTS)] == SHIFTED


def test_samples_depend_on_the_line_and_not_on_the_batch():
    results = [decoder(Echo(sharpness=1.0), search=Sample(n_best=2), batch_size=size).decode(TEXTS * 2) for size in (3, 64)]
    assert [one.texts for one in results[0]] == [one.texts for one in results[1]]
    assert results[0][0].texts != results[0][len(TEXTS)].texts


def test_a_trace_serves_all_shapes():
    one = decoder(batch_size=4)
    one.decode(TEXTS)
    one.decode(["ab"] * 9 + ["c" * 40])
    one.decode(["ab"])  # one sentence is begun and searched by one call
    one.decode(["c" * 40])
    counts = [(each.one, each.batch) for each in one._engine._traced.values()]
    assert [[function.experimental_get_tracing_count() for function in pair] for pair in counts] == [[1, 1]]


def test_long_lines_are_cut_and_counted_and_keep_their_end():
    one = decoder(max_source_length=5)
    assert [r.text for r in one.decode(["abcdefgh", "abcd", "abcde"])] == ["bcde", "bcde", "bcde"]
    assert one.num_cut == 2


def test_the_length_limit_is_that_of_each_line():
    limited = decoder(length_limit=LengthLimit(ratio=0.5, offset=0), batch_size=8)
    assert [r.text for r in limited.decode(["abcdefg", "abc"])] == ["bcde", "bc"]  # half of 8 and of 4 tokens, the end included
    assert LengthLimit(ratio=0.0).longest(3, 50) == 50
    assert LengthLimit(ratio=2.0, offset=10).longest(30, 50) == 50


def test_n_best_comes_with_falling_scores():
    result = decoder(search=Beam(width=4, n_best=3)).decode(["abc"])[0]
    assert len(result.texts) == len(set(result.texts)) == 3 and result.scores == sorted(result.scores, reverse=True)
    assert result.text == "bcd"
    assert with_outputs(Decoding(), 2).search.n_best == 2
    with pytest.raises(UserError, match="one output per line"):
        with_outputs(Decoding(search=Greedy()), 2)


def test_progress_reaches_the_number_of_lines():
    seen = []
    decoder(batch_size=4).decode(TEXTS, seen.append)
    assert seen == sorted(seen) and seen[-1] == len(TEXTS)


def test_a_model_of_nan_is_reported():
    with pytest.raises(UserError, match="no finite probabilities"):
        decoder(Echo(sharpness=float("nan"))).decode(["abc"])


def test_lengths_are_rounded_up_to_few_values():
    assert [rounded(n) for n in (0, 1, 8, 9, 48, 49, 64, 65)] == [8, 8, 8, 16, 48, 64, 64, 96]
    assert len({rounded(n) for n in range(1, 1025)}) < 40


def test_no_lines_give_no_results():
    assert decoder().decode([]) == []


def test_shapes_that_come_often_are_compiled_and_give_the_same(monkeypatch):
    monkeypatch.setattr("seqcfg.decoding.ways.COMPILATION_SECONDS", 0.0)
    one = decoder(batch_size=2, xla="auto")
    for _ in range(5):
        assert [r.text for r in one.decode(["abc", "de"] * 2)] == ["bcd", "ef"] * 2
    assert any(row["xla_ms"] is not None and row["plain_ms"] is not None for row in one.ways)


def test_a_compiled_shape_returns_to_plain_graphs_where_they_are_faster():
    ways = Ways("auto")
    ways.record((4, 20), False, 3.0, 10)
    assert not ways.is_xla((4, 20)) and not ways.may_compile
    ways.record((4, 20), False, 3.0, 10)
    assert ways.is_xla((4, 20)) and not ways.is_xla((2, 20))
    for seconds in (9.0, 5.0, 5.0):
        assert ways.is_xla((4, 20))
        ways.record((4, 20), True, seconds, 10)
    assert ways.table() == [{"shape": [4, 20], "plain_ms": 300.0, "xla_ms": 500.0, "xla": False}]
    ways.record((2, 20), False, 8.0, 10)
    assert not ways.is_xla((2, 20)), "a compilation was measured to take nine seconds"
    assert Ways("always").is_xla((1, 1)) and not Ways("never").is_xla((4, 20))


def test_batches_have_few_sizes():
    assert [rung(rows) for rows in (1, 2, 3, 5, 7, 13, 33, 49, 64)] == [1, 2, 3, 6, 8, 16, 48, 64, 64]


def test_lines_that_outgrow_short_buffers_are_searched_again_and_batches_do_not_show(monkeypatch):
    texts = [c * n for n, c in enumerate("abcdefghij", 1)]
    settings = {"search": Beam(width=4, n_best=2, length_penalty=2.0), "length_limit": LengthLimit(ratio=4.0, offset=20)}
    wanted = decoder(Echo(sharpness=0.5), **settings, batch_size=1).decode(texts)
    one = decoder(Echo(sharpness=0.5), **settings, batch_size=4)
    asked = []
    monkeypatch.setattr(one, "_search", lambda *a, search=one._search: asked.append((a[-1], len(a[1]))) or search(*a))
    for ours, theirs in zip(one.decode(texts), wanted, strict=True):
        assert ours.texts == theirs.texts and ours.scores == pytest.approx(theirs.scores, rel=1e-5)
    assert {short for short, _ in asked} == {True, False}
    assert max(len(text) for result in wanted for text in result.texts) > 8 + 16 // 4 + 8


@pytest.mark.parametrize("search", [Beam(width=3, n_best=2), Greedy(), Sample(n_best=2, seed=4)], ids=["beam", "greedy", "sample"])
def test_sentences_that_leave_a_batch_change_no_result(search):
    texts = ["".join(chr(97 + (i * j) % 26) for j in range(1, 1 + i % 23)) for i in range(1, 60)]
    together, alone = (decoder(Echo(sharpness=3.0), search=search, batch_size=size).decode(texts) for size in (64, 1))
    assert [one.texts for one in together] == [one.texts for one in alone]
    np.testing.assert_allclose(*([score for one in found for score in one.scores] for found in (together, alone)), rtol=1e-5)


def test_outputs_are_ranked_by_expected_utility_where_the_recipe_asks():
    settings = {"search": Sample(n_best=8, temperature=0.7, seed=2), "minimum_risk": MinimumRisk()}
    plain, ranked = (decoder(Echo(sharpness=4.0), **part).decode(["abcdefgh"])[0] for part in ({"search": settings["search"]}, settings))
    order, expected = MinimumRisk().ranked(plain.texts, plain.log_probabilities)
    assert ranked.texts == [plain.texts[place] for place in order] and ranked.scores == expected
    assert ranked.ids == [plain.ids[place] for place in order]


class Spelling:
    """Letters to ids; what is no letter is unknown."""

    def encode(self, texts):
        return [[ord(c) - ord("a") + NUM_RESERVED if c.isalpha() else UNKNOWN for c in text] for text in texts]


def test_demands_of_single_lines_hold_in_any_batch():
    demands = [Demand("zz"), Demand(), Demand(phrases=("qq", "x")), Demand("b", ("ooo",))]
    for size in (1, 4):
        one = decoder(Echo(sharpness=2.0), batch_size=size, search=Beam(width=4), length_floor=LengthFloor(ratio=1.0))
        found = [result.text for result in one.decode(["abc", "abc", "hello", "a"], demands=demands)]
        assert found[0].startswith("zz") and found[1] == "bcdd"[:3] + found[1][3:] and len(found[1]) >= 4
        assert "qq" in found[2] and "x" in found[2] and found[3].startswith("b") and "ooo" in found[3]
    with pytest.raises(UserError, match="line 8: the target vocabulary cannot write 'a b'"):
        decoder().decode(["a", "abc"], first=6, demands=[Demand(), Demand("a b")])


@pytest.mark.parametrize("search", [Beam(width=3), Beam(width=3, n_best=3), Greedy(), Sample(seed=4)], ids=str)
def test_what_is_shown_of_a_growing_output_is_how_it_begins(search):
    for text in ("abcdefg", "z", " "):
        one = decoder(Echo(sharpness=4.0), search=search)
        shown, whole = list(one.partial(text)), one.decode([text])[0].text
        assert shown[-1] == whole and all(whole.startswith(part) for part in shown)
    assert len(set(one.partial("abcdefg"))) > 3


@pytest.mark.parametrize("search", [Beam(width=3, n_best=2), Sample(n_best=2, seed=4)], ids=["beam", "sample"])
def test_workers_change_neither_outputs_nor_their_order(search):
    texts = ["".join(chr(97 + (i * j) % 26) for j in range(1, 1 + i % 23)) for i in range(60)]
    task = Echo(sharpness=3.0)
    parts = (task, declare(task), {"shift": np.array([1.0], np.float32)}, {}, Decoding(xla="never", search=search, batch_size=4))
    seen = []
    alone, together = Decoder(*parts).decode(texts), Decoder(*parts, workers=3).decode(texts, seen.append)
    assert [one.ids for one in alone] == [one.ids for one in together] and [one.scores for one in alone] == [one.scores for one in together]
    assert seen == sorted(seen) and seen[-1] == len(texts)
