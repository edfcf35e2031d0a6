"""What `seqcfg diff` prints for pairs of recipes and runs is what was pinned. Run this file as a program to pin it anew.

Look at every change of golden/: it is what people see.
"""

import dataclasses
import os
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg.commands.diff import command
from seqcfg.component import schema
from seqcfg.component.fields import Slot, fields_of
from seqcfg.recipe import migrations
from seqcfg.recipe.sections import Recipe
from tests.comparison.pairs import PAIRS

GOLDEN = Path(__file__).parent / "golden"
SAME = {"reordered_keys_and_comments", "numbers_spelled_differently", "renamed_field_under_migration", "the_same_run_twice"}
NOT_COMPARABLE = {"another_split_for_validation", "runs_judged_on_other_lines"}


def answer(name):
    """The command line of a pair, made in the current folder, with its output and exit code."""
    for root in ("SEQCFG_DATA", "SEQCFG_CACHE"):
        os.environ.pop(root, None)
    sides = PAIRS[name]()
    result = CliRunner().invoke(command, sides, standalone_mode=False)
    assert result.exception is None, result.exception
    return f"$ seqcfg diff {' '.join(sides)}\n{result.output}exit code {result.return_value}\n"


class SecondVersion:
    """The language in a version 2, in which `inner` of a feed-forward layer is called `hidden`."""

    def __enter__(self):
        fields = fields_of(Recipe)
        self.field, field = fields["recipe_version"], fields["recipe_version"]
        fields["recipe_version"] = dataclasses.replace(field, slot=Slot(({"enum": [2]},)))
        schema._flat_schema.cache_clear()
        migrations.MIGRATIONS.append(migrations.Migration("inner of feed_forward is called hidden", self.rename))

    def __exit__(self, *error):
        fields_of(Recipe)["recipe_version"] = self.field
        schema._flat_schema.cache_clear()
        migrations.MIGRATIONS.pop()

    @staticmethod
    def rename(draft):
        for _, mapping in draft.mappings("feed_forward"):
            draft.rename_key(mapping, "inner", "hidden")


def answer_in(name, folder):
    """As `answer`, in a folder of its own."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        if name == "renamed_field_under_migration":
            with SecondVersion():
                return answer(name)
        return answer(name)
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_told_as_it_was_pinned(name, tmp_path):
    told = answer_in(name, tmp_path)
    assert told == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8"), f"if this is right: python {Path(__file__).name}"
    assert told.endswith(f"exit code {0 if name in SAME else 1}\n")
    assert ("\nnot comparable: " in told) == (name in NOT_COMPARABLE)


def test_every_pinned_output_has_its_pair():
    assert {file.stem for file in GOLDEN.iterdir()} == set(PAIRS) and len(PAIRS) >= 25


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PAIRS:
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / f"{name}.txt").write_text(answer_in(name, folder), encoding="utf-8")
