"""The packages a recipe requires."""

from importlib.metadata import version

import pytest

from seqcfg.recipe.read import read_text
from seqcfg.recipe.requirements import check_requirements, unmet

CLICK = version("click")
MAJOR = int(CLICK.split(".")[0])


@pytest.mark.parametrize(
    ("comparison", "wanted"), [(None, None), (">=", "1.0"), ("==", CLICK), ("<", f"{MAJOR + 1}"), ("~=", f"{MAJOR}.0")]
)
def test_versions_that_fit(comparison, wanted):
    assert unmet("click", comparison, wanted) is None


@pytest.mark.parametrize(("comparison", "wanted"), [(">=", f"{MAJOR + 1}"), ("==", "0.1"), ("<", "1.0"), ("!=", CLICK), ("~=", "1.0")])
def test_versions_that_do_not_fit_are_told_with_the_installed_one(comparison, wanted):
    code, message = unmet("click", comparison, wanted)
    assert code == "E0251"
    assert CLICK in message


def test_a_missing_package_is_named_at_its_line():
    tree = read_text("requires:\n  - click>=1\n  - seqcfg-not-there\n", "r.yaml")
    (problem,) = check_requirements(tree)
    assert (problem.line, problem.path) == (3, "requires.1")
    assert problem.code == "E0250"
    assert "seqcfg-not-there" in problem.message
