"""Our own checks of values give jsonschema's verdicts."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry

from seqcfg.component.catalog import load
from seqcfg.component.fields import slot_of
from seqcfg.component.schema import flat_schema
from seqcfg.component.types import rules
from seqcfg.component.violations import violations

VALUES = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    10**6,
    0.0,
    1.0,
    0.5,
    -0.5,
    1e-9,
    7.0,
    "",
    "x",
    "auto",
    "a" * 70,
    "ä b",
    [],
    [1],
    [1, 2],
    ["x"],
    {},
    {"x": 1},
)
CLASSES = [cls for _, family in sorted(load().items()) for _, cls in sorted(family.items())]
SCHEMAS = st.recursive(
    st.one_of(
        st.sampled_from([{"type": name} for name in ("object", "array", "string", "boolean", "null", "number", "integer")]),
        st.sampled_from([{"enum": [1, "a", None]}, {"const": True}, {"const": 1}, {"enum": [0, False]}, {}]),
        st.sampled_from([{"minimum": 1}, {"maximum": 0.5}, {"exclusiveMinimum": 0}, {"exclusiveMaximum": 1}, {"multipleOf": 2}]),
        st.sampled_from([{"pattern": "^a"}, {"minLength": 1}, {"maxLength": 1}, {"minItems": 1}, {"maxItems": 1}, {"required": ["a"]}]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"items": part}, inner),
        st.builds(lambda a, rest: {"properties": {"a": a}, "additionalProperties": rest}, inner, st.one_of(st.just(False), inner)),
    ),
    max_leaves=6,
)
INSTANCES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.sampled_from(["", "a", "ab", "b"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=5,
)


def keywords_and_paths(schema, value):
    ours = {(found.keyword, found.path) for found in violations(schema, value)}
    theirs = {(found.validator, tuple(found.path)) for found in Draft7Validator(schema, registry=Registry()).iter_errors(value)}
    return ours, theirs


@pytest.mark.parametrize("cls", CLASSES, ids=[f"{cls.kind}.{cls.type}" for cls in CLASSES])
def test_every_component_gets_the_verdict_of_jsonschema(cls):
    schema = flat_schema(cls)
    validator = Draft7Validator(schema, registry=Registry())
    for name in schema["properties"]:
        for value in VALUES:
            ours = {(found.keyword, found.path) for found in violations(schema, {name: value})}
            theirs = {(found.validator, tuple(found.path)) for found in validator.iter_errors({name: value})}
            assert ours == theirs, f"{name}: {value!r}"


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, INSTANCES)
def test_any_schema_of_known_keywords_gets_the_verdict_of_jsonschema(schema, value):
    ours, theirs = keywords_and_paths(schema, value)
    assert ours == theirs


def test_a_whole_number_fits_into_64_bits():
    assert not list(violations({"type": "integer"}, 1e18))
    assert [found.keyword for found in violations({"type": "integer"}, 1e19)] == ["type"]


def test_a_keyword_that_is_not_checked_cannot_be_written():
    with pytest.raises(TypeError, match="uniqueItems"):
        slot_of(Annotated[list[int], rules(uniqueItems=True)])


def test_each_form_of_a_union_tells_what_it_lacks():
    found = list(violations({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 3}]}, 2))
    assert [(part.keyword, part.rule) for part in found[0].context] == [("type", "string"), ("minimum", 3)]
