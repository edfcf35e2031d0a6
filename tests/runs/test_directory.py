import os

import pytest
import yaml

from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.runs import durable
from seqcfg.runs.directory import RunDirectory


def test_a_run_keeps_the_recipe_as_written_and_as_resolved(tmp_path):
    text = "# by hand\nrecipe_version: 1\n"
    RunDirectory.create(tmp_path / "a" / "run", text, {"recipe_version": 1, "name": "café", "rate": 1e-4})
    run = RunDirectory.open(tmp_path / "a" / "run")
    assert run.recipe_text() == text
    assert yaml.safe_load(run.resolved.read_text(encoding="utf-8")) == {"recipe_version": 1, "name": "café", "rate": 1e-4}
    assert run.checkpoints.is_dir()


def test_a_run_is_never_created_over_another_or_over_foreign_files(tmp_path):
    RunDirectory.create(tmp_path / "run", "", {})
    with pytest.raises(UserError, match="already holds a run"):
        RunDirectory.create(tmp_path / "run", "", {})
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(UserError, match="is not empty and not a run: it holds 'thesis.tex'"):
        RunDirectory.create(tmp_path / "home", "", {})
    with pytest.raises(UserError, match="is a file"):
        RunDirectory.create(tmp_path / "home" / "thesis.tex", "", {})


def test_opening_what_is_no_run_is_the_users_problem(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        RunDirectory.open(tmp_path / "none")
    with pytest.raises(UserError, match="is not a run directory"):
        RunDirectory.open(tmp_path)
    run = RunDirectory.create(tmp_path / "run", "", {})
    run.resolved.write_text("- a list")
    with pytest.raises(UserError, match="mapping"):
        load(str(run.resolved))


def test_creation_that_dies_at_any_call_can_be_repeated(tmp_path, monkeypatch):
    real = os.replace
    for survivors in range(2):
        calls = []

        def dying(*args, survivors=survivors, calls=calls):
            if len(calls) == survivors:
                raise OSError(28, "No space left on device")
            calls.append(args)
            return real(*args)

        folder = tmp_path / str(survivors)
        monkeypatch.setattr(durable.os, "replace", dying)
        with pytest.raises(UserError, match="No space left"):
            RunDirectory.create(folder, "x: 1\n", {"x": 1})
        monkeypatch.setattr(durable.os, "replace", real)
        assert not RunDirectory.is_run(folder)
        assert yaml.safe_load(RunDirectory.create(folder, "x: 1\n", {"x": 1}).resolved.read_text()) == {"x": 1}
        assert not [p for p in folder.rglob("*") if p.name.endswith(".partial")]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path, monkeypatch):
    run = RunDirectory.create(tmp_path / "run", "", {})
    run.write("evaluations/test/metrics.json", "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError):
        run.write("evaluations/test/metrics.json", "new")
    assert (run.evaluations / "test" / "metrics.json").read_text() == "old"
    assert [p.name for p in (run.evaluations / "test").iterdir()] == ["metrics.json"]
