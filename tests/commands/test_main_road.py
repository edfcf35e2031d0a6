"""From a recipe to an exported model through the command line alone, as a user goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "tests/training/tiny.yaml"
SETTINGS = ("training.steps=4", "decoding.max_length=24", "decoding.xla=never", "decoding.batch_size=16", "evaluation.split=validation")


def seqcfg(folder, *arguments, text=""):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SEQCFG_CACHE": str(folder / "prepared")}
    done = subprocess.run(
        [sys.executable, "-m", "seqcfg", *arguments], input=text, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_recipe_becomes_a_model_that_runs_without_seqcfg(tmp_path):
    run = str(tmp_path / "run")
    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    assert "trained" in seqcfg(tmp_path, "train", str(RECIPE), "--run", run, *overrides)
    assert "bleu" in seqcfg(tmp_path, "evaluate", run)
    stored = json.loads(next(Path(run, "evaluations").glob("*/metrics.json")).read_text())
    assert stored["lines"] == 20
    decoded = seqcfg(tmp_path, "decode", run, "--input", "-", text="seven\n\ntwenty\n").split("\n")
    assert len(decoded) == 4  # three lines and what follows the last line break
    assert decoded[1] == ""
    seqcfg(tmp_path, "export", run, "--format", "saved_model", "--sample", "8")
    assert (Path(run) / "exports/saved_model/1/saved_model.pb").exists()
