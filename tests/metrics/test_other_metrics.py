"""Metrics of speech, summaries, labels and rankings by hand and against reference packages; COMET's process with a stand-in."""

import sys

import jiwer
import pytest
from rouge_score.rouge_scorer import RougeScorer

from seqcfg.errors import UserError
from seqcfg.metrics.comet import Comet
from seqcfg.metrics.error_rate import CharacterErrorRate, PhonemeErrorRate, WordErrorRate
from seqcfg.metrics.labels import F1, Precision, Recall
from seqcfg.metrics.ranking import Accuracy, MeanAveragePrecision
from seqcfg.metrics.rouge import Rouge
from tests.metrics.test_additive import FIRST, LISTS, REFERENCES, WORDS


def value(metric, hypothesis, *references):
    return metric.compute([hypothesis], [list(references)]).value


def test_word_errors_by_hand():
    # "the cat sat" -> "a cat sat down": one substitution, one insertion, 3 words
    score = WordErrorRate().compute(["a cat sat down"], [["the cat sat"]])
    assert score.value == pytest.approx(200 / 3)
    assert score.details == {"substitutions": 1, "deletions": 0, "insertions": 1, "right": 2, "reference_units": 3}


def test_word_and_character_error_rates_are_jiwer_s():
    plain = {"lowercase": False, "keep_punctuation": True}
    assert WordErrorRate(**plain).compute(FIRST, LISTS).value == pytest.approx(100 * jiwer.wer(REFERENCES, FIRST))
    assert CharacterErrorRate(**plain).compute(FIRST, LISTS).value == pytest.approx(100 * jiwer.cer(REFERENCES, FIRST))


def test_normalisation_is_what_the_signature_says():
    assert value(WordErrorRate(), "dont  STOP rock-and-roll", "Don't stop: rock-and-roll!") == pytest.approx(100 / 3)  # don't is not dont
    assert value(WordErrorRate(), "ve\u0301lo", "v\u00e9lo") == 0.0
    assert value(WordErrorRate(keep_punctuation=True), "stop", "stop.") == 100.0
    assert value(WordErrorRate(lowercase=False), "Stop", "stop") == 100.0
    assert WordErrorRate().compute(["a"], [["a"]]).signature == f"case:lc|punct:dropped|form:NFC|space:single|jiwer:{jiwer_version()}"


def jiwer_version():
    from importlib.metadata import version

    return version("jiwer")


def test_characters_count_spaces_unless_told_not_to():
    assert value(CharacterErrorRate(), "ab", "a b") == pytest.approx(100 / 3)
    assert value(CharacterErrorRate(keep_spaces=False), "ab", "a b") == 0.0


def test_empty_references_and_outputs_have_a_rate():
    assert (
        value(WordErrorRate(), "", "") == 0.0 and value(WordErrorRate(), "a b", "") == 200.0 and value(WordErrorRate(), "", "a b") == 100.0
    )
    assert value(CharacterErrorRate(), "", "a") == 100.0 and value(CharacterErrorRate(), "a", "") == 100.0


def test_phonemes_forgive_stress_and_take_the_nearest_pronunciation():
    assert value(PhonemeErrorRate(), "T AH0 M EY1", "T AH0 M EY2") == 25.0
    assert value(PhonemeErrorRate(keep_stress=False), "T AH0 M EY1", "T AH0 M EY2") == 0.0
    assert value(PhonemeErrorRate(), "T AH0 M AA1", "T AH0 M EY1 X Y", "T AH0 M AA1 T") == pytest.approx(20.0)
    assert value(PhonemeErrorRate(ignored=["SIL"]), "SIL T AH", "T AH SIL") == 0.0


