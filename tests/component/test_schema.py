"""The editor schema: committed, valid, and of one mind with the flat validators."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from referencing import Registry

from seqcfg.commands.schema import TYPELESS, named
from seqcfg.component.catalog import load
from seqcfg.component.schema import component_schema
from seqcfg.errors import RecipeError
from seqcfg.recipe import shipped
from seqcfg.recipe.structure import check_structure
from seqcfg.recipe.validate import resolve, with_sections

ROOT = Path(__file__).parents[2]
NEGATIVE = sorted((ROOT / "tests" / "negative").glob("*.yaml"))
FILES = [*NEGATIVE, ROOT / "tests/negative/bases/tiny.yaml", *(shipped.find(name) for name in shipped.names())]


@pytest.fixture(scope="module")
def schema():
    done = subprocess.run([sys.executable, "-m", "seqcfg", "schema"], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


@pytest.fixture(scope="module")
def editor(schema):
    return Draft7Validator(json.loads(schema), registry=Registry())


def test_the_committed_schema_is_that_of_the_code(schema):
    committed = (ROOT / "schemas" / "recipe.schema.json").read_text(encoding="utf-8")
    assert committed == schema, "run `make schemas`"


def test_the_schema_is_valid_draft_7(schema):
    Draft7Validator.check_schema(json.loads(schema))


def test_every_reference_leads_somewhere(schema):
    whole = json.loads(schema)

    def references(part):
        if isinstance(part, dict):
            if "$ref" in part:
                yield part["$ref"]
            for inner in part.values():
                yield from references(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from references(inner)

    assert {name.removeprefix("#/definitions/") for name in references(whole)} <= set(whole["definitions"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_editor_and_command_line_agree(file, editor):
    try:
        tree = resolve(str(file))
    except RecipeError:
        return  # never reaches a schema
    is_fine = not check_structure(with_sections(tree))
    assert editor.is_valid(tree.plain()) == is_fine


def test_recipes_as_written_please_the_editor(editor):
    """Bases, variables and defaults are still in the text that an editor sees."""
    from seqcfg.recipe.read import read_file

    for name in shipped.names():
        errors = list(editor.iter_errors(read_file(str(shipped.find(name))).plain()))
        assert not errors, f"{name}: {errors[0].message}"


def test_mutations_of_a_valid_recipe_get_the_same_verdict(editor):
    """Each scalar of a recipe is replaced in turn by values of other types."""
    from seqcfg.recipe.read import read_text
    from seqcfg.recipe.write import to_yaml

    tree = resolve(str(ROOT / "tests/negative/bases/tiny.yaml"))
    leaves = [path for path, node in tree.walk() if not node.is_mapping and not node.is_list]
    assert len(leaves) > 20
    for path in leaves:
        for value in (-1, 0.5, "x", True, None, [], {}):
            changed = copy.deepcopy(tree.plain())
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            verdict = not check_structure(with_sections(read_text(to_yaml(changed), "r.yaml")))
            assert editor.is_valid(changed) == verdict, f"{path} = {value!r}"


@pytest.fixture(scope="module")
def committed():
    return json.loads((ROOT / "schemas" / "recipe.schema.json").read_text(encoding="utf-8"))["definitions"]


def names():
    """kind.type of every component that has a schema of its own, and the kinds whose `type:` chooses."""
    kinds = [kind for kind, family in load().items() if family and kind not in TYPELESS]
    return kinds + [f"{kind}.{type}" for kind, family in load().items() for type in family]


@pytest.mark.parametrize("name", names())
def test_a_component_s_schema_is_what_the_committed_one_has_of_it(name, committed):
    found = component_schema(named(name))
    Draft7Validator.check_schema(found)
    differing = [part for part, schema in found["definitions"].items() if committed.get(part, schema) != schema]
    assert not differing
    assert found["allOf"][0]["$ref"].rpartition("/")[2] in found["definitions"]


def test_a_component_s_schema_holds_what_is_below_it_too():
    dense = Draft7Validator(component_schema(named("layer.residual")), registry=Registry())
    assert dense.is_valid({"type": "residual", "layer": {"type": "dense", "units": 3}})
    assert dense.is_valid({"layer": {"type": "dense", "units": 3}})
    for wrong in ({"type": "dense", "units": 3}, {"layer": {"type": "dense"}}, {"layer": {"type": "dense", "units": 0}}, {}):
        assert not dense.is_valid(wrong), wrong
    layer = Draft7Validator(component_schema(named("layer")), registry=Registry())
    assert layer.is_valid({"type": "dense", "units": 3})
    assert not layer.is_valid({"units": 3})


def test_the_command_prints_the_schema_of_one_component():
    from click.testing import CliRunner

    from seqcfg.cli import cli

    def run(*arguments):
        return CliRunner().invoke(cli, ["schema", *arguments], standalone_mode=False)

    assert json.loads(run("layer.dense").output)["title"] == "seqcfg layer dense"
    assert json.loads(run("layer").output)["title"] == "seqcfg layer"
    for name, hint in {"layr": "'layer'", "layer.dens": "'dense'", "section": "section.data"}.items():
        assert hint in run(name).exception.problems[0].hint
