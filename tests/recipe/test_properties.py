"""What holds for every recipe: the schemas agree about it, and no form it is written in loses anything."""

import functools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from referencing import Registry

from seqcfg.component.schema import editor_schema
from seqcfg.errors import RecipeError
from seqcfg.recipe import migrations, shipped
from seqcfg.recipe.build import build
from seqcfg.recipe.canonical import canonical_recipe
from seqcfg.recipe.experiment import load
from seqcfg.recipe.migrate import migrate
from seqcfg.recipe.migrations import Migration
from seqcfg.recipe.read import read_text
from seqcfg.recipe.sections import Recipe
from seqcfg.recipe.structure import check_structure
from seqcfg.recipe.textproto_read import read_textproto
from seqcfg.recipe.textproto_write import to_textproto
from seqcfg.recipe.validate import check, resolve, validate, with_sections
from seqcfg.recipe.variables import substitute
from seqcfg.recipe.write import escaped, to_yaml
from tests.recipe import generation
from tests.recipe.mutations import mutate, places, tree_of

ROOT = Path(__file__).parents[2]
NEGATIVE = ROOT / "tests" / "negative"
BLOCK = 50  # recipes of one test


def blocks(fast, slow):
    """Seeds of the blocks that always run, and of those that are slow."""
    return [*range(fast), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(fast, fast + slow))]


@functools.cache
def editor():
    return Draft7Validator(editor_schema(Recipe), registry=Registry())


@functools.cache
def corpus():
    """Good and broken recipes, composed, as far as they can be."""
    found = []
    for file in [NEGATIVE / "bases" / "tiny.yaml", *sorted(NEGATIVE.glob("*.yaml")), *map(shipped.find, shipped.names())]:
        try:
            found.append(resolve(str(file)).plain())
        except RecipeError:
            continue
    return found


def structure_is_fine(plain):
    return not check_structure(with_sections(tree_of(plain)))


def is_told_apart(plain):
    """Whether no value is one that the schemas judge differently on purpose: a variable, or a whole number beyond 64 bits."""
    return not any(
        (isinstance(value, str) and "${vars." in value) or (isinstance(value, int | float) and abs(value) >= 2**63)
        for path in places(plain)
        for value in [functools.reduce(lambda part, key: part[key], path, plain)]
    )


@pytest.mark.parametrize("block", blocks(3, 60))
def test_both_schemas_agree_on_the_corpus_however_it_is_changed(block):
    assert len(corpus()) > 30
    verdicts = set()
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        draw = random.Random(seed)
        plain = mutate(draw.choice(corpus()), draw, times=1 + seed % 3)
        if is_told_apart(plain):
            verdict = structure_is_fine(plain)
            assert editor().is_valid(plain) == verdict, f"seed {seed}: {json.dumps(plain)}"
            verdicts.add(verdict)
    assert verdicts == {True, False}


