"""Reading: values, positions, and that nothing in a file can crash, hang or run."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcfg.errors import RecipeError
from seqcfg.recipe.read import decode, read_file, read_text
from seqcfg.recipe.scalars import resolve


def problem(text):
    with pytest.raises(RecipeError) as caught:
        read_text(text, "r.yaml")
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-4", 1e-4), ("1E3", 1000.0), ("010", 10), ("+7", 7), ("0x1F", 31), ("0o17", 15), (".5", 0.5), ("5.", 5.0),
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("True", True), ("false", False), ("~", None), ("null", None), ("", None),
        ("1_000", "1_000"), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("1.2.3", "1.2.3"), ("-", "-"), ("0b11", "0b11"),
    ],
)  # fmt: skip
def test_words_mean_what_yaml_1_2_says(word, value):
    found = resolve(word)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("word", [".inf", "-.INF", ".nan", "1e999", "9223372036854775808", "-" + "9" * 5000, "0x" + "f" * 100])
def test_numbers_that_no_field_can_hold_are_refused(word):
    with pytest.raises(ValueError, match="number"):
        resolve(word)


def test_quotes_make_texts_of_numbers_and_words():
    assert read_text("a: '1'\nb: \"true\"\nc: |\n  1\n", "r").plain() == {"a": "1", "b": "true", "c": "1\n"}


def test_every_key_and_value_keeps_its_line_and_column():
    tree = read_text("a:\n  - x\n  - {b: 2}\nc: 'd'\n", "r.yaml")
    inner = tree.value["a"].value[1].value["b"]
    assert tree.value["a"].key_place == ("r.yaml", 1, 1)
    assert tree.value["a"].value[0].place == ("r.yaml", 2, 5)
    assert (inner.key_place, inner.place) == (("r.yaml", 3, 6), ("r.yaml", 3, 9))
    assert tree.value["c"].place == ("r.yaml", 4, 4)


def test_columns_count_characters_and_not_bytes():
    found = problem("é: ü\nä: {ö: *x}\n")
    assert (found.line, found.column) == (2, 8)


def test_json_is_read_with_tabs_too():
    assert read_text('{\n\t"a": [1, 2.5],\n\t"b": null\n}\n', "r.json").plain() == {"a": [1, 2.5], "b": None}


def test_windows_line_ends_change_nothing():
    assert read_text(decode(b"a: 1\r\nb:\r\n  - x\r\n", "r"), "r").plain() == {"a": 1, "b": ["x"]}


def test_the_first_of_two_equal_keys_is_named():
    found = problem("a: 1\nb: 2\na: 3\n")
    assert (found.line, found.column, found.path) == (3, 1, "a")
    assert "line 1" in found.hint


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 5000, "- " * 2000, "a: " + "[" * 70 + "]" * 70])
def test_deep_nesting_is_refused_and_does_not_crash(text):
    found = problem(text)
    assert "nested" in found.message


def test_too_many_values_are_refused():
    assert "100000" in problem("[" + "1," * 100_001 + "]").message


def test_a_file_beyond_the_size_limit_is_refused():
    with pytest.raises(RecipeError, match="larger"):
        decode(b"#" * ((1 << 20) + 1), "r")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        read_file(str(tmp_path / "missing.yaml"))
    with pytest.raises(RecipeError, match="folder"):
        read_file(str(tmp_path))
    with pytest.raises(RecipeError, match="cannot be read"):
        read_file("a\0b")


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`,#?\t\n 01.eE+~<=${}"), max_size=40))
def test_any_text_is_either_read_or_refused_with_a_place(text):
    try:
        read_text(text, "r.yaml")
    except RecipeError as error:
        assert error.problems[0].file == "r.yaml"
        assert error.problems[0].message
