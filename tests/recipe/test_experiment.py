"""Loading: components, canonical form, fingerprint, and that a resolved recipe means the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.errors import RecipeError
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from seqcfg.recipe.validate import validate
from seqcfg.recipe.write import to_yaml

TINY = Path(__file__).parents[1] / "negative" / "bases" / "tiny.yaml"


def fingerprint(*overrides):
    return load(TINY, overrides).fingerprint


def test_sections_that_are_left_out_stand_on_their_defaults():
    recipe = load(TINY).recipe
    assert recipe.training.steps == 10
    assert recipe.decoding.max_length > 0
    assert recipe.export is not None


def test_numbers_take_the_declared_type():
    experiment = load(TINY, ["training.steps=1e3", "training.optimizer.beta1=0", "task.loss.label_smoothing=0"])
    assert (experiment.recipe.training.steps, type(experiment.recipe.training.steps)) == (1000, int)
    assert type(experiment.recipe.training.optimizer.beta1) is float
    assert type(experiment.recipe.task.loss.label_smoothing) is float


def test_the_name_is_the_files_unless_the_recipe_has_one():
    assert load(TINY).name == "tiny"
    assert load(TINY, ["name=other"]).name == "other"


def test_origins_tell_the_winner_last():
    origins = load(TINY, ["training.steps=20"]).origins["training.steps"]
    assert [(origin.value, origin.how) for origin in origins] == [(10, "recipe"), (20, "override")]
    assert origins[-1].file == "--set training.steps=20"


@pytest.mark.parametrize("form", ["resolved", "canonical"])
def test_a_resolved_recipe_is_a_recipe_that_means_the_same(form, tmp_path):
    first = load(TINY, ["task.loss.label_smoothing=1e-7", "about='on: $${vars.x} # 1e5'", "name='1e5'"])
    assert first.recipe.about == "on: ${vars.x} # 1e5"
    value = first.resolved if form == "resolved" else first.canonical()
    file = tmp_path / "again.yaml"
    file.write_text(to_yaml(value), encoding="utf-8")
    second = load(file)
    assert second.canonical() == first.canonical()
    assert second.fingerprint == first.fingerprint
    assert second.recipe == first.recipe


@pytest.mark.parametrize("name", shipped.names())
def test_what_differs_from_the_defaults_is_the_whole_meaning(name, tmp_path):
    experiment = load(shipped.find(name), allow_base=True)
    file = tmp_path / f"{experiment.name}.yaml"
    file.write_text(to_yaml(experiment.only_changed()), encoding="utf-8")
    again = load(file, allow_base=True)
    assert again.canonical() == experiment.canonical()
    assert again.only_changed() == experiment.only_changed()


def test_json_and_yaml_of_a_recipe_mean_the_same(tmp_path):
    first = load(TINY)
    file = tmp_path / "tiny.json"
    file.write_text(json.dumps(first.resolved, indent="\t"), encoding="utf-8")
    assert load(file).fingerprint == first.fingerprint


def test_writing_out_a_default_changes_no_fingerprint():
    assert fingerprint("training.optimizer.beta1=0.9", "task.loss.label_smoothing=0.10") == fingerprint()


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("training.steps=11", {"training"}),
        ("task.model.source_embedding.dim=32", {"model"}),
        ("decoding.max_length=7", {"decoding"}),
        ("data.splits.train.source=other.en", {"data"}),
        ("training.checkpoint.every_steps=3", set()),
        ("about=something else", set()),
        ("name=other", set()),
    ],
)
def test_a_change_shows_in_its_part_of_the_fingerprint_only(override, changed):
    before, after = fingerprint(), fingerprint(override)
    assert {part for part in before if before[part] != after[part]} == changed


def test_batching_is_no_part_of_what_prepared_data_depend_on():
    before, after = fingerprint(), fingerprint("data.batching.max_tokens=777")
    assert before["data"] == after["data"]
    assert before["training"] != after["training"]


def test_a_recipe_without_data_validates_but_is_not_run(tmp_path):
    file = tmp_path / "base.yaml"
    file.write_text(f"recipe_version: 1\n{to_yaml({k: v for k, v in load(TINY).resolved.items() if k in ('tokenizers', 'task')})}")
    assert validate(str(file)) == []
    assert load(file, allow_base=True).recipe.data is None
    with pytest.raises(RecipeError, match="data"):
        load(file)


def test_every_shipped_recipe_is_valid():
    for name in shipped.names():
        assert validate(str(shipped.find(name))) == [], name


def test_loading_and_planning_never_import_tensorflow_or_numpy():
    code = (
        "import sys\nfrom seqcfg.recipe.experiment import load\n"
        f"experiment = load({str(TINY)!r})\nexperiment.fingerprint, list(experiment.declaration.all_weights())\n"
        "print([name for name in ('tensorflow', 'numpy', 'keras', 'sentencepiece') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
