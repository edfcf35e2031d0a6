"""What a continued run may change."""

import pytest

from seqcfg.errors import UserError
from seqcfg.training.resume import differences, refuse_changes

BEFORE = {"training": {"seed": 1, "steps": 10, "checkpoint": {"every_steps": 5}}, "task": {"layers": [{"type": "dense", "units": 4}]}}


def changed(**training):
    return BEFORE | {"training": BEFORE["training"] | training}


def test_more_steps_and_other_checkpoints_are_the_same_run():
    refuse_changes(BEFORE, changed(steps=20, checkpoint={"every_steps": 1}), "run")


def test_every_refused_field_is_named_with_both_values():
    now = changed(seed=2) | {"task": {"layers": [{"type": "dense", "units": 8}]}}
    with pytest.raises(UserError) as caught:
        refuse_changes(BEFORE, now, "run")
    assert [(problem.path, problem.message.split(",")[0]) for problem in caught.value.problems] == [
        ("task.layers.0.units", "8 here"),
        ("training.seed", "2 here"),
    ]
    assert "--run" in caught.value.problems[-1].hint


def test_a_list_of_another_length_differs_as_a_whole():
    assert differences({"a": [1, 2]}, {"a": [1]}) == [("a", [1, 2], [1])]


def test_a_field_that_one_side_lacks_differs():
    assert differences({"a": {"b": 1}}, {"a": {}}) == [("a.b", 1, None)]


def test_a_whole_number_is_not_the_same_as_true():
    assert differences({"a": 1}, {"a": True}) == [("a", 1, True)]
