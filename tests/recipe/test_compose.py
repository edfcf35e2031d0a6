"""Bases, overrides, variables and defaults: who wins, and where the winner came from."""

import pytest

from seqcfg.errors import RecipeError
from seqcfg.recipe import override
from seqcfg.recipe.classes import apply_defaults
from seqcfg.recipe.compose import compose
from seqcfg.recipe.read import read_text
from seqcfg.recipe.variables import substitute


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write_file


def tree(text):
    return read_text(text, "r.yaml")


def override_all(text, *overrides):
    return override.apply(tree(text), overrides).plain()


def message(call, *args):
    with pytest.raises(RecipeError) as caught:
        call(*args)
    return str(caught.value.problems[0])


def test_mappings_merge_and_lists_replace(write):
    write("low.yaml", "a: {x: 1, y: 2}\nl: [1, 2, 3]\nk: old\n")
    file = write("top.yaml", "base: low.yaml\na: {y: 5, z: 6}\nl: [9]\n")
    plain = compose(file).plain()
    assert plain == {"base": "low.yaml", "a": {"x": 1, "y": 5, "z": 6}, "l": [9], "k": "old"}


def test_a_changed_type_drops_the_fields_of_the_old_one(write):
    write("low.yaml", "o: {type: adam, beta2: 0.9}\nkept: {type: adam, beta2: 0.9}\n")
    file = write("top.yaml", "base: low.yaml\no: {type: sgd, momentum: 0.5}\nkept: {type: adam, beta1: 0.8}\n")
    plain = compose(file).plain()
    assert plain["o"] == {"type": "sgd", "momentum": 0.5}
    assert plain["kept"] == {"type": "adam", "beta2": 0.9, "beta1": 0.8}


def test_later_bases_win_over_earlier_ones_and_the_file_over_both(write):
    write("one.yaml", "a: 1\nb: 1\nc: 1\n")
    write("two.yaml", "b: 2\nc: 2\n")
    file = write("top.yaml", "base: [one.yaml, two.yaml]\nc: 3\n")
    composed = compose(file)
    assert [composed.value[key].value for key in "abc"] == [1, 2, 3]
    assert [origin.value for origin in composed.value["c"].origins()] == [1, 2, 3]
    assert [origin.how for origin in composed.value["c"].origins()] == ["base", "base", "recipe"]


def test_what_a_base_says_about_itself_is_not_taken_over(write):
    write("low.yaml", "name: low\nabout: text\nclaims: [{metric: bleu}]\ntask: {type: x}\n")
    assert set(compose(write("top.yaml", "base: low.yaml\n")).value) == {"base", "task"}


def test_bases_are_found_relative_to_the_file_that_names_them(tmp_path, write):
    (tmp_path / "sub").mkdir()
    write("sub/a.yaml", "base: b.yaml\nx: 1\n")
    write("sub/b.yaml", "y: 2\n")
    assert compose(write("top.yaml", "base: sub/a.yaml\n")).value["y"].value == 2


def test_a_circle_of_bases_is_named(write):
    write("a.yaml", "base: b.yaml\n")
    write("b.yaml", "base: a.yaml\n")
    assert "a.yaml -> b.yaml -> a.yaml" in message(compose, write("a.yaml", "base: b.yaml\n"))


def test_a_chain_of_bases_is_stopped_before_python_is(write):
    for number in range(400):
        write(f"c{number}.yaml", f"recipe_version: 1\nbase: c{number + 1}.yaml\n")
    write("c400.yaml", "recipe_version: 1\n")
    assert "more than 32 files" in message(compose, write("top.yaml", "base: c0.yaml\n"))


def test_bases_that_double_are_stopped(write):
    write("b0.yaml", "x: 1\n")
    for index in range(1, 12):
        write(f"b{index}.yaml", f"base: [b{index - 1}.yaml, b{index - 1}.yaml]\n")
    assert "more than 32 files" in message(compose, write("top.yaml", "base: b11.yaml\n"))


def test_overrides_are_typed_as_yaml():
    assert override_all("a: {b: 1}", "a.b=2.5", "a.c=true", "a.d=[1, x]", "e=text", "f=") == {
        "a": {"b": 2.5, "c": True, "d": [1, "x"]},
        "e": "text",
        "f": None,
    }


def test_list_items_can_be_named_with_brackets_or_dots():
    text = "blocks: [{rate: 1}, {rate: 2}]"
    expected = {"blocks": [{"rate": 1}, {"rate": 7}]}
    assert override_all(text, "blocks[1].rate=7") == override_all(text, "blocks.1.rate=7") == expected


def test_missing_mappings_on_the_way_are_made():
    assert override_all("a: 1", "t.c.every=5") == {"a": 1, "t": {"c": {"every": 5}}}


def test_an_exclamation_mark_removes_a_key_or_an_item():
    assert override_all("a: {b: 1, c: 2}\nl: [1, 2]", "a.b!", "l[0]!") == {"a": {"c": 2}, "l": [2]}


