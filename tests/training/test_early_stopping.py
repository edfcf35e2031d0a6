"""When a run ends because validation no longer gets better: histories written out by hand."""

import math

import pytest

from seqcfg.training.early_stopping import EarlyStopping


def validations(*losses, every=10):
    return [(every * (index + 1), {"loss": loss}) for index, loss in enumerate(losses)]


def test_a_run_ends_after_so_many_validations_without_progress():
    patient = EarlyStopping(patience=2)
    assert patient.verdict(validations(3.0, 2.0, 2.5)) == ""
    assert patient.verdict(validations(3.0, 2.0, 2.5, 2.1)) == "no better loss in 2 validations since step 20 (2)"


def test_progress_begins_the_count_anew():
    assert EarlyStopping(patience=2).verdict(validations(3.0, 3.5, 2.9, 3.0)) == ""


def test_an_improvement_within_the_noise_is_no_progress_and_does_not_move_the_mark():
    history = validations(3.0, 2.96, 2.92)  # 0.08 better in two small steps
    assert EarlyStopping(patience=2).verdict(history) == ""
    assert EarlyStopping(patience=2, min_improvement=0.1).verdict(history) != ""
    assert EarlyStopping(patience=2, min_improvement=0.05).verdict(history) == ""  # the second is measured against 3.0


def test_the_run_does_not_end_before_its_first_steps():
    history = validations(1.0, 2.0, 2.0)
    assert EarlyStopping(patience=2, min_steps=31).verdict(history) == ""
    assert EarlyStopping(patience=2, min_steps=30).verdict(history) != ""


def test_a_figure_may_be_to_maximise_and_nan_is_never_progress():
    history = [(1, {"bleu": 10.0}), (2, {"bleu": 20.0}), (3, {"bleu": math.nan}), (4, {"bleu": 19.0})]
    assert EarlyStopping(metric="bleu", goal="maximize", patience=2).verdict(history).endswith("since step 2 (20)")


def test_validations_without_the_figure_do_not_count():
    assert EarlyStopping(metric="bleu", goal="maximize", patience=1).verdict(validations(1.0, 2.0)) == ""


@pytest.mark.parametrize(("metric", "goal"), [("loss", "maximize"), ("bleu", "minimize")])
def test_the_wrong_direction_is_a_problem_of_the_recipe(metric, goal):
    assert [field for field, *_ in EarlyStopping(metric=metric, goal=goal).check()] == ["goal"]
