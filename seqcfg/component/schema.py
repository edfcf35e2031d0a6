"""JSON Schemas made from component classes: flat ones for fast checks, and one nested one for editors."""

from __future__ import annotations

import functools
from typing import Any

from seqcfg.component.component import Component
from seqcfg.component.fields import Slot, fields_of
from seqcfg.component.violations import Violation, violations

DRAFT = "http://json-schema.org/draft-07/schema#"
VARIABLE = {"type": "string", "pattern": r"^\$\{vars\.[A-Za-z_][A-Za-z0-9_]*\}$"}


def problems_of(cls: type[Component], value: dict[str, Any]) -> list[Violation]:
    """What breaks the rules of one component's own fields; what stands in nested components is only checked for its form."""
    return list(violations(flat_schema(cls), value))


def problems_in(slot: Slot, value: Any) -> list[Violation]:
    """What is wrong with the form of a value by itself, components in it replaced by {}."""
    return list(violations(_flat(slot), value))


def flat_schema(cls: type[Component]) -> dict[str, Any]:
    """The schema of a component whose nested components are replaced by {}; the same object each time."""
    key: Any = cls  # mypy takes a class for its instances where hashing is concerned
    return _flat_schema(key)


@functools.cache
def _flat_schema(cls: Any) -> dict[str, Any]:
    fields = fields_of(cls)
    properties = {name: _flat(field.slot) for name, field in fields.items()}
    if has_written_type(cls):
        properties["type"] = {"const": cls.type}
    required = [name for name, field in fields.items() if field.is_required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def has_written_type(cls: type[Component]) -> bool:
    """Whether a mapping of this class may carry `type:`; records and sections do not."""
    return bool(cls.type) and cls.kind != "section"


def _flat(slot: Slot) -> dict[str, Any]:
    if slot.anything:
        return {}
    forms: list[dict[str, Any]] = list(slot.scalars)
    rules = dict(slot.rules)
    if slot.items:
        forms.append({"type": "array", **rules} | ({} if slot.items.is_nested else {"items": _flat(slot.items)}))
    if slot.values or slot.component:
        inner = {} if slot.values is None or slot.values.is_nested else {"additionalProperties": _flat(slot.values)}
        forms.append({"type": "object"} | ({} if slot.component else rules) | inner)
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def editor_schema(root: type[Component]) -> dict[str, Any]:
    """The draft-07 schema of a whole recipe for completion, hover help and checks in editors.

    A recipe that has `base:` or `defaults:` may leave out what they give, so it is held to a copy without `required`.
    """
    definitions: dict[str, Any] = {}
    for is_partial in (False, True):
        _Definitions(definitions, is_partial).component(root)
    whole, partial = (_name(root, is_partial) for is_partial in (False, True))
    return {
        "$schema": DRAFT,
        "title": "seqcfg recipe",
        "description": "A whole experiment of seqcfg.",
        "if": {"type": "object", "anyOf": [{"required": ["base"]}, {"required": ["defaults"]}]},
        "then": {"$ref": f"#/definitions/{partial}"},
        "else": {"$ref": f"#/definitions/{whole}"},
        "definitions": dict(sorted(definitions.items())),
    }


def component_schema(cls: type[Component]) -> dict[str, Any]:
    """The draft-07 schema of one component, or of a family where `type:` chooses, as the recipe's schema has it."""
    definitions: dict[str, Any] = {}
    table = _Definitions(definitions, is_partial=False)
    is_family = not cls.type and cls.kind != "record"
    reference = table.family(Slot(component=cls)) if is_family else table.component(cls)
    name = cls.kind if is_family else f"{cls.kind} {cls.type or cls.__name__}"
    return {"$schema": DRAFT, "title": f"seqcfg {name}", "allOf": [reference], "definitions": dict(sorted(definitions.items()))}


class _Definitions:
    """Collects one definition per class and per family that a schema refers to."""

    def __init__(self, table: dict[str, Any], is_partial: bool):
        self.table, self.is_partial = table, is_partial

    def reference(self, name: str) -> dict[str, Any]:
        return {"$ref": f"#/definitions/{name}"}

    def component(self, cls: type[Component]) -> dict[str, Any]:
        name = _name(cls, self.is_partial)
        if name not in self.table:
            self.table[name] = {}  # a class may contain itself
            self.table[name] = self.object(cls)
        return self.reference(name)

    def object(self, cls: type[Component]) -> dict[str, Any]:
        fields = fields_of(cls)
        properties: dict[str, Any] = {"type": {"const": cls.type}} if has_written_type(cls) else {}
        for name, field in fields.items():
            properties[name] = self.field(field)
        schema = {"type": "object", "description": _first_sentence(cls), "properties": properties, "additionalProperties": False}
        required = [name for name, field in fields.items() if field.is_required]
        return schema if self.is_partial or not required else schema | {"required": required}

    def field(self, field: Any) -> dict[str, Any]:
        schema = self.slot(field.slot)
        if "$ref" in schema:
            schema = {"allOf": [schema]}  # draft-07 ignores what stands beside $ref
        schema = schema | {"description": field.doc}
        default = None if field.is_required or field.slot.is_nested else field.default_value()
        return schema if default is None else schema | {"default": list(default) if isinstance(default, tuple) else default}

    def slot(self, slot: Slot) -> dict[str, Any]:
        if slot.anything:
            return {}
        forms: list[dict[str, Any]] = list(slot.scalars)
        if forms and not any(schema.get("type") == "string" and len(schema) == 1 for schema in forms):
            forms.append(VARIABLE)
        if slot.items:
            forms.append({"type": "array", "items": self.slot(slot.items), **dict(slot.rules)})
        if slot.values:
            forms.append({"type": "object", "additionalProperties": self.slot(slot.values), **dict(slot.rules)})
        if slot.component:
            fixed = slot.fixed_class
            forms.append(self.component(fixed) if fixed is not None else self.family(slot))
        if not slot.scalars and len(forms) == 1:  # a condition, not anyOf: editors say of an object what is wrong in it
            return {"if": {"type": "string"}, "then": VARIABLE, "else": forms[0]}
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def family(self, slot: Slot) -> dict[str, Any]:
        name = _name(slot.component, self.is_partial)
        if name not in self.table:
            self.table[name] = {}
            branches = [
                {"if": {"properties": {"type": {"const": member}}, "required": ["type"]}, "then": self.component(cls)}
                for member, cls in slot.members.items()
            ]
            family = {"type": "object", "properties": {"type": {"enum": list(slot.members)}}, "allOf": branches}
            self.table[name] = family if self.is_partial else family | {"required": ["type"]}
        return self.reference(name)


def _name(cls: type[Component] | None, is_partial: bool) -> str:
    assert cls is not None
    name = f"{cls.kind}.{cls.type or cls.__name__}"
    return f"partial.{name}" if is_partial else name


def _first_sentence(cls: type[Component]) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())