@pytest.mark.parametrize("block", blocks(1, 40))
def test_what_the_classes_allow_pleases_both_schemas(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        plain = generation.recipe(seed)
        assert check_structure(with_sections(tree_of(plain))) == [], f"seed {seed}"
        errors = list(editor().iter_errors(plain))
        assert not errors, f"seed {seed}: {errors[0].message[:300]}"


@pytest.mark.parametrize("block", blocks(1, 60))
def test_canonical_form_yaml_json_and_protobuf_text_of_a_recipe_are_one_recipe(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        recipe = build(with_sections(tree_of(generation.recipe(seed)))).recipe
        canonical = canonical_recipe(recipe)
        forms = [
            read_text(to_yaml(canonical), "r.yaml"),
            read_text(json.dumps(escaped(canonical), indent=draw_indent(seed)), "r.json"),
            read_textproto(to_textproto(canonical), "r.textproto"),
        ]
        for tree in map(substitute, forms):
            again = build(with_sections(tree)).recipe
            assert again == recipe, f"seed {seed}"
            assert to_textproto(canonical_recipe(again)) == to_textproto(canonical)


def draw_indent(seed):
    return [None, 1, "\t"][seed % 3]


@pytest.mark.parametrize("block", blocks(1, 40))
def test_the_phases_after_the_schema_answer_any_recipe_with_problems(block):
    answered = 0
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            check(tree_of(generation.recipe(seed)))
        except RecipeError as refused:
            assert all(problem.code.startswith(("E02", "E04", "E05")) and problem.message for problem in refused.problems)
            answered += 1
    assert answered


@functools.cache
def wholes():
    return [load(shipped.find(name), allow_base=True).resolved for name in shipped.names()]


@pytest.mark.parametrize("block", blocks(1, 40))
def test_what_show_prints_of_a_valid_recipe_validates_and_means_the_same(block, tmp_path):
    """S7: the resolved recipe validates and resolves to itself. From shipped recipes with changes, as far as they stay valid."""
    file, again = tmp_path / "r.yaml", tmp_path / "r_again"
    valid = 0
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        draw = random.Random(seed)
        file.write_text(to_yaml(mutate(draw.choice(wholes()), draw, times=1)) or "{}", encoding="utf-8")
        if validate(str(file)):
            continue
        valid += 1
        experiment = load(file, allow_base=True)
        forms = {
            ".yaml": to_yaml(experiment.canonical()),
            ".json": json.dumps(escaped(experiment.only_changed())),
            ".textproto": to_textproto(experiment.resolved),
        }
        for suffix, text in forms.items():
            target = again.with_suffix(suffix)
            target.write_text(text, encoding="utf-8")
            assert load(target, allow_base=True).fingerprint == experiment.fingerprint, f"seed {seed} {suffix}"
        assert load(again.with_suffix(".textproto"), allow_base=True).resolved == experiment.resolved, f"seed {seed}"
    assert valid


def _rename(draft):
    draft.rename_type("sequential", "chain")
    for _, mapping in draft.mappings():
        draft.rename_key(mapping, "layers", "parts")


@pytest.mark.parametrize("block", blocks(1, 40))
def test_migrating_twice_is_migrating_once_and_loses_nothing(block, monkeypatch):
    monkeypatch.setattr(migrations, "MIGRATIONS", [Migration("renames", _rename)])
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        old = to_yaml(generation.recipe(seed))
        new, steps = migrate(old, "r.yaml")
        assert len(steps) == 1
        assert migrate(new, "r.yaml") == (new, [])
        assert renamed(read_text(old, "r.yaml").plain()) | {"recipe_version": 2} == read_text(new, "r.yaml").plain()


def renamed(plain):
    if isinstance(plain, dict):
        found = {"parts" if key == "layers" else key: renamed(item) for key, item in plain.items()}
        return found | {"type": "chain"} if found.get("type") == "sequential" else found
    return [renamed(item) for item in plain] if isinstance(plain, list) else plain


@pytest.mark.parametrize("name", shipped.names())
def test_order_of_keys_comments_and_line_ends_change_no_fingerprint(name, tmp_path):
    """S8: the same hash however the file is written."""
    experiment = load(shipped.find(name), allow_base=True)
    lines = to_yaml(shuffled(experiment.canonical(), random.Random(name))).split("\n")
    file = tmp_path / "r.yaml"
    file.write_bytes("\r\n".join(["# a comment", "", *lines, "  # the end"]).encode())
    assert load(file, allow_base=True).fingerprint == experiment.fingerprint


def test_locale_and_hash_seed_change_no_fingerprint(tmp_path):
    """S8: the same hash on another machine."""
    file = tmp_path / "r.yaml"
    file.write_text(
        (NEGATIVE / "bases" / "tiny.yaml").read_text(encoding="utf-8") + "claims: [{metric: bleu, split: train, value: 1, source: ä}]\n"
    )
    found = set()
    for locale, seed, mode in (("C", "0", "0"), ("C.UTF-8", "1", "1"), ("tr_TR.UTF-8", "2", "0")):
        environment = os.environ | {"LC_ALL": locale, "PYTHONHASHSEED": seed, "PYTHONUTF8": mode, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "seqcfg", "show", str(file), "--fingerprint"]
        done = subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def shuffled(plain, draw):
    if isinstance(plain, dict):
        keys = sorted(plain, key=lambda _: draw.random())
        return {key: shuffled(plain[key], draw) for key in keys}
    return [shuffled(item, draw) for item in plain] if isinstance(plain, list) else plain
