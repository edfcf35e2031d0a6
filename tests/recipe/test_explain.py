"""Explaining: what a path means and the chain of values it was given."""

from pathlib import Path

import pytest

from seqcfg.errors import UserError
from seqcfg.recipe.explain import as_text, explain
from seqcfg.recipe.validate import resolve, with_sections

TINY = str(Path(__file__).parents[1] / "negative" / "bases" / "tiny.yaml")


def tell(path, *overrides):
    return as_text(explain(with_sections(resolve(TINY, overrides)), path))


def test_the_chain_runs_from_the_class_default_to_the_override():
    lines = tell("task.loss.label_smoothing", "task.loss.label_smoothing=0.2").splitlines()
    chain = [line.split() for line in lines[-3:]]
    assert chain[0] == ["0.0", "class", "default"]
    assert chain[1][:2] == ["0.1", "recipe"]
    assert chain[1][2].endswith("tiny.yaml:14:48")
    assert chain[2][:3] == ["->", "0.2", "override"]


def test_a_variable_shows_where_it_is_defined():
    chain = tell("task.model.source_embedding.dim").splitlines()[-2:]
    assert "variable" in chain[0]
    assert "tiny.yaml:3:15" in chain[0]
    assert "tiny.yaml:17:46" in chain[1]


def test_a_field_that_is_left_out_shows_type_range_and_default():
    text = tell("training.optimizer.beta1")
    assert "type: float >= 0" in text
    assert "default: 0.9" in text
    assert "class default" in text


def test_a_component_lists_its_fields():
    text = tell("task.model.encoder.layers[1].layer.layer")
    assert "layer multi_head_attention" in text
    assert "num_heads (int >= 1" in text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("training.stepz", "did you mean 'steps'?"),
        ("task.model.encoder.layers.7.rate", "it is a list of 2, counted from 0"),
        ("trainin.steps", "did you mean 'training'?"),
    ],
)
def test_a_path_that_leads_nowhere_names_the_nearest(path, hint):
    with pytest.raises(UserError) as caught:
        tell(path)
    assert caught.value.problems[0].hint == hint


def test_the_chain_is_in_order_of_strength_whatever_wins(tmp_path):
    """Base's defaults < base < recipe's defaults < recipe < override, each variable above the value it is part of."""
    (tmp_path / "base.yaml").write_text(
        "recipe_version: 1\nvars: {low: 0.1}\ndefaults: {layer.dropout: {rate: 0.05}}\n"
        "task: {type: translation, model: {type: encoder_decoder, encoder: "
        '{type: sequential, layers: [{type: dropout, rate: "${vars.low}"}]}}}\n'
    )
    recipe = tmp_path / "r.yaml"
    recipe.write_text('recipe_version: 1\nbase: base.yaml\nvars: {high: 0.3}\ndefaults: {layer.dropout: {rate: "${vars.high}"}}\n')
    path = "task.model.encoder.layers.0.rate"

    def rows(*overrides):
        lines = as_text(explain(with_sections(resolve(str(recipe), overrides)), path)).split("holds:\n")[1]
        return [tuple(line.replace("->", "").split()[:2]) for line in lines.splitlines()][1:]

    default = [("0.3", "variable"), ("0.3", "defaults")]
    assert rows() == [("0.05", "defaults"), ("0.1", "variable"), ("0.1", "base"), *default]
    assert rows(f"{path}=0.6") == [("0.05", "defaults"), ("${vars.low}", "base"), *default, ("0.6", "override")]
