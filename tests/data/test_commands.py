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


def test_data_stats_draws_lengths_and_a_picture(seqcfg, tmp_path):
    seqcfg("prepare", RECIPE, *SMALL)
    code, printed = seqcfg("data", "stats", RECIPE, *SMALL, "--picture", str(tmp_path / "x.svg"))
    assert code == 0
    assert "train.source\n  200 examples" in printed
    assert printed.count("\u2588") > 100
    assert (tmp_path / "x.svg").read_text().startswith("<svg")


def test_data_show_prints_the_segments_of_packed_rows(seqcfg):
    packed = [*SMALL, "--set", "data.batching={packing: true, max_tokens: 1024, max_length: 256}"]
    seqcfg("prepare", RECIPE, *packed)
    code, printed = seqcfg("data", "show", RECIPE, *packed, "--rows", "1")
    assert code == 0
    assert "source segments 1:" in printed
    assert printed.count("\n      ") >= 4


def test_data_lint_ends_with_1_where_something_looks_wrong(seqcfg, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("en", "fr"):
        (tmp_path / "data" / f"x.{name}").write_text("one\none\ntwo\n")
    recipe = tmp_path / "recipe.yaml"
    text = Path(RECIPE).read_text().replace("../bases/transformer.yaml", "seqcfg:bases/transformer")
    begin, end, claims = text.index("  splits:"), text.index("  batching:"), text.index("claims:")
    recipe.write_text(text[:begin] + "  splits: {train: {type: parallel_text, source: x.en, target: x.fr}}\n" + text[end:claims])
    code, printed = seqcfg("data", "lint", str(recipe))
    assert code == 1, printed
    assert "x.en:2: duplicate: was seen before: one" in printed
    assert "1 duplicate in train 3 examples" in printed
    assert "not prepared" in printed
