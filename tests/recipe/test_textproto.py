"""The protobuf text form: nothing is lost on the way there and back, protobuf agrees, mistakes are named with their place."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcfg.cli import cli
from seqcfg.errors import RecipeError
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from seqcfg.recipe.read import read_file, read_text
from seqcfg.recipe.recipe_proto import Recipe
from seqcfg.recipe.textproto_read import read_textproto
from seqcfg.recipe.textproto_write import to_textproto
from seqcfg.recipe.validate import validate
from seqcfg.recipe.variables import substitute
from seqcfg.recipe.write import to_yaml

TINY = Path(__file__).parents[1] / "negative" / "bases" / "tiny.yaml"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["${vars.x}", "$${", "a\"b'c\\d", "line\nend\r\t", "\x7f\x85\u2028\ufeff", "no", "1", "\\101", "äöü😀"]
)
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(lambda key: key.strip() == key)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
RECIPES = st.dictionaries(KEYS.filter(lambda key: key not in ("vars", "base")), VALUES, max_size=4)


def back(text):
    return substitute(read_textproto(text, "r.textproto")).plain()


def of_message(value):
    """A plain value from protobuf's own message."""
    kind = value.WhichOneof("kind")
    if kind == "null":
        return None
    if kind == "list":
        return [of_message(item) for item in value.list.items]
    if kind == "mapping":
        return {field.key: of_message(field.value) for field in value.mapping.fields}
    return getattr(value, kind)


def check_no_loss(recipe):
    text = to_textproto(recipe)
    assert repr(back(text)) == repr(recipe)
    message = text_format.Parse(text, Recipe())
    by_protobuf = {field.key: of_message(field.value) for field in message.fields}
    ours = read_textproto(text, "r").plain()
    assert repr(by_protobuf) == repr(ours)
    assert repr(back(text_format.MessageToString(message))) == repr(recipe)
    assert repr(back(text_format.MessageToString(message, as_utf8=True, as_one_line=True))) == repr(recipe)


@settings(max_examples=100, deadline=None)
@given(RECIPES)
def test_nothing_is_lost_and_protobuf_agrees(recipe):
    check_no_loss(recipe)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(RECIPES)
def test_nothing_is_lost_in_thousands_of_recipes(recipe):
    check_no_loss(recipe)


@settings(max_examples=60, deadline=None)
@given(RECIPES)
def test_yaml_and_textproto_of_a_recipe_are_the_same_recipe(recipe):
    from_yaml = substitute(read_text(to_yaml(recipe) if recipe else "{}", "r.yaml")).plain()
    assert repr(from_yaml) == repr(back(to_textproto(recipe))) == repr(recipe)


@pytest.mark.parametrize("name", shipped.names())
def test_every_shipped_recipe_means_the_same_in_this_form(name, tmp_path):
    experiment = load(shipped.find(name), allow_base=True)
    for form in (experiment.resolved, experiment.canonical()):
        file = tmp_path / "r.textproto"
        file.write_text(to_textproto(form), encoding="utf-8")
        again = load(file, allow_base=True)
        assert again.fingerprint == experiment.fingerprint
        assert json.dumps(again.canonical()) == json.dumps(experiment.canonical())


def test_show_prints_a_form_that_validates_again(tmp_path):
    shown = CliRunner().invoke(cli, ["show", str(TINY), "--format", "textproto"], standalone_mode=False).output
    file = tmp_path / "r.textproto"
    file.write_text(shown)
    assert validate(str(file)) == []
    assert load(file).fingerprint == load(TINY).fingerprint


def test_values_know_where_they_stand(tmp_path):
    file = tmp_path / "r.txtpb"
    file.write_text(
        'fields { key: "recipe_version" value { integer: 1 } }\n'
        'fields {\n  key: "training"\n  value { mapping {\n    fields { key: "steps" value { integer: 0 } }\n  } }\n}\n'
    )
    tree = read_file(str(file))
    steps = tree.value["training"].value["steps"]
    assert (steps.place.line, steps.place.column) == (5, 44)
    assert (steps.key_place.line, steps.key_place.column) == (5, 19)
    problems = [(problem.line, problem.path) for problem in validate(str(file)) if problem.path == "training.steps"]
    assert problems == [(5, "training.steps")]


MISTAKES = {
    'fields { key: "a" value { integer: 1 } ': ("E0131", 1, 40),
    'fields { key: "a" }': ("E0131", 1, 8),
    "fields { value { integer: 1 } }": ("E0131", 1, 8),
    'field { key: "a" }': ("E0131", 1, 1),
    "\n  @": ("E0131", 2, 3),
    'fields { key: "a" value { integer: 1.5 } }': ("E0131", 1, 36),
    'fields { key: "a" value { integer: 1 number: 2 } }': ("E0131", 1, 38),
    'fields { key: "a" value { number: inf } }': ("E0128", 1, 35),
    'fields { key: "a" value { number: -nan } }': ("E0128", 1, 35),
    'fields { key: "a" value { number: 1e999 } }': ("E0128", 1, 35),
    'fields { key: "a" value { integer: 9223372036854775808 } }': ("E0128", 1, 36),
    'fields { key: "a" value { text: "\\000" } }': ("E0105", 1, 33),
    'fields { key: "a" value { text: "\\377" } }': ("E0104", 1, 33),
    'fields { key: "a" value { text: "\\ud800" } }': ("E0104", 1, 33),
    'fields { key: "a" value { text: "\\q" } }': ("E0131", 1, 33),
    'fields { key: "a" value { text: "a\n" } }': ("E0131", 1, 33),
    'fields { key: "a" value { null: false } }': ("E0131", 1, 33),
    'fields { key: "a" value { colour: 3 } }': ("E0131", 1, 27),
    'fields { key: "a" value { integer: 1 } }\nfields { key: "a" value { integer: 1 } }': ("E0107", 2, 15),
    "}": ("E0131", 1, 1),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place(text):
    with pytest.raises(RecipeError) as failure:
        read_textproto(text, "r.textproto")
    problem = failure.value.problems[0]
    assert (problem.code, problem.line, problem.column) == MISTAKES[text]


def test_depth_and_number_of_values_are_bounded():
    deep = 'fields { key: "a" value { mapping { ' * 70 + "} } } " * 70
    many = "fields { key: 'a' value { list { " + "items { integer: 1 } " * 100_001 + "} } }"
    for text, code in {deep: "E0130", many: "E0129"}.items():
        with pytest.raises(RecipeError) as failure:
            read_textproto(text, "r")
        assert failure.value.problems[0].code == code


def test_what_the_text_format_allows_besides_is_read():
    text = "# comment\nfields: { key: 'a' 'b', value: { text: \"x\" 'y\\x41\\u00e4'; } };\nfields { value { number: 2 } key: \"c\" }"
    assert read_textproto(text, "r").plain() == {"ab": "xyAä", "c": 2.0}
    message = text_format.Parse(text, Recipe())
    assert [field.key for field in message.fields] == ["ab", "c"]
