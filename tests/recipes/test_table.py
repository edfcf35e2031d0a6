"""The table in recipes/README.md says what is so: every recipe once, its number of weights and its claims."""

import re

import pytest

from seqcfg.plan import table
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load

README = shipped.folder() / "README.md"
NAMES = [name for name in shipped.names() if not name.startswith("bases/")]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.read_text().splitlines() if line.startswith("| [")]


def named(row):
    return re.fullmatch(r"\[([\w/]+)\]\(\1\.yaml\)", row[0])[1]


def claim_words(claim):
    tolerance = f" - {claim.tolerance:g}" if claim.tolerance else ""
    return f"{claim.metric} {claim.value:g}{tolerance} ({claim.split})"


def test_every_recipe_has_one_row_in_order():
    assert [named(row) for row in ROWS] == NAMES


@pytest.mark.parametrize("row", ROWS, ids=[row[0].partition("]")[0].strip("[") for row in ROWS])
def test_a_row_tells_weights_and_claims_as_they_are(row):
    experiment = load(str(shipped.find(named(row))))
    assert row[1] == f"{table.total(experiment.declaration):,}"
    assert row[4] == ("; ".join(claim_words(claim) for claim in experiment.recipe.claims) or "none")


@pytest.mark.parametrize("row", ROWS, ids=[row[0].partition("]")[0].strip("[") for row in ROWS])
def test_a_measurement_tells_hardware_minutes_and_score(row):
    assert row[5] == "not run" or re.fullmatch(r".+, [\d,.]+ min: .*\d.*", row[5]), row[5]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_named_by_its_file_and_tells_what_it_is(name):
    recipe = load(str(shipped.find(name))).recipe
    assert recipe.name == name.rpartition("/")[2]
    assert len(recipe.about) > 80


@pytest.mark.parametrize(("name", "published"), [("wmt14_ende", 65e6), ("wmt14_ende_big", 213e6)])
def test_published_sizes_are_met_as_closely_as_the_paper_s_own_vocabulary_allows(name, published):
    """Table 3 of arXiv:1706.03762 against 37,000 shared rows; README says why it is not closer."""
    assert table.total(load(str(shipped.find(f"mt/{name}"))).declaration) == pytest.approx(published, rel=0.031)
