"""Every kind of problem has a code, a page and an example in tests/negative.

Run this file as a program to rewrite docs/errors.md.
"""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.component.catalog import load as load_catalog
from seqcfg.errors import RecipeError, UserError
from seqcfg.recipe import codes
from seqcfg.recipe.experiment import load
from seqcfg.recipe.limits import MAX_BYTES, MAX_NODES, MAX_SCALAR
from seqcfg.recipe.read import read_text
from seqcfg.recipe.validate import validate

ROOT = Path(__file__).parents[2]
NEGATIVE = ROOT / "tests" / "negative"
PAGE = ROOT / "docs" / "errors.md"
SHOWN = {code for file in NEGATIVE.glob("*.txt") for code in re.findall(r" \[(E[0-9]{4})\]$", file.read_text(), re.MULTILINE)}
ELSEWHERE = {  # code: what shows it, because no small file can
    "E0101": "test_a_file_that_cannot_be_read",
    "E0102": "test_what_is_larger_than_a_recipe_may_be",
    "E0127": "test_what_is_larger_than_a_recipe_may_be",
    "E0129": "test_what_is_larger_than_a_recipe_may_be",
    "E0131": "tests/recipe/test_textproto.py",
    "E0140": "test_a_hundred_problems_are_enough",
    "E0206": "test_a_base_too_many",
    "E0242": "tests/recipe/test_migrate.py",
    "E0243": "tests/recipe/test_migrate.py",
    "E0251": "tests/recipe/test_requirements.py",
    "E0312": "test_an_incomplete_installation",
    "E0403": "test_a_recipe_without_data",
    "E0502": "tests/export/test_ctranslate2.py",
    "E0601": "tests/component/test_plugins.py",
    "E0602": "tests/component/test_plugins.py",
    "E0603": "tests/component/test_plugins.py",
}


def code_of(failure):
    return failure.value.problems[0].code


def raised_in_source():
    """The codes that stand in the package outside the pages themselves."""
    files = [file for file in (ROOT / "seqcfg").rglob("*.py") if not file.name.startswith("codes")]
    return {code for file in files for code in re.findall(r'"(E[0-9]{4})"', file.read_text(encoding="utf-8"))}


def test_every_code_that_is_raised_has_a_page_and_every_page_is_needed():
    assert raised_in_source() == set(codes.codes())


def test_every_code_is_shown_by_a_broken_recipe():
    assert set(codes.codes()) - SHOWN == set(ELSEWHERE)


def test_every_broken_recipe_is_answered_with_codes_that_have_a_page():
    for file in sorted(NEGATIVE.glob("*.txt")):
        heads = [line for line in file.read_text().split("\n") if line and not line.startswith("    ")]
        assert heads and all(re.search(r" \[(E[0-9]{4})\]$", head) for head in heads), file.stem


def test_pages_are_complete_and_numbers_unique():
    assert len(codes.codes()) > 50
    for code in codes.codes().values():
        assert re.fullmatch("E0[1-6][0-9]{2}", code.number)
        assert code.title and code.what.endswith(".") and code.remedy.endswith(".")
        assert code.example or code.number not in SHOWN or code.number in ("E0103", "E0104", "E0108", "E0130", "E0225"), code.number


def test_the_page_in_the_documentation_is_that_of_the_code():
    assert PAGE.read_text(encoding="utf-8") == codes.as_markdown(), "run this file as a program"


def test_explain_prints_the_page_of_a_code():
    shown = CliRunner().invoke(cli, ["explain", "e0107"], standalone_mode=False).output
    assert shown.startswith("E0107: a key appears twice\n")
    assert "To mend it:" in shown
    with pytest.raises(UserError, match="E0999"):
        codes.find("E0999")


def test_a_file_that_cannot_be_read(tmp_path):
    assert [problem.code for problem in validate(str(tmp_path / "none.yaml"))] == ["E0101"]
    assert [problem.code for problem in validate(str(tmp_path))] == ["E0101"]


def test_what_is_larger_than_a_recipe_may_be(tmp_path):
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a" * (MAX_BYTES + 1))
    assert [problem.code for problem in validate(str(large))] == ["E0102"]
    with pytest.raises(RecipeError) as failure:
        read_text(f"about: {'a' * (MAX_SCALAR + 1)}", "r.yaml")
    assert code_of(failure) == "E0127"
    with pytest.raises(RecipeError) as failure:
        read_text(f"[{'0,' * (MAX_NODES + 1)}]", "r.yaml")
    assert code_of(failure) == "E0129"


def test_a_hundred_problems_are_enough(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text("recipe_version: 1\n" + "".join(f"key{number}: 1\n" for number in range(3000)))
    problems = validate(str(file))
    assert [problem.code for problem in problems] == ["E0302"] + ["E0301"] * 99 + ["E0140"]  # the task is missing as well
    assert [problem.line for problem in problems[1:100]] == list(range(2, 101))


def test_a_base_too_many(tmp_path):
    for index in range(34):
        (tmp_path / f"{index}.yaml").write_text(f"recipe_version: 1\nbase: {index + 1}.yaml\n")
    (tmp_path / "34.yaml").write_text("recipe_version: 1\n")
    assert [problem.code for problem in validate(str(tmp_path / "0.yaml"))] == ["E0206"]


def test_an_incomplete_installation(monkeypatch):
    catalog = load_catalog()
    monkeypatch.setitem(catalog, "section", {name: cls for name, cls in catalog["section"].items() if name != "training"})
    problems = validate(str(NEGATIVE / "bases" / "tiny.yaml"))
    assert ("E0312", "training") in [(problem.code, problem.path) for problem in problems]


def test_a_recipe_without_data(tmp_path):
    file = tmp_path / "base.yaml"
    file.write_text(
        re.sub(r"data:\n(  .*\n)+", "", (NEGATIVE / "bases" / "tiny.yaml").read_text()).replace("evaluation:\n  split: validation\n", "")
    )
    assert validate(str(file)) == []
    with pytest.raises(RecipeError) as failure:
        load(file)
    assert code_of(failure) == "E0403"


def test_a_list_shown_elsewhere_names_tests_that_exist():
    names = globals()
    for code, place in ELSEWHERE.items():
        assert place in names or code in (ROOT / place).read_text(encoding="utf-8"), place


if __name__ == "__main__":
    PAGE.write_text(codes.as_markdown(), encoding="utf-8")
