"""Broken recipes and the exact words each is answered with. A first line `# --set X` gives an override.

Run this file as a program to rewrite the expected texts, then read the difference.
"""

import os
from pathlib import Path

import pytest

from seqcfg.recipe.codes import codes
from seqcfg.recipe.report import as_text
from seqcfg.recipe.validate import validate

FOLDER = Path(__file__).parent
BROKEN = sorted(FOLDER.glob("*.yaml"))


def overrides(file: Path) -> list[str]:
    """What the first line of a broken recipe says after `# --set `."""
    first = file.read_bytes().split(b"\n")[0].decode("utf-8", "replace")
    return [first.removeprefix("# --set ")] if first.startswith("# --set ") else []


def messages(file: Path) -> str:
    """What a user sees who checks this recipe from within its folder."""
    before = Path.cwd()
    os.chdir(file.parent)
    try:
        return as_text(validate(file.name, overrides(file))) + "\n"
    finally:
        os.chdir(before)


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_recipe_gets_its_message(file):
    assert messages(file) == file.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_every_problem_names_its_file_and_says_how_to_mend_or_what_is_allowed(file):
    problems = validate(str(file), overrides(file))
    assert problems
    for problem in problems:
        assert problem.file
        assert problem.message
        assert problem.code in codes()
        assert "Traceback" not in problem.message


def test_the_recipe_the_broken_ones_start_from_is_valid():
    assert validate(str(FOLDER / "bases/tiny.yaml")) == []


def test_problems_come_in_line_order():
    lines = [problem.line for problem in validate(str(FOLDER / "many_problems.yaml"))]
    assert lines == sorted(lines)
    assert len(lines) == 4


if __name__ == "__main__":
    for broken in BROKEN:
        broken.with_suffix(".txt").write_text(messages(broken), encoding="utf-8")
