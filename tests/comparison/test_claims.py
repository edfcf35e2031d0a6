"""`seqcfg claims`: the table, measurements taken from runs, and claims that are missed."""

import json
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from seqcfg.commands.claims import command
from seqcfg.comparison import claims
from seqcfg.errors import UserError
from tests.comparison.synthetic import RECIPE, make_run

CLAIMED = (
    RECIPE
    + """\
claims:
  - metric: exact_match
    split: test
    value: 90
    tolerance: 5
    source: a table
    dataset: test2020
    published: "91.2, cased"
    budget: 2 CPU cores, 1 minute
"""
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipes = tmp_path / "recipes"
    (recipes / "mt").mkdir(parents=True)
    (recipes / "mt" / "small.yaml").write_text(CLAIMED)
    (recipes / "README.md").write_text("# Recipes\n\n<!-- claims -->\n<!-- /claims -->\n\nThe end.\n")
    return recipes


def called(*arguments):
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_the_table_shows_claimed_published_and_measured(folder):
    make_run("run", CLAIMED, rate=0.0)
    code, output = called("recipes", "--record", "run")
    assert code == 0
    for part in (
        "mt/small",
        "91.2, cased",
        "exact_match 90 ± 5 (test2020); 2 CPU cores, 1 minute",
        "2026-01-31",
        "2 CPU cores, A Processor",
    ):
        assert part in output, part
    readme = (folder / "README.md").read_text()
    assert "| [mt/small](mt/small.yaml) | 5,592 | tsv | 91.2, cased |" in readme and readme.endswith("<!-- /claims -->\n\nThe end.\n")
    assert "exact_match 100.00 (test, step-00000040), chrf 100.00 (test, step-00000040) in 0.7 min" in readme
    assert called("recipes", "--check")[0] == 0


def test_a_missed_claim_and_an_old_table_fail_the_check(folder):
    make_run("run", CLAIMED, rate=0.5)
    called("recipes", "--record", "run")
    code, output = called("recipes", "--check")
    assert code == 1 and "mt/small: exact_match on test:" in output and "missed" in output
    (folder / "measured.jsonl").unlink()
    code, output = called("recipes", "--check")
    assert code == 1 and "is out of date" in output
    assert called("recipes", "--write")[0] == 0 and called("recipes", "--check")[0] == 0


def test_a_measurement_says_what_was_not_as_the_recipe_has_it(folder):
    make_run("run", CLAIMED, rate=0.0, steps=20, overrides=["training.seed=3"])
    called("recipes", "--record", "run")
    told = json.loads((folder / "measured.jsonl").read_text())
    assert told["note"] == "stopped at step 20 of 40; differs from the recipe in training.seed" and told["step"] == 20


def test_only_runs_that_were_measured_on_what_is_claimed_are_recorded(folder):
    make_run("run", CLAIMED)
    shutil.rmtree("run/evaluations")
    with pytest.raises(UserError, match="was not evaluated yet"):
        called("recipes", "--record", "run")
    make_run("other", CLAIMED.replace("name: small", "name: other"))
    with pytest.raises(UserError, match="no recipe called 'other'"):
        called("recipes", "--record", "other")
    with pytest.raises(UserError, match="is no trained run"):
        called("recipes", "--record", "recipes/mt/small.yaml")


def test_a_claim_of_a_metric_that_should_be_low_is_missed_above_its_value(folder):
    recipe = CLAIMED.replace("{type: chrf}", "{type: ter}").replace("metric: exact_match\n    split", "metric: ter\n    split")
    recipe = recipe.replace("value: 90", "value: 10")
    (folder / "mt" / "small.yaml").write_text(recipe)
    make_run("run", recipe, rate=0.5)
    called("recipes", "--record", "run")
    assert [one.metric for row in claims.rows(folder) for one in row.missed] == ["ter"]


def test_the_json_says_whether_claims_hold(folder):
    make_run("run", CLAIMED, rate=0.0)
    called("recipes", "--record", "run")
    (row,) = json.loads(called("recipes", "--format", "json")[1])
    assert row["claims"][0]["holds"] is True and row["claims"][0]["measured"] == 100.0 and row["measurement"]["step"] == 40


def test_measurements_of_recipes_that_are_gone_and_damaged_files_are_named(folder):
    (folder / "measured.jsonl").write_text('{"recipe": "mt/gone", "when": "", "hardware": "", "minutes": 1, "step": 1, "scores": []}')
    with pytest.raises(UserError, match="no recipe 'mt/gone'"):
        called("recipes")
    (folder / "measured.jsonl").write_text("[")
    with pytest.raises(UserError, match="cannot be read"):
        called("recipes")


def test_runs_that_are_still_there_are_shown_where_they_are_newer(folder):
    make_run("runs/old", CLAIMED, rate=0.5)
    make_run("runs/other", CLAIMED.replace("name: small", "name: other"))
    called("recipes", "--record", "runs/old")
    make_run("runs/new", CLAIMED, rate=0.0, seed=2, overrides=["training.seed=3"])
    manifest = Path("runs/new/manifest.textproto")
    manifest.write_text(manifest.read_text().replace("2026-01-31", "2026-02-01"))
    output = called("recipes", "--runs", "runs")[1]
    assert "exact_match 100.00" in output and "differs from the recipe in training.seed" in output and "2026-02-01" in output
    assert "2026-02-01" not in (folder / "README.md").read_text() and "2026-02-01" not in called("recipes")[1]
    with pytest.raises(click.UsageError, match="only shows"):
        called("recipes", "--runs", "runs", "--write")
