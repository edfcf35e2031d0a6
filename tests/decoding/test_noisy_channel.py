"""Noisy channel: the ranking is the formula's, from scores of the models that judge."""

import dataclasses

import numpy as np
import pytest

from seqcfg.decoding.beam import Beam
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.member import Member
from seqcfg.decoding.noisy_channel import NoisyChannel
from seqcfg.decoding.scoring import Scorer
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from tests.decoding.test_scoring import CODECS
from tests.tasks.small_models import declared, language_modeling, translation, weights_of


def parts(task, seed):
    return task, declared(task), {path: value / 3.0 for path, value in weights_of(task, seed).items()}, CODECS


@pytest.mark.parametrize("with_prior", [True, False])
def test_outputs_are_ranked_by_the_formula(with_prior):
    settings = Decoding(search=Beam(width=5, n_best=5), max_length=6, xla="never")
    channel = dataclasses.replace(settings, noisy_channel=NoisyChannel(run="back", weight=0.7))
    back, prior = parts(translation(untied=True), 5), parts(language_modeling(), 6)
    members = [Member(*back, role="channel"), *([Member(*prior, role="channel_prior")] if with_prior else [])]
    sources = ["abc", "", "hgfedc"]
    plain = Decoder(*parts(translation(), 3), settings).decode(sources)
    ranked = Decoder(*parts(translation(), 3), channel, partners=members).decode(sources)
    assert ranked[1].texts == [""]
    for source, before, after in zip(sources, plain, ranked, strict=True):
        if not source:
            continue
        number = len(before.texts)
        theirs = Scorer(*back, settings).score(before.texts, [source] * number)
        priors = Scorer(*prior, settings).score([""] * number, before.texts)
        scores = [
            total / (len(ids) + 1) + 0.7 * (one.log_probability + (other.log_probability if with_prior else 0.0)) / (len(source) + 1)
            for total, ids, one, other in zip(before.log_probabilities, before.ids, theirs, priors, strict=True)
        ]
        order = np.argsort(-np.array(scores), kind="stable")
        assert after.texts == [before.texts[place] for place in order]
        np.testing.assert_allclose(after.scores, np.array(scores)[order], atol=1e-4)
    with pytest.raises(UserError, match="other runs"):
        Decoder(*parts(translation(), 3), channel)