def test_phoneme_errors_are_jiwer_s_word_errors_over_phonemes():
    spell = {word: f"{'PTKBDGMN'[number % 8]} {'AEIOU'[number % 5]}H{number % 3}" for number, word in enumerate(WORDS)}
    said, written = ([" ".join(spell[word] for word in text.split()) for text in texts] for texts in (REFERENCES, FIRST))
    found = PhonemeErrorRate().compute(written, [[one] for one in said])
    assert 10 < found.value < 90 and found.value == pytest.approx(100 * jiwer.wer(said, written))


@pytest.mark.parametrize("variant", ["1", "2", "L"])
def test_rouge_is_that_of_the_package_rouge_score(variant):
    name = f"rouge{variant}"
    theirs = [RougeScorer([name]).score(reference, hypothesis)[name] for reference, hypothesis in zip(REFERENCES, FIRST)]
    for measure, place in (("precision", 0), ("recall", 1), ("f1", 2)):
        metric = Rouge(variant=variant, measure=measure, words="ascii")
        assert metric.line_values(metric.statistics(FIRST, LISTS)) == pytest.approx([100 * one[place] for one in theirs])


SUMMARY = (
    "The police killed the gunman. Nobody else was hurt! They say so.",
    "Police say: nobody was hurt. The gunman was killed by police.",
)


@pytest.mark.parametrize("variant, stemming", [("Lsum", False), ("Lsum", True), ("L", True), ("1", True)])
def test_rouge_of_sentences_and_stems_is_that_of_the_package_rouge_score(variant, stemming):
    name = f"rouge{variant}"
    hypotheses, references = [*FIRST, SUMMARY[0], "running runners ran", ""], [*REFERENCES, SUMMARY[1], "the runner runs", "a b"]
    lines = [[text.replace(". ", ".\n").replace("! ", "!\n") for text in pair] for pair in zip(references, hypotheses)]
    scorer = RougeScorer([name], use_stemmer=stemming)
    theirs = [scorer.score(*pair)[name] for pair in lines]
    for measure, field in (("f1", "fmeasure"), ("precision", "precision"), ("recall", "recall")):
        metric = Rouge(variant=variant, measure=measure, words="ascii", stemming=stemming)
        wanted = 100 * sum(getattr(one, field) for one in theirs) / len(theirs)
        assert metric.compute(hypotheses, [[one] for one in references]).value == pytest.approx(wanted)


def test_rouge_by_hand_and_beyond_ascii():
    # "police killed the gunman" / "police kill the gunman": 3 of 4 words in order (Lin 2004, section 3.1)
    assert value(Rouge(), "police kill the gunman", "police killed the gunman") == pytest.approx(75.0)
    assert value(Rouge(), "Grüße, Welt", "grüße welt") == pytest.approx(100.0)
    assert value(Rouge(variant="1"), "a b", "x y", "a c") == pytest.approx(50.0)


def test_labels_by_hand():
    # wanted: a a b c; found: a b b z -> a: 1 right, 1 missed; b: 1 right, 1 wrong; c: missed; z: wrong, no label
    found, wanted = ["a", "b", "b", "z"], [["a"], ["a"], ["b"], ["c"]]
    assert F1().compute(found, wanted).value == pytest.approx(100 * (2 / 3 + 2 / 3 + 0) / 3)
    assert F1(average="micro").compute(found, wanted).value == pytest.approx(50.0)
    assert F1(average="weighted").compute(found, wanted).value == pytest.approx(100 * (2 * 2 / 3 + 2 / 3 + 0) / 4)
    assert Precision().compute(found, wanted).value == pytest.approx(100 * (1 + 1 / 2 + 0) / 3)
    assert Recall().compute(found, wanted).value == pytest.approx(100 * (1 / 2 + 1 + 0) / 3)


def test_bags_of_labels_count_each_label_of_a_line():
    bags = {"labels": "words", "average": "micro"}
    assert value(Precision(**bags), "x y z", "y x") == pytest.approx(200 / 3)
    assert value(Recall(**bags), "x", "x y") == 50.0


