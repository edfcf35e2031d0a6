"""Slots: what a type hint allows, and the schema, words and values that follow from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from seqcfg.component import pages
from seqcfg.component.catalog import closest, find, load
from seqcfg.component.component import Component, Record, param
from seqcfg.component.fields import fields_of, slot_of
from seqcfg.component.schema import flat_schema, problems_of
from seqcfg.component.types import FixedType, PositiveInt, Probability, rules
from seqcfg.errors import UserError


class Shape(Component, kind="test_shape"):
    """A family for these tests."""


class Circle(Shape, type="test_circle"):
    """A round shape (after Euclid et al. 300 BC). More words."""

    radius: PositiveInt = param(doc="Radius in metres.")
    rate: Probability = param(default=0.1, doc="A share.")


class Corner(Record):
    """A record."""

    angle: float = param(default=90.0, doc="Angle in degrees.")


class Group(Shape, type="test_group"):
    """Shapes together."""

    first: Shape = param(doc="A slot.")
    others: list[Shape] = param(factory=list, doc="A list of slots.")
    named: dict[str, Shape] = param(factory=dict, doc="Slots by name.")
    round: Annotated[Shape, FixedType("test_circle")] | None = param(default=None, doc="Always a circle.")
    corner: Corner = param(factory=Corner, doc="A record.")
    mode: Literal["a", "b"] | float = param(default="a", doc="A union.")
    pair: tuple[int, int] = param(default=(1, 2), doc="Two numbers.")
    sizes: Annotated[list[PositiveInt], rules(minItems=1)] = param(factory=lambda: [1], doc="At least one.")
    free: Any = param(default=None, doc="Anything.", affects="nothing")


def slots():
    return {name: field.slot for name, field in fields_of(Group).items()}


def errors(cls, **values):
    return sorted(error.keyword for error in problems_of(cls, values))


def test_a_family_offers_its_members_and_a_record_or_fixed_slot_its_class():
    assert list(slots()["first"].members) == ["test_circle", "test_group"]
    assert slots()["first"].fixed_class is None
    assert slots()["round"].fixed_class is Circle
    assert slots()["corner"].fixed_class is Corner


def test_nested_slots_are_told_from_plain_ones():
    nested = {name for name, slot in slots().items() if slot.is_nested}
    assert nested == {"first", "others", "named", "round", "corner"}


def test_a_union_with_float_takes_whole_numbers_as_floats():
    assert slots()["mode"].is_float
    assert not fields_of(Circle)["radius"].slot.is_float


@pytest.mark.parametrize("hint", [dict[str, Shape] | dict[str, int], Shape | Corner, set[int], complex, tuple[int, str]])
def test_hints_that_no_recipe_can_fill_are_refused(hint):
    with pytest.raises(TypeError):
        slot_of(hint)


def test_a_flat_schema_holds_ranges_of_its_own_fields_only():
    schema = flat_schema(Circle)
    assert schema["required"] == ["radius"]
    assert schema["properties"]["radius"] == {"type": "integer", "minimum": 1}
    assert schema["properties"]["type"] == {"const": "test_circle"}
    assert flat_schema(Group)["properties"]["first"] == {"type": "object"}


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        ({"radius": 1}, []),
        ({"radius": 2.0}, []),
        ({"radius": 0}, ["minimum"]),
        ({"radius": True}, ["type"]),
        ({"radius": "1"}, ["type"]),
        ({"rate": 2}, ["maximum", "required"]),
        ({"radius": 1, "radios": 1}, ["additionalProperties"]),
        ({"radius": 1, "type": "test_group"}, ["const"]),
    ],
)
def test_flat_validators_find_what_is_wrong(values, broken):
    assert errors(Circle, **values) == broken


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        ({"mode": "b"}, []), ({"mode": 2}, []), ({"mode": "c"}, ["anyOf"]), ({"pair": [1]}, ["minItems"]),
        ({"pair": [1, 2, 3]}, ["maxItems"]),
        ({"sizes": []}, ["minItems"]), ({"sizes": [0]}, ["minimum"]), ({"first": []}, ["type"]),
        ({"round": None}, []), ({"free": {"a": []}}, []),
        ({"others": {}}, ["type"]), ({"corner": None}, ["type"]),
    ],
)  # fmt: skip
def test_flat_validators_check_forms_lists_and_unions(values, broken):
    assert errors(Group, **({"first": {}} | values)) == broken


def test_pages_put_types_defaults_and_docs_into_words():
    page = {page.name: page for page in pages.fields(Circle)}
    assert page["radius"] == pages.FieldPage("radius", "int >= 1", "", "Radius in metres.")
    assert (page["rate"].type, page["rate"].default) == ("float >= 0, <= 1", "0.1")
    group = {page.name: page.type for page in pages.fields(Group)}
    assert group["others"] == "list of test_shape"
    assert group["round"] == "test_circle or empty"
    assert group["mode"] == "a | b or float"


def test_a_component_as_default_shows_only_what_differs_from_its_defaults():
    assert pages.value_words(Circle(radius=3)) == "{type: test_circle, radius: 3}"
    assert pages.value_words(Circle(radius=3, rate=0.5)) == "{type: test_circle, radius: 3, rate: 0.5}"


def test_a_summary_is_the_first_sentence_and_not_cut_at_et_al():
    assert pages.summary(Circle) == "A round shape (after Euclid et al. 300 BC)."
    assert pages.first_sentence("See Wu et al. The end. Next.") == "See Wu et al. The end."


def test_origins_name_file_and_line():
    file, _, line = pages.origin(Circle).rpartition(":")
    assert file.endswith("test_fields_of_components.py")
    assert int(line) > 1


def test_unknown_kinds_and_types_get_the_nearest_name():
    with pytest.raises(UserError, match="did you mean 'layer'"):
        find("layr", "dense")
    with pytest.raises(UserError, match="did you mean 'dense'"):
        find("layer", "dens")
    assert closest("zzz", ["abc"]) == ""


def test_every_field_of_every_component_can_be_filled_by_a_recipe_and_has_a_doc():
    for kind, family in load().items():
        for name, cls in family.items():
            for field in fields_of(cls).values():
                assert field.doc, f"{kind}.{name}.{field.name}"


def test_a_type_cannot_be_defined_twice():
    with pytest.raises(TypeError, match="already defined"):

        class Other(Shape, type="test_circle"):
            """Another one."""
