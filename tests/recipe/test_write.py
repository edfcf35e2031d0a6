"""Writing: what is written reads back as the same value, by this reader and by others."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcfg.recipe.read import read_text
from seqcfg.recipe.variables import substitute
from seqcfg.recipe.write import to_yaml

texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=20).filter(
    lambda text: not any(0x80 <= ord(character) <= 0x9F for character in text)
)
words = st.sampled_from(
    [
        "no",
        "1e5",
        "1e-06",
        "010",
        "~",
        "",
        "2024-01-01",
        "${vars.x}",
        "$${x}",
        "- a",
        "a: b",
        "#x",
        "a\nb",
        "x\n",
        "1:30",
        "a\u2028b",
        "a\x85b",
        "a\rb",
        "\u2029",
    ]
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts | words
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_a_value_reads_back_as_itself(value):
    found = substitute(read_text(to_yaml({"value": value}), "r")).plain()["value"]
    assert found == value
    assert repr(found) == repr(value)


def test_numbers_are_numbers_for_readers_of_yaml_1_1_too():
    value = {"a": 1e-06, "b": 1e22, "c": 2.5, "d": "1e5", "e": "no", "f": 3}
    assert yaml.safe_load(to_yaml(value)) == value