def test_an_override_of_a_type_drops_old_fields_and_keeps_overridden_ones():
    found = override_all("o: {type: adam, beta2: 0.9}", "o.momentum=0.5", "o.type=sgd")
    assert found == {"o": {"type": "sgd", "momentum": 0.5}}


@pytest.mark.parametrize(
    ("text", "part"),
    [("a.b", "path=value"), ("a..b=1", "empty part"), ("l[5]=1", "list of 2"), ("a.x.y=1", "no keys"), ("c!", "nothing to remove"),
     ("a=[1", "comma"), ("l.x=1", "list of 2")],
)  # fmt: skip
def test_overrides_that_make_no_sense_are_answered(text, part):
    found = message(override_all, "a: {x: 1}\nl: [1, 2]", text)
    assert found.startswith(f"--set {text}")
    assert part in found


def test_a_variable_that_is_the_whole_value_keeps_its_type():
    found = substitute(tree("vars: {n: 3, s: x, l: [1, 2]}\na: ${vars.n}\nb: n=${vars.n}, ${vars.s}\nc: ${vars.l}\n"))
    assert found.plain()["a"] == 3
    assert found.plain()["b"] == "n=3, x"
    assert found.plain()["c"] == [1, 2]


def test_variables_may_use_variables_and_can_be_escaped():
    found = substitute(tree("vars: {a: 1, b: '${vars.a}'}\nx: ${vars.b}\ny: $${vars.a}\n"))
    assert (found.plain()["x"], found.plain()["y"]) == (1, "${vars.a}")


def test_a_variable_keeps_the_place_of_its_use_and_remembers_its_definition():
    node = substitute(tree("vars:\n  n: 3\na: ${vars.n}\n")).value["a"]
    assert node.place.line == 3
    assert [(origin.line, origin.value, origin.how) for origin in node.origins()] == [(2, 3, "variable"), (3, 3, "recipe")]


def test_variables_cannot_grow_without_bounds():
    lines = ["vars:", "  v0: [x, x, x, x, x, x, x, x]"]
    lines += [f"  v{i}: [" + ", ".join([f'"${{vars.v{i - 1}}}"'] * 8) + "]" for i in range(1, 9)]
    assert "grow" in message(substitute, tree("\n".join(lines) + "\nout: ${vars.v8}\n"))
    texts = ["vars:", "  v0: " + "x" * 1000, *(f"  v{i}: " + f"${{vars.v{i - 1}}}" * 10 for i in range(1, 6))]
    assert "grow" in message(substitute, tree("\n".join(texts) + "\n"))
    deep = ["vars:", "  v0: 1", *(f"  v{i}: ['${{vars.v{i - 1}}}']" for i in range(1, 400))]
    assert "deep" in message(substitute, tree("\n".join(deep) + "\n"))


RECIPE = "task: {type: translation, model: {type: encoder_decoder, encoder: %s}}\n"


def encoder(text, fields="{type: residual, layer: {type: dropout}}"):
    return apply_defaults(tree(text + RECIPE % fields)).plain()["task"]["model"]["encoder"]


def test_defaults_fill_what_is_not_written():
    found = encoder("defaults: {layer.residual: {dropout: 0.3, norm: {type: layer_norm}}}\n")
    assert found == {"type": "residual", "layer": {"type": "dropout"}, "dropout": 0.3, "norm": {"type": "layer_norm"}}


def test_what_is_written_wins_over_defaults():
    assert encoder("defaults: {layer.dropout: {rate: 0.3}}\n", "{type: dropout, rate: 0.1}")["rate"] == 0.1


def test_defaults_reach_components_that_defaults_made():
    text = "defaults: {layer.residual: {norm: {type: layer_norm}}, layer.layer_norm: {epsilon: 0.5}}\n"
    assert encoder(text)["norm"] == {"type": "layer_norm", "epsilon": 0.5}


def test_defaults_merge_with_a_written_mapping_of_the_same_type_only():
    text = "defaults: {layer.residual: {norm: {type: layer_norm, epsilon: 0.5}}}\n"
    written = "{type: residual, layer: {type: dropout}, norm: {type: %s}}"
    assert encoder(text, written % "layer_norm")["norm"] == {"type": "layer_norm", "epsilon": 0.5}
    assert encoder(text, written % "rms_norm")["norm"] == {"type": "rms_norm"}


def test_defaults_of_a_recipe_win_over_what_its_base_writes_and_those_of_the_base_do_not(write):
    write("low.yaml", "defaults: {layer.dropout: {rate: 0.9}}\n" + RECIPE % "{type: dropout, rate: 0.1}")
    rate = lambda file: apply_defaults(compose(file)).plain()["task"]["model"]["encoder"]["rate"]  # noqa: E731
    assert rate(write("keeps.yaml", "base: low.yaml\n")) == 0.1
    assert rate(write("changes.yaml", "base: low.yaml\ndefaults: {layer.dropout: {rate: 0.5}}\n")) == 0.5
    own = "base: low.yaml\ndefaults: {layer.dropout: {rate: 0.5}}\ntask: {model: {encoder: {rate: 0.2}}}\n"
    assert rate(write("writes.yaml", own)) == 0.2
