"""The files around the package agree with one another."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from seqcfg.component.catalog import load

ROOT = Path(__file__).resolve().parents[2]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MADE = {"commands.md", "recipes.md", "components/index.md", "components/recipe.md"}  # when the site is built
MADE |= {f"components/{kind}.md" for kind, family in load().items() if family}
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").rglob("*.md"))


def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def requirements(text):
    return [Requirement(line) for line in text.split("\n") if line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[p.name for p in DOCUMENTS])
def test_documents_name_only_targets_that_make_has(path):
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)\b", " ".join(re.findall(r"`[^`]+`|^ *make .*$", path.read_text(), re.MULTILINE))))
    assert not named - TARGETS


@pytest.mark.parametrize("path", DOCUMENTS, ids=[p.name for p in DOCUMENTS])
def test_documents_link_only_to_files_that_are_there(path):
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()) if "://" not in link]
    assert not [link for link in links if link and not (path.parent / link).exists() and (path.parent != ROOT / "docs" or link not in MADE)]


def test_the_readme_names_only_commands_that_exist():
    from seqcfg.cli import VERBS

    named = set(re.findall(r"(?:^|`)seqcfg ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named and not named - set(VERBS)


def test_the_readme_s_recipe_is_valid_and_its_slip_is_answered_as_shown(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from seqcfg.cli import cli

    text = (ROOT / "README.md").read_text()
    recipe = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    answer = re.search(r"```\n(mine\.yaml.*?)```", text, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(recipe)
    valid = CliRunner().invoke(cli, ["validate", "mine.yaml"], standalone_mode=False)
    assert "all valid" in valid.output, valid.output
    (tmp_path / "mine.yaml").write_text(recipe.replace("steps: 800", "step: 800"))
    assert CliRunner().invoke(cli, ["validate", "mine.yaml"], standalone_mode=False).output.startswith(answer)


def test_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert phony == explained == TARGETS


def test_every_requirement_is_pinned_for_every_python():
    options = setup()
    extras = {name: text.replace("%(test)s", "") for name, text in options.items("options.extras_require", raw=True)}
    pins = requirements((ROOT / "constraints.txt").read_text())
    for wanted in requirements("\n".join([options["options"]["install_requires"], *extras.values()])):
        for python in ("3.10", "3.11", "3.12", "3.13"):
            environment = {"python_version": python, "platform_system": "Linux", "extra": ""}
            if wanted.marker and not wanted.marker.evaluate(environment):
                continue
            name = canonicalize_name(wanted.name)
            fitting = [p for p in pins if canonicalize_name(p.name) == name and (not p.marker or p.marker.evaluate(environment))]
            assert len(fitting) == 1, f"{wanted.name} on Python {python}: {len(fitting)} pins"
            version = str(fitting[0].specifier).removeprefix("==")
            assert wanted.specifier.contains(version), f"{fitting[0]} is not {wanted.specifier}"


def test_the_shipped_recipes_are_those_of_the_checkout():
    assert (ROOT / "seqcfg" / "_shipped").resolve() == (ROOT / "recipes").resolve()


def test_what_can_be_run_is_marked_so():
    listed = subprocess.run(["git", "ls-files", "-s", "bin", ".ci"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    assert not [line for line in listed if line and not line.startswith("100755")]
