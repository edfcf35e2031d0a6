"""Migrations change what must change and nothing else."""

from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcfg.cli import cli
from seqcfg.errors import RecipeError
from seqcfg.recipe.migrate import migrate
from seqcfg.recipe.migrations import MIGRATIONS, Migration, current_version
from seqcfg.recipe.read import read_text
from seqcfg.recipe.sections import Recipe
from seqcfg.recipe.validate import validate

OLD = """\
# A comment at the top.
recipe_version: 1     # the version
"name": 'mine'

layers:
    - {type: linear, "size": 8}   # kept

    - type:  "linear"
      size:    16
      about: "size: 3"
    - type: other
      size: 4
"""
NEW = """\
# A comment at the top.
recipe_version: 2     # the version
"name": 'mine'

layers:
    - {type: dense, "units": 8}   # kept

    - type:  "dense"
      units:    16
      about: "size: 3"
    - type: other
      size: 4
"""


def linear_is_dense(draft):
    for _, mapping in draft.mappings("linear"):
        draft.rename_key(mapping, "size", "units")
    draft.rename_type("linear", "dense")


def halves_double(draft):
    for _, mapping in draft.mappings():
        if "half" in mapping.value:
            draft.set_value(mapping.value["half"], 2 * mapping.value["half"].value)
            draft.rename_key(mapping, "half", "whole")


@pytest.fixture
def one_step(monkeypatch):
    monkeypatch.setattr("seqcfg.recipe.migrations.MIGRATIONS", steps := [Migration("linear is called dense", linear_is_dense)])
    return steps


@pytest.fixture
def two_steps(one_step):
    one_step.append(Migration("half is whole", halves_double))


def test_only_what_must_change_changes(one_step):
    assert migrate(OLD, "r.yaml") == (NEW, ["1 -> 2: linear is called dense"])


def test_twice_is_once(one_step):
    once, _ = migrate(OLD, "r.yaml")
    assert migrate(once, "r.yaml") == (once, [])


def test_line_ends_of_windows_stay(one_step):
    assert migrate(OLD.replace("\n", "\r\n"), "r.yaml")[0] == NEW.replace("\n", "\r\n")


def test_json_is_migrated_too(one_step):
    assert migrate('{"recipe_version": 1,\n\t"a": {"type": "linear", "size": 8}}', "r.json")[0] == (
        '{"recipe_version": 2,\n\t"a": {"type": "dense", "units": 8}}'
    )


def test_steps_follow_one_another_from_any_version(two_steps):
    text, steps = migrate("recipe_version: 1\na: {type: linear, half: 0.25}\n", "r.yaml")
    assert text == "recipe_version: 3\na: {type: dense, whole: 0.5}\n"
    assert len(steps) == 2
    assert migrate("recipe_version: 2\na: {type: linear, half: 4}\n", "r.yaml")[0] == "recipe_version: 3\na: {type: linear, whole: 8}\n"


def test_defaults_of_a_renamed_type_follow(one_step):
    text = "recipe_version: 1\ndefaults: {layer.linear: {size: 3}, layer.other: {size: 4}}\n"
    assert migrate(text, "r.yaml")[0] == "recipe_version: 2\ndefaults: {layer.dense: {units: 3}, layer.other: {size: 4}}\n"


def test_a_key_under_both_names_is_refused(one_step):
    with pytest.raises(RecipeError, match="both are here") as failure:
        migrate("recipe_version: 1\na:\n  type: linear\n  size: 8\n  units: 8\n", "r.yaml")
    assert (failure.value.problems[0].line, failure.value.problems[0].code) == (4, "E0243")


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.sampled_from([1, 0.5, "x", "ä€😀", "a b", None, True, ""]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "size", "half", "ä", "b c"]), inner | st.just("linear"), max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_recipe_migrates_once_and_for_all(value):
    from seqcfg.recipe.write import to_yaml

    def rename(draft):
        for _, mapping in draft.mappings():
            draft.rename_key(mapping, "size", "units")

    text = to_yaml({"ö😀": value, "recipe_version": 1})
    MIGRATIONS.append(Migration("size is units", rename))
    try:
        once, steps = migrate(text, "r.yaml")
        assert len(steps) == 1
        assert migrate(once, "r.yaml") == (once, [])
    finally:
        MIGRATIONS.pop()
    before, after = read_text(text, "r").plain(), read_text(once, "r").plain()

    def renamed(part):
        if isinstance(part, dict):
            return {("units" if key == "size" else key): renamed(inner) for key, inner in part.items()}
        return [renamed(inner) for inner in part] if isinstance(part, list) else part

    assert after == renamed(before) | {"recipe_version": 2}


def test_an_old_recipe_or_base_says_how_it_is_migrated(two_steps, tmp_path):
    (tmp_path / "base.yaml").write_text("recipe_version: 1\n")
    file = tmp_path / "r.yaml"
    file.write_text("recipe_version: 3\nbase: base.yaml\n")
    (problem,) = validate(str(file))
    assert (problem.code, Path(problem.file).name, problem.line) == ("E0242", "base.yaml", 1)
    assert "seqcfg migrate --write" in problem.hint


def test_the_section_class_reads_the_current_version():
    assert get_args(get_type_hints(Recipe)["recipe_version"]) == (current_version(),)


def run(*arguments):
    return CliRunner().invoke(cli, ["migrate", *arguments])


def test_the_command_shows_checks_and_writes(one_step, tmp_path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_bytes(OLD.encode())
    new.write_bytes(NEW.encode())
    shown = run(str(old), str(new)).output
    assert "-    - {type: linear" in shown and "+    - {type: dense" in shown
    assert run(str(old), str(new), "--check").exit_code == 1
    assert old.read_text() == OLD
    assert run(str(old), str(new), "--write").output.endswith("2 recipes: 1 rewritten\n")
    assert (old.read_text(), new.read_text()) == (NEW, NEW)
    assert run(str(old), str(new), "--check").exit_code == 0


def test_a_recipe_of_the_future_or_without_version_is_left_alone(tmp_path):
    file = tmp_path / "r.yaml"
    for text, code in {"recipe_version: 99\n": "E0241", "name: x\n": "E0240", "recipe_version: true\n": "E0241"}.items():
        file.write_text(text)
        result = run(str(file), "--write")
        assert isinstance(result.exception, RecipeError)
        assert result.exception.problems[0].code == code
        assert file.read_text() == text