def test_labels_that_two_systems_invent_do_not_change_the_shape_of_statistics():
    wanted = [["a"], ["b"]]
    assert F1().statistics(["a", "q"], wanted).shape == F1().statistics(["w", "e"], wanted).shape == (2, 7)


def test_accuracy_looks_at_the_top_outputs():
    found, wanted = [["a", "b", "c"], ["x", "y", "z"]], [["b"], ["z"]]
    values = {top: Accuracy(top=top).compute(found, wanted) for top in (1, 2, 3)}
    assert {top: score.value for top, score in values.items()} == {1: 0.0, 2: 50.0, 3: 100.0}
    assert [score.name for score in values.values()] == ["accuracy", "accuracy_top2", "accuracy_top3"]


def test_average_precision_by_hand():
    # right ones at the ranks 1 and 3 of 2 right ones: (1/1 + 2/3) / 2
    score = MeanAveragePrecision(top=4).compute([["a", "x", "b", "y"], ["q", "r"]], [["a", "b"], ["r"]])
    assert score.value == pytest.approx(100 * ((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert value(MeanAveragePrecision(top=1), ["a"], "a", "b") == 100.0  # no more than one can be found
    assert value(MeanAveragePrecision(top=2), ["a", "a", "b"], "b") == 50.0  # equal outputs count once


STAND_IN = """
import json, os
def download_model(name):
    if name != "Unbabel/wmt22-comet-da": raise KeyError(f"Model '{name}' not supported by COMET.")
    return "file"
class Model:
    def predict(self, samples, batch_size, gpus, progress_bar):
        print("libraries say things")
        assert all(set(one) == {"src", "mt", "ref"} for one in samples) and batch_size == 8 and gpus == 0
        scores = [len(one["mt"]) / len(one["ref"]) for one in samples]
        return type("Prediction", (), {"scores": scores, "system_score": sum(scores) / len(scores)})
def load_from_checkpoint(path):
    return Model()
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """An interpreter whose `comet` is a stand-in of the same interface."""
    (tmp_path / "comet").mkdir()
    (tmp_path / "comet" / "__init__.py").write_text(STAND_IN)
    metadata = tmp_path / "unbabel_comet-2.2.7.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: unbabel-comet\nVersion: 2.2.7\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SEQCFG_COMET_PYTHON", sys.executable)
    clear()
    yield
    clear()


def clear():
    from seqcfg.metrics.comet import version

    version.cache_clear()


def test_comet_sends_triples_to_another_interpreter_and_takes_the_mean(stand_in):
    score = Comet().compute(["ab", "abcd"], [["abcd"], ["abcd", "x"]], sources=["s", "t"])
    assert score.value == pytest.approx(75.0) and score.signature == "model:Unbabel/wmt22-comet-da|unbabel-comet:2.2.7"
    with pytest.raises(UserError, match="'nobody/nothing' failed: KeyError"):
        Comet(model="nobody/nothing").compute(["a"], [["a"]], sources=["a"])


def test_comet_says_how_it_is_installed(monkeypatch):
    clear()
    monkeypatch.delenv("SEQCFG_COMET_PYTHON", raising=False)
    with pytest.raises(UserError, match="(?s)environment of its own.*pip install unbabel-comet"):
        Comet().compute(["a"], [["a"]], sources=["a"])
    monkeypatch.setenv("SEQCFG_COMET_PYTHON", sys.executable)
    with pytest.raises(UserError, match="has no unbabel-comet"):
        Comet().compute(["a"], [["a"]], sources=["a"])
    monkeypatch.setenv("SEQCFG_COMET_PYTHON", "none/python")
    with pytest.raises(UserError, match="cannot be run"):
        Comet().compute(["a"], [["a"]], sources=["a"])
    with pytest.raises(UserError, match="no such file"):
        Comet(model="missing.ckpt").compute(["a"], [["a"]], sources=["a"])
    with pytest.raises(UserError, match="compares outputs with sources"):
        Comet().compute(["a"], [["a"]])
    clear()
