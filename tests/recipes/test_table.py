"""The table in recipes/README.md says what is so: it is written from the recipes and from what was measured."""

import re

import pytest

from seqcfg.comparison import claims
from seqcfg.comparison.claims_table import with_table
from seqcfg.plan import table
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load

README = shipped.folder() / "README.md"
NAMES = [name for name in shipped.names() if not name.startswith("bases/")]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.read_text().splitlines() if line.startswith("| [")]


def named(row):
    return re.fullmatch(r"\[([\w/]+)\]\(\1\.yaml\)", row[0])[1]


def test_the_table_is_what_seqcfg_claims_writes():
    path = shipped.folder() / "README.md"
    told = path.read_text(encoding="utf-8")
    assert told == with_table(told, claims.rows(shipped.folder()), path), "seqcfg claims recipes/ --write"


def test_every_recipe_has_one_row_in_order():
    assert [named(row) for row in ROWS] == NAMES


def test_no_measurement_misses_its_claim():
    assert [one for row in claims.rows(shipped.folder()) for one in row.missed] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_named_by_its_file_and_tells_what_it_is(name):
    recipe = load(str(shipped.find(name))).recipe
    assert recipe.name == name.rpartition("/")[2]
    assert len(recipe.about) > 80


@pytest.mark.parametrize(("name", "published"), [("wmt14_ende", 65e6), ("wmt14_ende_big", 213e6)])
def test_published_sizes_are_met_as_closely_as_the_paper_s_own_vocabulary_allows(name, published):
    """Table 3 of arXiv:1706.03762 against 37,000 shared rows; README says why it is not closer."""
    assert table.total(load(str(shipped.find(f"mt/{name}"))).declaration) == pytest.approx(published, rel=0.031)
