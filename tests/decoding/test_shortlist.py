"""Shortlists: the lexicon against an alignment written in loops, searches against enumeration of what a sentence may say."""

from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.commands.decode import command as decode
from seqcfg.commands.lexicon import command as lexicon_command
from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.lexicon import NULL, Lexicon, Pairs, learn, load
from seqcfg.decoding.rules import Ruled
from seqcfg.decoding.sample import Sample
from seqcfg.decoding.settings import Decoding
from seqcfg.decoding.shortlist import IDS, OWN, Shortlist, Shortlisted, Shortlister, own_alone
from seqcfg.errors import UserError
from seqcfg.tasks.lexicons import lexicon_of
from seqcfg.tasks.trained import open_run
from tests.decoding.tabular import TabularStepper, all_outputs, log_softmax, outputs_of, tables
from tests.evaluation.small_run import make_run


def pairs_of(*pairs):
    flat = [np.array([one for row in side for one in row], np.int32) for side in zip(*pairs)]
    lengths = [np.array([len(row) for row in side]) for side in zip(*pairs)]
    return Pairs(flat[0], lengths[0], flat[1], lengths[1])


def plain_model_1(pairs, iterations):
    """IBM model 1 in loops: {(source, target): probability}."""
    probability = defaultdict(lambda: 1.0)
    for _ in range(iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in pairs:
            for t in target:
                whole = sum(probability[s, t] for s in [NULL, *source])
                for s in [NULL, *source]:
                    counts[s, t] += probability[s, t] / whole
                    totals[s] += probability[s, t] / whole
        probability = defaultdict(float, {(s, t): count / totals[s] for (s, t), count in counts.items()})
    return probability


def test_the_lexicon_is_that_of_alignment_written_in_loops():
    draw = np.random.default_rng(1)
    pairs = [[draw.integers(4, 12, draw.integers(0, 7)).tolist(), draw.integers(4, 10, draw.integers(0, 6)).tolist()] for _ in range(60)]
    found, wanted = learn(pairs_of(*pairs), (12, 10), 6, 4, "x"), plain_model_1(pairs, 4)
    for source in (NULL, *range(4, 12)):
        of = {int(t): p for t, p in zip(found.translations[source], found.probabilities[source]) if t}
        expected = {t: p for (s, t), p in wanted.items() if s == source and p >= 1e-5}
        assert of == pytest.approx(expected, rel=1e-5) and list(of.values()) == sorted(of.values(), reverse=True)
    counts = np.bincount([t for _, target in pairs for t in target], minlength=10)
    assert counts[found.frequent].tolist() == sorted(counts[counts > 0], reverse=True)


def test_what_always_occurs_together_is_found_and_cut_to_the_best():
    found = learn(pairs_of(*[[[4, 5], [7, 8]], [[4, 6], [7, 9]], [[5, 6], [8, 9]]] * 3), (7, 10), 1, 10, "x")
    assert found.translations[4:, 0].tolist() == [7, 8, 9] and found.translations.shape == (7, 1)


def test_a_lexicon_comes_back_from_its_file_and_other_files_are_refused(tmp_path):
    made = learn(pairs_of([[4], [5]]), (6, 6), 3, 1, "tokens")
    made.save(tmp_path / "a")
    made.save(tmp_path / "b")
    back = load(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() and back.digest() == made.digest() and back.tokens == "tokens"
    (tmp_path / "c").write_text("no")
    with pytest.raises(UserError, match="is not a lexicon"):
        load(tmp_path / "c")
    with pytest.raises(UserError, match="there is no lexicon"):
        load(tmp_path / "d")


def lexicon(vocabulary=30, seed=0):
    draw = np.random.default_rng(seed)
    translations = draw.integers(NUM_RESERVED, vocabulary, [12, 4]).astype(np.int32)
    return Lexicon(translations, np.ones([12, 4], np.float32), np.arange(vocabulary - 1, NUM_RESERVED, -1, dtype=np.int32), "x")


def test_a_row_has_the_reserved_the_frequent_the_lexicon_s_and_the_demanded_tokens_and_no_neighbour_s():
    given, settings = lexicon(), Shortlist(frequent=2, per_token=3)
    source = np.array([[4, 5, 3, 0, 0], [9, 3, 0, 0, 0]], np.int32)
    rules = {"rule_prefix": np.array([[6, 7], [0, 0]], np.int32), "rule_prefix_length": np.array([2, 0])}
    batch, ids = Shortlister(settings, given, 30)({"source": source, **rules})
    assert ids[:NUM_RESERVED].tolist() == [0, 1, 2, 3] and batch[IDS].tolist() == [ids.tolist()] * 2
    for row, extra in enumerate(([6, 7], [])):
        of = {0, 1, 2, 3, 28, 29, *extra, *given.translations[[NULL, *source[row]], :3].ravel().tolist()}
        assert set(ids[batch[OWN][row]].tolist()) == of
    assert ids[batch["rule_prefix"]].tolist() == rules["rule_prefix"].tolist()
    with pytest.raises(UserError, match="this task has none"):
        Shortlister(settings, given, 30)({"prompt": source})


class Partial(TabularStepper):
    """Gives the logits of some tokens alone."""

    def step_among(self, fixed, moving, tokens, index, ids, own):
        moving, logits = self.step(fixed, moving, tokens, index)
        return moving, own_alone(tf.gather(logits, ids, axis=1), own)


@pytest.mark.parametrize("search, ruled", [(Beam(width=80, n_best=3), False), (Beam(width=80, n_best=2), True), (Greedy(), False)], ids=str)
@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_the_best_outputs_are_those_of_enumeration_among_the_sentence_s_own_tokens(search, ruled, xla):
    number, vocabulary = 60, 12
    table = tables(number, vocabulary, seed=3)
    ids = np.array([0, 1, 2, 3, 5, 6, 8, 11, 0], np.int32)
    own = np.random.default_rng(4).random([number, 9]) < 0.6
    own[:, :NUM_RESERVED], own[:, -1] = True, False
    inputs = {"table": table, IDS: np.tile(ids, [number, 1]), OWN: own}
    stepper = Shortlisted(Partial(vocabulary), 9)
    if ruled:
        stepper = Ruled(stepper, distinct_ngrams=1)

    @tf.function(autograph=False, jit_compile=xla)
    def call(inputs):
        return search(stepper, inputs, 3)

    found = outputs_of(call({name: tf.constant(value) for name, value in inputs.items()}))
    for row, outputs in enumerate(found):
        known = ids[own[row]]
        masked = np.full_like(table[row], -np.inf)
        masked[:, known] = table[row][:, known]
        formula = 0.0 if isinstance(search, Greedy) else 1.0
        wanted = [(s, t) for s, t in all_outputs(log_softmax(masked), 3, "average", formula) if not ruled or len(set(t)) == len(t)]
        named = [(score, tuple(int(ids[place]) for place in tokens)) for score, tokens in outputs]
        if isinstance(search, Greedy):
            assert named[0][1] in [t for _, t in wanted] and named[0][0] == pytest.approx({t: s for s, t in wanted}[named[0][1]], abs=1e-4)
            continue
        wanted = [pair for pair in wanted if np.isfinite(pair[0])][: search.n_best]
        assert [t for _, t in named] == [t for _, t in wanted]
        np.testing.assert_allclose([s for s, _ in named], [s for s, _ in wanted], rtol=2e-5, atol=2e-5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shortlisted")
    run = make_run(folder)
    arguments = ["--data-root", str(folder), "--cache-root", str(folder / "prepared")]
    shown = CliRunner().invoke(lexicon_command, [str(run), *arguments], catch_exceptions=False)
    assert "lexicon.npz" in shown.stdout and "of the target tokens of test" in shown.stdout
    return run


def outputs(run, *overrides, texts=("seven", "two hundred and nine", "", "one", "eleven"), **named):
    trained = open_run(run, "best", overrides)
    recipe = trained.experiment.recipe
    parts = (recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding, trained.precision)
    decoder = Decoder(*parts, lexicon=lexicon_of(trained, recipe.decoding))
    return decoder.decode(list(texts), **named)


SMALL = "decoding.shortlist={frequent: 5, per_token: 4}"


@pytest.mark.parametrize("search", ["{type: beam, width: 3, n_best: 2}", "{type: greedy}"])
def test_batches_and_xla_change_nothing_and_a_shortlist_of_all_tokens_is_none(run, search):
    searched = f"decoding.search={search}"
    whole = outputs(run, searched)
    all_of_them = load(run / "lexicon.npz")._replace(frequent=np.arange(NUM_RESERVED, 260, dtype=np.int32))
    all_of_them.save(run / "all.npz")
    every = outputs(run, searched, f"decoding.shortlist={{lexicon: {run / 'all.npz'}, frequent: 256}}")
    assert [one.ids for one in every] == [one.ids for one in whole]
    few = outputs(run, searched, SMALL)
    assert [one.ids for one in few] != [one.ids for one in whole]
    for more in ("decoding.batch_size=1", "decoding.xla=always"):
        again = outputs(run, searched, SMALL, more)
        assert [one.ids for one in again] == [one.ids for one in few]
        for ours, theirs in zip(again, few):
            assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)


def test_outputs_hold_nothing_but_the_shortlist_of_their_line(run):
    trained = open_run(run, "best", (SMALL,))
    shortlister = Shortlister(trained.experiment.recipe.decoding.shortlist, load(run / "lexicon.npz"), 260)
    texts = ["seven", "two hundred and nine", "eleven"]
    has = shortlister.tokens(trained.experiment.recipe.task.encode_texts(trained.codecs, texts)["source"])
    for row, one in zip(has, outputs(run, SMALL, texts=texts)):
        assert row[one.ids[0]].all()


def test_demands_are_met_although_no_shortlist_has_their_letters(run, tmp_path):
    (tmp_path / "in").write_text("seven\none\n")
    (tmp_path / "prefixes").write_text("%&\n\n")
    arguments = [str(run), "--input", str(tmp_path / "in"), "--prefixes", str(tmp_path / "prefixes"), "--set", SMALL]
    assert CliRunner().invoke(decode, arguments, catch_exceptions=False).stdout.startswith("%&")


def test_what_does_not_fit_is_said(run):
    assert [field for field, _, _ in Decoding(search=Sample(), shortlist=Shortlist()).check()] == ["shortlist"]
    with pytest.raises(UserError, match="there is no lexicon"):
        outputs(run, "decoding.shortlist={lexicon: none.npz}")
    other = load(run / "lexicon.npz")._replace(tokens="other")
    other.save(run / "other.npz")
    with pytest.raises(UserError, match="other tokenizers"):
        outputs(run, f"decoding.shortlist={{lexicon: {run / 'other.npz'}}}")
