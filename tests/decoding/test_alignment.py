"""Attention of known outputs: independent of neighbours, one row per output token."""

import numpy as np
import pytest

from seqcfg.decoding import alignment
from seqcfg.decoding.alignment import Aligner, links_of
from seqcfg.decoding.settings import Decoding
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return open_run(make_run(tmp_path_factory.mktemp("aligned")))


def aligner(trained):
    recipe = trained.experiment.recipe
    return Aligner(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding or Decoding(), trained.precision)


def test_attention_has_a_row_per_output_token_and_a_column_per_source_token(trained):
    found = aligner(trained).attention(["seven", "forty two"], [[70, 71, 72], [80]])
    assert [matrix.shape for matrix in found] == [(3, 5), (1, 9)]
    for matrix in found:
        assert (matrix >= 0).all() and (matrix.sum(axis=1) <= 1 + 1e-6).all() and (matrix.sum(axis=1) > 0).all()


def test_neighbours_and_batches_change_nothing(trained, monkeypatch):
    sources, ids = ["seven", "", "one hundred and eleven"], [[70, 71], [], [90, 91, 92, 93]]
    together = aligner(trained).attention(sources, ids)
    monkeypatch.setattr(alignment, "MAX_TOKENS", 1)
    for one, other in zip(together, aligner(trained).attention(sources, ids)):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert together[1].size == 0


def test_links_go_to_the_largest_share():
    assert links_of(np.array([[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])) == [(1, 0), (0, 1)]
    assert links_of(np.zeros([2, 0])) == []
