"""Devices that share each layer of a Transformer give what one device gives, up to rounding."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.runs import records

RECIPE = str(Path(__file__).parent / "transformer.yaml")
pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("mesh")


def train(place, name, *settings):
    """The run after a process of its own has trained it."""
    options = [part for setting in settings for part in ("--set", setting)]
    command = [
        sys.executable,
        "-m",
        "seqcfg",
        "train",
        RECIPE,
        "--run",
        str(place / name),
        "--cache-root",
        str(place / "prepared"),
        *options,
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return place / name


def mesh(batch, model, rules="{}"):
    return f"training.strategy={{type: mesh, axes: {{batch: {batch}, model: {model}}}, rules: {rules}}}"


def losses(run):
    return [record["loss"] for record in records.read(run / "records.jsonl", "train")]


def state(run):
    return load_arrays(find(run / "checkpoints")[-1].path)


def assert_same_bits(one, other):
    one, other = state(one), state(other)
    assert one.keys() == other.keys()
    assert [path for path, value in one.items() if value.tobytes() != other[path].tobytes()] == []


def test_a_run_begun_on_a_mesh_and_finished_on_one_device_has_the_losses_and_weights_of_one_device(place):
    alone = train(place, "alone")
    train(place, "both", mesh(1, 2), "training.steps=2")
    both = train(place, "both")
    assert losses(both) == pytest.approx(losses(alone), rel=1e-5)
    one, other = state(alone), state(both)
    assert one.keys() == other.keys()
    for path, value in one.items():
        np.testing.assert_allclose(other[path], value, atol=2e-6, err_msg=path)


@pytest.mark.slow
def test_losses_agree_for_a_hundred_steps_on_two_and_four_devices_and_the_same_mesh_gives_the_same_bits(place):
    steps = ("training.steps=100", "training.schedule.value=0.05")
    alone = train(place, "alone-long", *steps)
    for axes in ((1, 2), (2, 1), (2, 2), (1, 4)):
        run = train(place, f"mesh-{axes[0]}-{axes[1]}", mesh(*axes), *steps)
        assert losses(run) == pytest.approx(losses(alone), rel=1e-4), axes
        assert len(losses(run)) == 100
    assert_same_bits(train(place, "again", mesh(2, 2), *steps), place / "mesh-2-2")


@pytest.mark.slow
def test_a_run_that_stops_and_goes_on_with_its_mesh_has_the_bits_of_one_that_does_not(place):
    whole = train(place, "whole", mesh(2, 2), "training.steps=12")
    train(place, "halves", mesh(2, 2), "training.steps=5")
    assert_same_bits(train(place, "halves", mesh(2, 2), "training.steps=12"), whole)


@pytest.mark.slow
def test_a_run_of_one_device_goes_on_with_a_mesh(place):
    alone = train(place, "alone-first", "training.steps=8")
    train(place, "mesh-second", "training.steps=4")
    assert losses(train(place, "mesh-second", mesh(2, 2), "training.steps=8")) == pytest.approx(losses(alone), rel=1e-5)
