"""Recipes in an editor: the real yaml-language-server completes, explains and flags by the committed schema, found by the modeline."""

import json

import pytest

from seqcfg.component.catalog import load
from seqcfg.recipe import shipped
from tests.component.language_server import ROOT, LanguageServer, Missing, installed

pytestmark = pytest.mark.slow
RECIPE = ROOT / "recipes" / "mt" / "mine.yaml"  # where the text pretends to stand; no such file is written
HEAD = "# yaml-language-server: $schema=../../schemas/recipe.schema.json\nrecipe_version: 1\n"
TASK = """\
task:
  type: translation
  source_tokenizer: shared
  target_tokenizer: shared
  loss: {type: cross_entropy}
  model:
    type: encoder_decoder
    source_embedding: {type: embedding, dim: 16}
    decoder: {type: layer_norm}
    encoder:
      type: sequential
      layers:
"""


@pytest.fixture(scope="module")
def server():
    try:
        program = installed()
    except Missing as why:
        pytest.skip(f"yaml-language-server: {why}")
    with LanguageServer(program) as running:
        yield running


def schema_types(kind):
    schema = json.loads((ROOT / "schemas" / "recipe.schema.json").read_text(encoding="utf-8"))
    return set(schema["definitions"][f"{kind}.{kind.capitalize()}"]["properties"]["type"]["enum"])


def test_completion_lists_the_types_of_a_slot_and_no_others(server):
    offered = set(server.completions(RECIPE, HEAD + TASK + "        - type: @\n"))
    assert offered >= set(load()["layer"])
    assert not offered & set(load()["optimizer"])
    offered = set(server.completions(RECIPE, HEAD + TASK + "training:\n  steps: 1\n  optimizer:\n    type: @\n"))
    assert offered >= schema_types("optimizer")
    assert not offered & (set(load()["layer"]) - set(load()["optimizer"]))


def test_completion_lists_the_fields_of_the_chosen_type(server):
    offered = server.completions(RECIPE, HEAD + TASK + "        - type: feed_forward\n          @\n")
    assert {"hidden", "activation"} <= set(offered)
    assert "num_heads" not in offered
    offered = server.completions(RECIPE, HEAD + TASK + "        - type: feed_forward\n          hidden: 4\n          activation: @\n")
    assert {"relu", "gelu"} <= set(offered)


def test_completion_lists_the_sections(server):
    assert {"data", "tokenizers", "training", "evaluation"} <= set(server.completions(RECIPE, HEAD + "@\n"))


def test_hover_shows_the_line_that_documents_a_field(server):
    from seqcfg.component import catalog
    from seqcfg.component.fields import fields_of

    doc = fields_of(catalog.find("layer", "feed_forward"))["hidden"].doc
    assert doc in server.hover(RECIPE, HEAD + TASK + "        - type: feed_forward\n          hid@den: 4\n").replace("\\", "")
    doc = fields_of(catalog.find("section", "training"))["steps"].doc
    assert doc in server.hover(RECIPE, HEAD + TASK + "training:\n  st@eps: 4\n").replace("\\", "")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("        - {type: feed_forward, hidden: -4}", "below the minimum"),
        ("        - {type: feed_forward, hidden: four}", "integer"),
        ("        - {type: feed_forward, hiden: 4, hidden: 4}", "hiden"),
        ("        - {type: feed_forwards, hidden: 4}", "feed_forward"),
        ("        - {type: feed_forward, hidden: 4, activation: rleu}", "relu"),
        ("        - {type: feed_forward}", "hidden"),
    ],
)
def test_a_wrong_value_is_flagged_on_its_line(line, word, server):
    good = "        - {type: feed_forward, hidden: 4}\n"
    text = HEAD + TASK + good + line + "\n" + good
    found = server.problems(RECIPE, text)
    assert {number for number, _ in found} == {text[: text.index(line)].count("\n") + 1}
    assert any(word in message for _, message in found), found


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_recipe_has_a_modeline_and_nothing_is_flagged_in_it(name, server):
    file = shipped.find(name)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=")
    assert server.problems(ROOT / "recipes" / file.relative_to(shipped.folder()), text) == []
    assert server.problems(ROOT / "recipes" / file.relative_to(shipped.folder()), text + "steps: 3\n") != []
