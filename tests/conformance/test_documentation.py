"""Every component says what it is, and every field what it means: schema, help pages and errors are made from it."""

import dataclasses

import pytest

from seqcfg.component import catalog

COMPONENTS = [cls for family in catalog.load().values() for cls in family.values() if cls.__module__.startswith("seqcfg.")]


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda cls: f"{cls.kind}.{cls.type}")
def test_a_component_is_documented(cls):
    own = cls.__dict__.get("__doc__") or ""
    assert own and not own.startswith(cls.__name__ + "("), "no docstring"  # dataclasses put the signature where none is written
    assert own.split("\n")[0].strip(), "the first line is empty"
    for field in dataclasses.fields(cls):
        doc = field.metadata.get("doc", "")
        assert len(doc) > 3 and doc.endswith("."), f"{field.name}: {doc!r} is no sentence"


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda cls: f"{cls.kind}.{cls.type}")
def test_types_and_fields_are_snake_case(cls):
    for name in [cls.type, *(field.name for field in dataclasses.fields(cls))]:
        assert name == name.lower() and name.replace("_", "").isalnum(), name
