"""Judging outputs while training: by this model alone, whatever decoding joins to it later."""

import pytest

from seqcfg.data.prepare import prepare
from seqcfg.evaluation.corpus import columns_of
from seqcfg.tasks.trained import open_run
from seqcfg.training.judging import Judge
from tests.evaluation.small_run import make_run

JOINED = [
    "decoding.fusion={run: runs/language_model}",
    "decoding.ensemble={runs: [runs/another]}",
    "decoding.noisy_channel={run: runs/back}",
    "decoding.minimum_risk={}",
    "decoding.shortlist={}",
    "decoding.unknown_words={take: lexicon}",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("judged"))


def judged(run, *overrides):
    trained = open_run(run, "10", ("training.validation.num_decoded=3", *overrides))
    prepared = prepare(trained.experiment, data_root=run.parent, cache_root=run.parent / "prepared")
    judge = Judge(trained.experiment, trained.codecs, columns_of(prepared, "test"))
    return judge(trained.weights), judge.samples


def test_what_decoding_joins_to_a_model_later_is_left_out_while_it_is_trained(run):
    scores, samples = judged(run)
    assert {"bleu", "exact_match"} <= scores.keys() and len(samples) == 3
    allowed = "decoding.search.allow_unknown=true"
    for joined in JOINED:
        assert judged(run, allowed, joined) == (scores, samples), joined
