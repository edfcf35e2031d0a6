"""Words for a value that breaks the schema: what it is, what it should be, how to mend it."""

from __future__ import annotations

import json
import re
from typing import Any

from seqcfg.component.catalog import closest
from seqcfg.component.violations import Violation

NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "null": "empty",
    "array": "a list",
    "object": "a mapping",
}
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
OLD_BOOLEANS = {"yes", "no", "on", "off", "y", "n"}


def show(value: Any) -> str:
    """A value as a recipe would write it, cut short."""
    if value is None:
        return "an empty value"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def describe(schema: dict[str, Any]) -> str:
    """What a schema asks for, as words that follow 'should be'."""
    if "anyOf" in schema:
        return " or ".join(describe(part) for part in schema["anyOf"])
    if "const" in schema:
        return show(schema["const"])
    if "enum" in schema:
        values = [show(value) for value in schema["enum"]]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    words = NAMES.get(schema.get("type", ""), "a value")
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    if bounds:
        words += (" of " if bounds[0].startswith("at") else " ") + " and ".join(bounds)
    if schema.get("type") == "array" and "type" in schema.get("items", {}):
        words += f", each {describe(schema['items'])}"
    return words


def explain(error: Violation, hint: str = "") -> tuple[str, str, str]:
    """(code, message, hint) for one error of a flat schema; `hint` is the field's own remedy."""
    if error.keyword == "anyOf":  # a value of the right type that breaks a rule is explained by that rule
        error = next((part for part in error.context if part.keyword not in ("type", "enum", "const")), error)
    value, rule, schema, keyword = error.value, error.rule, error.schema, error.keyword
    if keyword == "enum":
        return "E0306", f"{show(value)} is not {describe(schema)}", _nearest(value, rule) or hint
    if keyword in ("type", "anyOf", "const"):
        choices = [choice for part in schema.get("anyOf", []) for choice in part.get("enum", [])]
        return "E0305", f"{show(value)} should be {describe(schema)}", _nearest(value, choices) or _retype(value, schema) or hint
    if keyword in BOUNDS:
        return "E0307", f"{show(value)} should be {describe(schema)}", hint
    if keyword == "pattern":
        return "E0308", f"{show(value)} is not written as it should be", hint or f"it must match {rule}"
    if keyword in ("minLength", "maxLength"):
        return (
            "E0309",
            f"the text has {len(value)} characters; {'at least' if keyword == 'minLength' else 'at most'} {rule} are allowed",
            hint,
        )
    if keyword in ("minItems", "maxItems"):
        return "E0310", f"the list has {len(value)} items; {'at least' if keyword == 'minItems' else 'at most'} {rule} must be given", hint
    if keyword in ("minProperties", "maxProperties"):
        return (
            "E0310",
            f"the mapping has {len(value)} keys; {'at least' if keyword == 'minProperties' else 'at most'} {rule} must be given",
            hint,
        )
    return "E0307", f"{show(value)} breaks the rule {keyword} {show(rule)}", hint


def _nearest(value: Any, choices: Any) -> str:
    return closest(value, [choice for choice in choices if isinstance(choice, str)]) if isinstance(value, str) else ""


def _retype(value: Any, schema: dict[str, Any]) -> str:
    """The remedy for a value of the wrong type, where one is plain."""
    types = {part.get("type") for part in schema.get("anyOf", [schema])}
    if isinstance(value, str):
        if "boolean" in types and value.lower() in OLD_BOOLEANS:
            return "write true or false"
        if types & {"integer", "number"} and re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", value):
            return "remove the quotes"
        if types & {"integer", "number"} and re.fullmatch(r"[-+]?[0-9]{1,3}([_,' ][0-9]{3})+", value):
            return f"write {re.sub('[^-+0-9]', '', value)}"
    if value is None:
        return "give a value, or remove the key"
    if "array" in types and not isinstance(value, dict):
        return f"write [{value}]"
    if "string" in types and isinstance(value, int | float):
        return f'write "{json.dumps(value)}" if this is meant as text'
    return ""
