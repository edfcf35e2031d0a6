from pathlib import Path

import pytest

from seqcfg.cli import main

RECIPE = str(Path(__file__).parents[2] / "recipes" / "mt" / "demo_numbers_enfr.yaml")
FIELDS = {"splits.train.num_examples": 200, "splits.validation.num_examples": 20, "splits.test.num_examples": 20}
SMALL = [part for name, value in FIELDS.items() for part in ("--set", f"data.{name}={value}")] + ["--set", "tokenizers.shared={type: byte}"]


@pytest.fixture
def seqcfg(tmp_path, capsys):
    """Runs a command with an empty cache and data root; returns its exit code and what it printed."""

    def run(*arguments):
        roots = ["--cache-root", str(tmp_path / "cache"), "--data-root", str(tmp_path / "data")]
        code = main([*arguments, *roots])
        return code, "".join(capsys.readouterr())

    return run


def test_prepare_tells_what_it_made_and_is_quick_the_second_time(seqcfg):
    code, printed = seqcfg("prepare", RECIPE, *SMALL, "--verify")
    assert code == 0
    assert "train: 200 examples" in printed
    assert "% padding" in printed
    code, again = seqcfg("prepare", RECIPE, *SMALL)
    assert code == 0
    assert "tokenizer" not in again


def test_examples_that_are_too_long_to_train_on_are_counted(seqcfg):
    _, printed = seqcfg("prepare", RECIPE, *SMALL, "--set", "data.batching.max_length=30")
    assert "examples are longer than data.batching.max_length 30 and not trained on" in printed


def test_data_show_prints_the_texts_of_a_step(seqcfg):
    seqcfg("prepare", RECIPE, *SMALL)
    code, printed = seqcfg("data", "show", RECIPE, *SMALL, "--step", "48213", "--rows", "2")
    assert code == 0
    assert printed.startswith("batch 48213: epoch ")
    assert printed.count("  example ") == 2
    assert seqcfg("data", "show", RECIPE, *SMALL, "--step", "48213", "--rows", "2")[1] == printed
    assert seqcfg("data", "show", RECIPE, *SMALL, "--step", "48214", "--rows", "2")[1] != printed


def test_data_show_before_prepare_names_the_command(seqcfg):
    code, printed = seqcfg("data", "show", RECIPE, *SMALL)
    assert code == 1
    assert "seqcfg prepare" in printed


def test_a_missing_corpus_is_an_error_that_names_the_way_to_get_it(seqcfg):
    code, printed = seqcfg("prepare", RECIPE.replace("demo_numbers_enfr", "multi30k_ende_tiny"))
    assert code == 1
    assert "no such file" in printed
    assert "--download" in printed
