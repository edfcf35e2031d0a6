"""Which recipes a change touches."""

import subprocess
from pathlib import Path

import pytest

from seqcfg.errors import UserError
from seqcfg.recipe.changed import changed_recipes
from seqcfg.recipe.compose import files_of


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    for name, text in {"base": "", "on_base": "base: base.yaml", "alone": "", "on_both": "base: [on_base.yaml]"}.items():
        (tmp_path / f"{name}.yaml").write_text(f"recipe_version: 1\n{text}\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "start")
    return tmp_path


def touched(folder, revision="main"):
    return [Path(file).stem for file in changed_recipes(sorted(map(str, folder.glob("*.yaml"))), revision)]


def test_nothing_has_changed_at_first(checkout):
    assert touched(checkout) == []


def test_a_changed_base_touches_all_that_stand_on_it(checkout):
    (checkout / "base.yaml").write_text("recipe_version: 1\nname: new\n")
    assert touched(checkout) == ["base", "on_base", "on_both"]


def test_new_recipes_and_those_that_lost_their_base_are_touched(checkout):
    (checkout / "ä new one.yaml").write_text("recipe_version: 1\n")
    (checkout / "on_base.yaml").unlink()
    assert touched(checkout) == ["on_both", "ä new one"]


def test_what_others_changed_since_is_not_ours(checkout):
    git(checkout, "checkout", "-q", "-b", "mine")
    (checkout / "alone.yaml").write_text("recipe_version: 1\nname: mine\n")
    git(checkout, "commit", "-q", "-a", "-m", "mine")
    git(checkout, "checkout", "-q", "main")
    (checkout / "base.yaml").write_text("recipe_version: 1\nname: theirs\n")
    git(checkout, "commit", "-q", "-a", "-m", "theirs")
    git(checkout, "checkout", "-q", "mine")
    assert touched(checkout) == ["alone"]


@pytest.mark.parametrize("revision", ["nowhere", "--help", "", "main:alone.yaml"])
def test_a_revision_that_is_none(checkout, revision):
    with pytest.raises(UserError, match="git knows no revision"):
        touched(checkout, revision)


def test_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "r.yaml").write_text("recipe_version: 1\n")
    with pytest.raises(UserError, match="not in a git checkout"):
        touched(tmp_path)


def test_the_files_of_a_recipe_are_its_own_and_those_of_its_bases(checkout):
    assert [Path(file).name for file in files_of(str(checkout / "on_both.yaml"))] == ["on_both.yaml", "on_base.yaml", "base.yaml"]
