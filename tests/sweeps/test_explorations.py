"""What is tried: grids, draws and proposals, and the values that the command line can write."""

import pytest

from seqcfg.errors import UserError
from seqcfg.sweeps.explorations import Grid, OptunaSampler, RandomDraws, Seen
from seqcfg.sweeps.space import Range, parse_over

SPACE = {"a": [1, 2], "b": ["x", "y", "z"]}
RATES = {"rate": Range(low=1e-4, high=1e-1, scale="log"), "layers": Range(low=1, high=6, is_whole=True), "kind": ["adam", {"type": "sgd"}]}


def proposals(exploration, space, seen=()):
    return [exploration.propose(space, index, list(seen), False) for index in range(exploration.count(space))]


def test_a_grid_is_every_combination_once():
    found = proposals(Grid(), SPACE)
    assert len(found) == 6 == len({tuple(values.items()) for values in found})
    assert found[:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]


def test_a_grid_takes_both_bounds_of_a_range_and_even_ratios():
    found = Range(low=1e-4, high=1.0, scale="log").points()
    assert found == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert Range(low=1, high=3, is_whole=True).points() == [1, 2, 3]


def test_an_empty_space_has_the_recipe_itself_as_its_one_setting():
    assert proposals(Grid(), {}) == [{}]


def test_draws_depend_on_seed_and_number_alone():
    exploration = RandomDraws(num_trials=50)
    found = proposals(exploration, RATES)
    assert found == proposals(exploration, RATES)
    assert found != proposals(RandomDraws(num_trials=50, seed=2), RATES)
    assert all(1e-4 <= values["rate"] <= 1e-1 and values["layers"] in range(1, 7) for values in found)
    assert sum(values["rate"] < 10**-2.5 for values in found) in range(13, 38)  # half of them, but for chance


def test_optuna_s_proposals_follow_what_was_reached_and_come_back_when_asked_again():
    exploration = OptunaSampler(num_trials=40, seed=3)
    seen = []
    for index in range(25):
        values = exploration.propose(RATES, index, seen, False)
        assert values == exploration.propose(RATES, index, seen, False)
        seen.append(Seen(values, abs(values["rate"] - 0.01) + (values["kind"] == "adam")))
    late = [one for one in seen[15:] if one.values["kind"] != "adam"]
    assert len(late) > 5  # sgd is better here, and a sampler that looks back has noticed
    assert all(isinstance(one.values["layers"], int) for one in seen)


def test_optuna_is_told_of_runs_that_were_given_up():
    seen = [Seen({"a": 1, "b": "x"}, 5.0, is_pruned=True), Seen({"a": 2, "b": "y"}, None)]
    assert OptunaSampler().propose(SPACE, 2, seen, False)["a"] in (1, 2)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a.b=1e-3,3e-4", ("a.b", [1e-3, 3e-4])),
        ("a.b=relu,gelu", ("a.b", ["relu", "gelu"])),
        ("a.b={type: sgd},{type: adam, beta2: 0.98}", ("a.b", [{"type": "sgd"}, {"type": "adam", "beta2": 0.98}])),
        ("a.b=[1, 2],null", ("a.b", [[1, 2], None])),
        ("a.b=1e-4..1e-2:log", ("a.b", Range(low=1e-4, high=1e-2, scale="log"))),
        ("a.b=1..6", ("a.b", Range(low=1.0, high=6.0, is_whole=True))),
    ],
)
def test_values_are_written_as_in_a_recipe(text, expected):
    assert parse_over(text) == expected


@pytest.mark.parametrize(
    "text, says", [("a.b", "not PATH=VALUES"), ("a=2..1", "not below high"), ("a=0..1:log", "no logarithm"), ("a=x..y", "two numbers")]
)
def test_what_is_no_choice_is_refused(text, says):
    with pytest.raises(UserError, match=says):
        parse_over(text)
