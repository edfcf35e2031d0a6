"""Caches that hypotheses share against caches that each takes along: the same outputs and scores."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.decoding import beam, traced
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.rows import grown
from seqcfg.decoding.settings import Decoding
from seqcfg.layers.attention import cache
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run

TEXTS = ["seven", "two hundred and nine", "", "one", "eleven", "forty", "three hundred"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return open_run(make_run(tmp_path_factory.mktemp("shared")))


def decoded(trained, search, **settings):
    recipe = trained.experiment.recipe
    decoding = Decoding(**{"search": search, "max_length": 9, "xla": "never", "batch_size": 4} | settings)
    return Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, decoding, trained.precision).decode(TEXTS)


IN_XLA = pytest.param({"xla": "always", "batch_size": 1}, marks=pytest.mark.slow)


@pytest.mark.parametrize("settings", [{}, IN_XLA, {"distinct_ngrams": 1}], ids=["graph", "xla, one", "rules"])
def test_a_beam_finds_the_same_whether_caches_are_shared_or_copied(trained, monkeypatch, settings):
    search = Beam(width=4, n_best=3)
    shared = decoded(trained, search, **settings)
    assert search.shared_width == 4
    monkeypatch.setattr(beam, "MOST_SHARED", 1)
    assert search.shared_width == 1
    for ours, theirs in zip(shared, decoded(trained, search, **settings), strict=True):
        assert ours.ids == theirs.ids
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=2e-5)


@pytest.mark.parametrize("search", [Beam(width=4, n_best=2), Greedy()], ids=["beam", "greedy"])
def test_one_sentence_in_one_call_is_what_a_batch_gives(trained, search):
    for ours, theirs in zip(decoded(trained, search, batch_size=1), decoded(trained, search), strict=True):
        assert ours.ids == theirs.ids
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=2e-5)


@pytest.mark.parametrize("for_xla", [False, True], ids=["graph", "xla"])
def test_each_hypothesis_writes_into_its_own_place(for_xla):
    @tf.function(autograph=False, jit_compile=for_xla)
    def written(buffer, new):
        return cache.Shared(buffer).written(tf.constant(2), new, for_xla).buffer

    new = np.arange(2 * 3 * 2 * 4, dtype=np.float32).reshape(6, 2, 1, 4) + 1  # [2 sentences * 3 hypotheses, 2 heads, 1, 4]
    found = written(tf.zeros([2, 2, 5, 3, 4]), tf.constant(new)).numpy()
    for sentence, hypothesis, head in np.ndindex(2, 3, 2):
        assert found[sentence, head, 2, hypothesis].tolist() == new[3 * sentence + hypothesis, head, 0].tolist()
    assert not found[:, :, [0, 1, 3, 4]].any()


def test_a_hypothesis_sees_what_its_ancestors_wrote():
    ancestors = cache.Ancestors(tf.constant([[1, 0, -1], [1, 1, -1]]))  # of two hypotheses that have taken two steps
    assert ancestors.descended(tf.constant(2), 2).places.numpy().tolist() == [[1, 0, 0], [1, 1, 1]]
    seen = ancestors.own_past(2).numpy()[0, 0]  # [width, time * width]
    assert seen.tolist() == [[False, True, True, False, False, False], [False, True, False, True, False, False]]


@pytest.mark.parametrize("search", [Beam(width=4, n_best=2), Beam(width=10), Greedy()], ids=["shared", "separate", "greedy"])
def test_caches_that_grow_and_sentences_that_leave_change_nothing(trained, monkeypatch, search):
    whole = decoded(trained, search, batch_size=1)  # caches of full size, and nobody leaves
    assert {len(one.ids[0]) for one in whole} > {0}, "outputs end at different steps"
    monkeypatch.setattr(traced, "ROOM", 2)
    for ours, theirs in zip(decoded(trained, search, batch_size=7), whole, strict=True):
        assert ours.ids == theirs.ids
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=2e-5)


def test_grown_caches_are_empty_where_they_are_new():
    state = {"keys": cache.Separate(tf.ones([1, 1, 2, 1])), "own": [cache.Shared(tf.ones([1, 1, 2, 1, 1])), tf.ones([2])]}
    longer = grown(state | {"ancestors": cache.Ancestors(tf.ones([1, 2], tf.int32))}, 1)
    assert [longer["keys"].buffer.numpy().ravel().tolist(), longer["own"][0].buffer.numpy().ravel().tolist()] == [[1, 1, 0]] * 2
    assert longer["ancestors"].places.numpy().tolist() == [[1, 1, -1]] and longer["own"][1].shape == [2]
