"""Metrics by hand, and against the sacrebleu command."""

import json
import math
import subprocess
import sys

import pytest

from seqcfg.errors import UserError
from seqcfg.metrics.bleu import Bleu
from seqcfg.metrics.chrf import Chrf
from seqcfg.metrics.exact_match import ExactMatch
from seqcfg.metrics.perplexity import Perplexity
from seqcfg.metrics.ter import Ter

HYPOTHESES = ["the cat sat on the mat .", "there is A dog, isn't there?", "ein kleiner Hund läuft"]
REFERENCES = ["the cat sat on a mat .", "There is a dog, isn't there?", "ein kleiner Hund rennt schnell"]


def single(references):
    return [[reference] for reference in references]


def command(tmp_path, *options):
    for name, lines in (("hypotheses", HYPOTHESES), ("references", REFERENCES)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    call = [sys.executable, "-m", "sacrebleu", str(tmp_path / "references"), "-i", str(tmp_path / "hypotheses"), "-w", "6", *options]
    return json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)


def test_bleu_by_hand():
    # "a b c d e" against "a b c d f": precisions 4/5, 3/4, 2/3, 1/2, equal lengths
    score = Bleu(tokenize="none").compute(["a b c d e"], [["a b c d f"]])
    assert score.value == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert score.details["brevity_penalty"] == 1.0
    # one word less than the reference, all right: the brevity penalty alone
    short = Bleu(tokenize="none").compute(["a b c d e"], [["a b c d e f"]])
    assert short.value == pytest.approx(100 * math.exp(1 - 6 / 5))


@pytest.mark.parametrize("bleu, options", [(Bleu(), []), (Bleu(tokenize="intl", lowercase=True), ["--tokenize", "intl", "-lc"])])
def test_bleu_is_that_of_the_sacrebleu_command(bleu, options, tmp_path):
    score = bleu.compute(HYPOTHESES, single(REFERENCES))
    theirs = command(tmp_path, *options)
    assert score.value == pytest.approx(theirs["score"], abs=1e-6)
    signature = dict(part.split(":", 1) for part in score.signature.split("|"))
    assert signature == {name: str(theirs[name]) for name in signature}


def test_chrf_is_that_of_the_sacrebleu_command(tmp_path):
    for word_order in (0, 2):
        theirs = command(tmp_path, "-m", "chrf", "--chrf-word-order", str(word_order))
        assert Chrf(word_order=word_order).compute(HYPOTHESES, single(REFERENCES)).value == pytest.approx(theirs["score"], abs=1e-6)
    assert [Chrf().label, Chrf(word_order=2).label] == ["chrf", "chrf++"]


def test_ter_is_that_of_the_sacrebleu_command(tmp_path):
    assert Ter().compute(HYPOTHESES, single(REFERENCES)).value == pytest.approx(command(tmp_path, "-m", "ter")["score"], abs=1e-6)


def test_chrf_by_hand():
    # characters: "ab" against "ac", orders 1 only: precision = recall = 1/2
    assert Chrf(char_order=1).compute(["ab"], [["ac"]]).value == pytest.approx(50.0)


def test_moses_words_are_cut_on_both_sides_and_named_in_the_signature():
    moses = Bleu(tokenize="moses", language="de", lowercase=True)
    score = moses.compute(["Ein Hund, der bellt."], [["ein Hund , der bellt ."]])
    assert score.value == pytest.approx(100.0) and score.name == "bleu_moses_lowercase"
    assert "tok:moses.de.sacremoses-" in score.signature and "case:lc" in score.signature
    assert Bleu(tokenize="none").compute(["Ein Hund, der bellt."], [["ein Hund , der bellt ."]]).value < 50


def test_several_references_count():
    two = Bleu(tokenize="none").compute(["a b c d"], [["x y z w", "a b c d"]])
    assert two.value == pytest.approx(100.0)
    uneven = Bleu(tokenize="none").compute(["a b c d", "e f g h"], [["x", "a b c d"], ["e f g h"]])
    assert uneven.value == pytest.approx(100.0)


def test_exact_match_counts_lines_and_forgives_spaces_only():
    score = ExactMatch().compute(["a  b ", "c", "D"], [["a b"], ["x", "c"], ["d"]])
    assert score.value == pytest.approx(200 / 3) and score.details == {"right": 2, "lines": 3}
    assert ExactMatch(lowercase=True).compute(["D"], [["d"]]).value == 100.0


def test_perplexity_is_the_number_of_equally_likely_tokens():
    score = Perplexity().from_means({"loss": 5.0, "nll": math.log(8.0)})
    assert score.value == pytest.approx(8.0) and score.better == "lower"
    assert Perplexity(loss="loss").from_means({"loss": 0.0}).value == 1.0
    assert Perplexity().from_means({"nll": 1e6}).value == math.inf
    with pytest.raises(UserError, match="needs 'nll'"):
        Perplexity().from_means({"loss": 1.0})


def test_perplexity_per_word_and_byte_spreads_the_same_nats_over_other_units():
    counts = {"tokens": 30, "words": 10, "bytes": 60}
    means = {"nll": 2.0}  # 60 nats in all
    found = {per: Perplexity(per=per).from_means(means, counts) for per in ("token", "word", "byte")}
    assert {per: score.value for per, score in found.items()} == pytest.approx({"token": math.exp(2), "word": math.exp(6), "byte": math.e})
    assert [score.name for score in found.values()] == ["perplexity", "perplexity_word", "perplexity_byte"]
    assert found["byte"].details["bits_per_byte"] == pytest.approx(1 / math.log(2))


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), ExactMatch()], ids=["bleu", "chrf", "exact_match"])
def test_unequal_or_empty_corpora_are_refused(metric):
    with pytest.raises(UserError, match="2 hypotheses are compared with 1 references"):
        metric.compute(["a", "b"], [["a"]])
    with pytest.raises(UserError, match="nothing to measure"):
        metric.compute([], [])
