"""`seqcfg sweep` as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg.cli import main
from seqcfg.runs.manifest import read_manifest

ROOT = Path(__file__).parents[2]
RECIPE = str(ROOT / "tests/training/tiny.yaml")
RATES = "training.schedule.value=0.001,0.003"


@pytest.fixture
def seqcfg(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder; returns (exit code, what it printed)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(["sweep", *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_all_settings_are_listed_and_checked_before_anything_runs(seqcfg, tmp_path):
    code, text = seqcfg(RECIPE, "--over", RATES, "--over", "training.clip.norm=0.5..2", "--seeds", "3", "--dry-run")
    assert code == 0
    assert text.endswith("10 settings x 3 seeds = 30 runs, compared by loss\n")
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_is_no_recipe_is_refused_with_its_value(seqcfg, tmp_path):
    code, text = seqcfg(RECIPE, "--over", "task.model.encoder.layers.1.layer.num_heads=2,3")
    assert code == 1
    assert "3 does not divide the width 16" in text
    assert not list(tmp_path.glob("sweeps/tiny/runs/*"))


def test_the_recipe_s_own_section_is_read_and_the_command_line_wins(seqcfg, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(Path(RECIPE).read_text() + "sweep:\n  seeds: 4\n  over:\n    training.schedule.value: [0.1, 0.2, 0.3]\n")
    assert seqcfg(str(mine), "--dry-run")[1].endswith("3 settings x 4 seeds = 12 runs, compared by loss\n")
    assert seqcfg(str(mine), "--seeds", "2", "--metric", "nll", "--dry-run")[1].endswith("3 settings x 2 seeds = 6 runs, compared by nll\n")


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "there is nothing to vary"),
        (["--over", "training.seed=1,2"], "training.seed is varied by seeds"),
        (["--over", RATES, "--status"], "no sweep was begun in sweeps/tiny"),
        (["--over", "about=a,b"], "has no influence on a run"),
        (["--over", RATES, "--on", "kubernetes"], "needs an image and a volume"),
        (["--over", RATES, "--on", "slurm", "--resources", "cpu=1"], "names are cpus, memory"),
    ],
)
def test_what_makes_no_sense_is_refused(seqcfg, arguments, says):
    code, text = seqcfg(RECIPE, *arguments)
    assert code == 1
    assert says in text


def test_job_files_are_written_and_their_command_is_one_of_ours(seqcfg, tmp_path):
    code, text = seqcfg(RECIPE, "--over", RATES, "--seeds", "2", "--on", "slurm", "--workers", "3")
    assert code == 0 and "sbatch" in text
    script = (tmp_path / "sweeps/tiny/sweep.sbatch").read_text()
    assert "--array=0-3%3" in script
    assert f"sweep {tmp_path}/sweeps/tiny --take 1" in script
    code, text = seqcfg("sweeps/tiny", "--status", "--format", "json")
    assert code == 0
    assert [len(row["runs"]) for row in json.loads(text)["settings"]] == [2, 2]


def test_settings_of_a_sweep_are_changed_through_its_recipe(seqcfg):
    seqcfg(RECIPE, "--over", RATES, "--on", "slurm")
    assert seqcfg("sweeps/tiny", "--seeds", "2")[0] == 2


def test_help_names_the_ways_of_running():
    from seqcfg.cli import cli

    text = CliRunner().invoke(cli, ["sweep", "--help"]).output
    assert "slurm" in text and "optuna" in text


@pytest.mark.slow
def test_a_real_sweep_of_12_runs_killed_twice_goes_on(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SEQCFG_CACHE": str(tmp_path / "prepared")}
    options = ["--over", "training.schedule.value=0.001,0.003,0.01,0.03", "--seeds", "3", "--set", "training.steps=8"]
    command = [sys.executable, "-m", "seqcfg", "sweep", RECIPE, *options, "--workers", "2", "--format", "json"]
    runs = tmp_path / "sweeps/tiny/runs"

    def attempts():
        found = {path.parent.name: read_manifest(path).attempts for path in runs.glob("*/manifest.textproto")}
        return {name: [one.outcome for one in made] for name, made in found.items()}

    for wanted, number in ((2, signal.SIGKILL), (6, signal.SIGTERM)):
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 400
        while process.poll() is None and time.monotonic() < deadline:
            if sum("finished" in made for made in attempts().values()) >= wanted:
                process.send_signal(number)
                break
            time.sleep(0.05)
        assert process.wait(timeout=200) == (-signal.SIGKILL if number == signal.SIGKILL else 75)
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    made = attempts()
    assert len(made) == 12
    assert all(outcomes.count("finished") == 1 and outcomes[-1] == "finished" for outcomes in made.values())
    assert len(json.loads(done.stdout)["settings"]) == 4
