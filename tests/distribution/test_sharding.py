"""Which axis of which weight is divided, and what each device holds then; told without TensorFlow."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.distribution.sharding import divisions
from seqcfg.plan.declaration import Misfit
from seqcfg.plan.sharing import per_device
from seqcfg.recipe.experiment import load

RECIPE = str(Path(__file__).parent / "transformer.yaml")
ATTENTION, FEED_FORWARD = "model/decoder/layers/1/layer", "model/decoder/layers/2/layer"


def declared(*settings):
    return load(RECIPE, settings).declaration


def shapes(parts, rules=None, *settings):
    return {path: part.shape for path, part in divisions(declared(*settings), parts, rules or {}).items()}


def test_heads_hidden_features_and_the_vocabulary_are_divided_and_the_rest_is_copied():
    whole, halves = shapes(1), shapes(2)
    assert {path: shape for path, shape in halves.items() if shape != whole[path]} == {
        "model/embedding/table": (130, 8),
        **{f"{ATTENTION}/{name}/kernel": (8, 4) for name in ("query", "key", "value")},
        **{f"{ATTENTION}/{name}/bias": (4,) for name in ("query", "key", "value")},
        f"{ATTENTION}/output/kernel": (4, 8),
        f"{FEED_FORWARD}/expand/kernel": (8, 8),
        f"{FEED_FORWARD}/expand/bias": (8,),
        f"{FEED_FORWARD}/contract/kernel": (8, 8),
    }


def test_an_output_of_its_own_is_divided_by_the_vocabulary():
    found = shapes(2, {}, "task.model.output={type: dense, units: 260}")
    assert found["model/output/kernel"] == (8, 130) and found["model/output/bias"] == (130,)


def test_of_several_rules_that_match_a_weight_the_last_one_counts():
    assert shapes(2, {"*": None}) == shapes(1)
    found = shapes(2, {"*": None, "*/contract/kernel": "output"})
    assert found[f"{FEED_FORWARD}/contract/kernel"] == (16, 4)
    assert sum(shape != shapes(1)[path] for path, shape in found.items()) == 1


def test_key_and_value_heads_of_groups_are_divided_too_or_named():
    grouped = "task.model.decoder.layers.1.layer.num_kv_heads=2"
    assert shapes(2, {}, grouped)[f"{ATTENTION}/key/kernel"] == (8, 2)
    with pytest.raises(Misfit, match="2 heads cannot be divided among 4 devices") as misfit:
        shapes(4, {}, grouped)
    assert misfit.value.field == "num_kv_heads"
    assert shapes(4, {f"{ATTENTION}/*": None}, grouped)[f"{ATTENTION}/key/kernel"] == (8, 4)


@pytest.mark.parametrize(
    ("strategy", "devices", "numbers", "kept"),
    [
        ("{type: mesh, axes: {batch: 3, model: 2}}", 6, 1364, 2728),
        ("{type: mesh, axes: {model: 4}}", 4, 706, 1412),
        ("{type: mirrored, num_devices: 3}", 3, 2680, 5360),
    ],
)
def test_the_plan_counts_what_each_device_holds(strategy, devices, numbers, kept):
    experiment = load(RECIPE, [f"training.strategy={strategy}", "training.optimizer={type: adam}"])
    found = per_device(experiment.recipe, experiment.declaration)
    assert (found.devices, found.numbers, found.weights, found.slots) == (devices, numbers, 4 * numbers, 4 * kept)


def test_one_device_has_no_share_and_the_command_prints_that_of_several():
    one, several = ([], ["--set", "training.strategy={type: mesh}"])
    printed = [CliRunner().invoke(cli, ["plan", RECIPE, *options]).output for options in (one, several)]
    assert "on each of" not in printed[0]
    assert "on each of 2 devices" in printed[1] and "1,364 numbers of weights" in printed[1]
    assert json.loads(CliRunner().invoke(cli, ["plan", RECIPE, "--format", "json", *several]).output)["per_device"]["numbers"] == 1364
