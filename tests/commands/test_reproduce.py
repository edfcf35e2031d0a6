"""`seqcfg reproduce` as a user calls it, on a run of a few steps."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.runs.lockfile import LOCKFILE
from seqcfg.runs.trace import STEPS

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "tests/training/tiny.yaml"
pytestmark = pytest.mark.xdist_group("reproduce")  # one worker, so that the first run is made once
CLAIM = "claims=[{metric: perplexity, split: validation, value: %s}]"


def seqcfg(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SEQCFG_CACHE": str(folder / "prepared")}
    command = [sys.executable, "-m", "seqcfg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, cwd=folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run of 8 steps."""
    folder = tmp_path_factory.mktemp("reproduced")
    done = seqcfg(folder, "train", RECIPE, "--run", "first", "--set", "training.steps=8")
    assert done.returncode == 0, done.stderr
    return folder


def copy(place, name):
    return Path(shutil.copytree(place / "first", place / name))


def test_a_run_is_made_again_to_the_bit(place):
    done = seqcfg(place, "reproduce", "first")
    assert (done.returncode, done.stdout) == (0, "bit-identical: 8 steps and all weights noted in them agree to the bit\n"), done.stderr


def test_a_value_changed_by_hand_is_told_by_the_first_step_and_weight_that_differ(place):
    run = copy(place, "edited")
    lock = json.loads((run / LOCKFILE).read_text())
    lock["recipe"]["training"]["schedule"]["value"] = 0.0031
    (run / LOCKFILE).write_text(json.dumps(lock))
    done = seqcfg(place, "reproduce", "edited", "--steps", "4", "--format", "json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "different"
    assert "somebody has changed it" in told["notes"][0]
    found = told["divergence"]
    # the first update is computed from the same weights; its rate makes the second one differ
    assert (found["step"], found["measured"], found["equal_after"], found["differ_after"]) == (2, "loss", 0, 1)
    assert found["weights"][0].startswith("model/")
    assert found["num_weights"] == len(json.loads((run / "weights.trace").read_text().split("\n")[0])["weights"])


@pytest.mark.slow
def test_a_lock_alone_is_enough_to_hold_a_repetition_against(place):
    shutil.copy(place / "first" / LOCKFILE, place / "sent.json")
    done = seqcfg(place, "reproduce", "sent.json")
    assert (done.returncode, done.stdout[:22]) == (0, "bit-identical: 8 steps"), done.stderr
    lock = json.loads((place / "sent.json").read_text())
    first = lock["evidence"]["first_steps"]
    first[1] = f"{int(first[1], 16) ^ 1 << 40:016x}"
    (place / "sent.json").write_text(json.dumps(lock))
    done = seqcfg(place, "reproduce", "sent.json", "--steps", "3")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("different\nfirst at step 2 of 3: loss")


@pytest.mark.slow
def test_a_flipped_bit_in_the_evidence_is_found_where_it_is(place):
    run = copy(place, "flipped")
    rows = np.fromfile(run / STEPS, "<u4").reshape(-1, 2)
    rows[2, 1] ^= 1
    rows.tofile(run / STEPS)
    done = seqcfg(place, "reproduce", "flipped", "--steps", "3", "--run", "kept")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("different\nfirst at step 3 of 3: norm of the gradients")
    assert (place / "kept" / STEPS).stat().st_size == 24


def refused(place, monkeypatch, *arguments):
    monkeypatch.chdir(place)
    monkeypatch.setenv("SEQCFG_CACHE", str(place / "prepared"))
    result = CliRunner().invoke(cli, ["reproduce", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    return result.output


def test_what_cannot_be_told_has_an_exit_code_of_its_own(place, monkeypatch):
    assert "in its own folder" in refused(place, monkeypatch, "first", "--run", "first")
    assert "the recipe states no claims" in refused(place, monkeypatch, RECIPE)
    assert "not trained to its end" in refused(place, monkeypatch, RECIPE, "--steps", "2", "--set", CLAIM % 9)
    shutil.copytree(place / "first", place / "finished")
    assert "nothing would be repeated" in refused(place, monkeypatch, "first", "--run", "finished")


@pytest.mark.slow
def test_other_data_under_the_same_name_ends_it_before_a_step_is_made(place):
    run = copy(place, "moved")
    lock = json.loads((run / LOCKFILE).read_text())
    lock["data"] |= {"fingerprint": "0" * 64, "inputs": {"corpus/train.en": "0" * 64}}
    (run / LOCKFILE).write_text(json.dumps(lock))
    done = seqcfg(place, "reproduce", "moved")
    assert done.returncode == 1, done.stderr
    assert "corpus/train.en: is read in one of the two only" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("value, code, word", [(1e9, 0, "within tolerance of"), (1.0, 1, "different")])
def test_a_recipe_is_held_against_its_claims(place, value, code, word):
    settings = ("training.steps=2", "evaluation.metrics=[{type: perplexity}]", CLAIM % value)
    done = seqcfg(place, "reproduce", RECIPE, *(part for one in settings for part in ("--set", one)))
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(word)
    assert "perplexity on validation" in done.stdout


@pytest.mark.slow
def test_the_demo_is_made_again_to_the_bit_and_a_changed_value_is_found(tmp_path):
    demo = ROOT / "recipes/mt/demo_numbers_enfr.yaml"
    done = seqcfg(tmp_path, "train", demo, "--run", "demo", "--set", "training.steps=12", "--set", "training.log_every_steps=5")
    assert done.returncode == 0, done.stderr
    same = seqcfg(tmp_path, "reproduce", "demo")
    assert (same.returncode, same.stdout[:24]) == (0, "bit-identical: 12 steps "), same.stderr
    lock = json.loads((tmp_path / "demo" / LOCKFILE).read_text())
    lock["recipe"]["training"]["schedule"]["peak"] = 0.0030001
    (tmp_path / "demo" / LOCKFILE).write_text(json.dumps(lock))
    other = seqcfg(tmp_path, "reproduce", "demo", "--steps", "6", "--format", "json")
    assert other.returncode == 1, other.stderr
    found = json.loads(other.stdout)["divergence"]
    assert 1 < found["step"] <= 4 and found["weights"], found
