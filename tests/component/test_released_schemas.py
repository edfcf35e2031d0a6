"""A recipe that was valid in a release stays valid and means the same, unless a migration rewrites it.

`tests/schemas_released/` holds schemas/recipe.schema.json of each release as <version>.json: copy it there when a
release is made. One is compared as long as the version of the recipe language has not gone up since.
"""

import copy
import json
from pathlib import Path

import pytest

from seqcfg.component.schema import editor_schema
from seqcfg.recipe.migrations import current_version
from seqcfg.recipe.sections import Recipe

RELEASED = sorted((Path(__file__).parents[1] / "schemas_released").glob("*.json"))
LOW = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
HIGH = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
ROOT = "record.Recipe"


def forms(schema):
    """The alternatives of a property, without what does not decide about validity."""
    inner = schema.get("anyOf") or schema.get("allOf") or [schema.get("else", schema)]  # of what is no variable
    return [{key: value for key, value in form.items() if key not in ("description", "default")} for form in inner]


def covers(new, old):
    """Whether every value that the old form takes is taken by the new one, as far as keywords tell."""
    if not new:
        return True
    if "enum" in old or "const" in old:
        choices = old.get("enum", [old.get("const")])
        if "enum" in new or "const" in new:
            return set(map(repr, choices)) <= set(map(repr, new.get("enum", [new.get("const")])))
        return new == {"type": "string"} and all(isinstance(choice, str) for choice in choices)
    if "$ref" in old:
        return new.get("$ref") == old["$ref"]
    if new.get("type") != old.get("type") and (old.get("type"), new.get("type")) != ("integer", "number"):
        return False
    if any(key in new and (key not in old or new[key] > old[key]) for key in LOW):
        return False
    if any(key in new and (key not in old or new[key] < old[key]) for key in HIGH):
        return False
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        return False
    below = [(new.get(key), old.get(key)) for key in ("items", "additionalProperties") if isinstance(new.get(key), dict)]
    return all(isinstance(was, dict) and all(any(covers(n, o) for n in forms(now)) for o in forms(was)) for now, was in below)


def breaks(new, old):
    """What an author of a recipe would notice: a list of words, empty if nothing."""
    found = []
    for name, was in old["definitions"].items():
        now = new["definitions"].get(name)
        if name.startswith("partial.") or "properties" not in was:
            continue
        if now is None:
            found.append(f"{name} is gone")
            continue
        for key, schema in was["properties"].items():
            found += [f"{name}.{key} {words}" for words in breaks_of_field(now["properties"].get(key), schema)]
        found += [f"{name}.{key} must be given now" for key in now.get("required", []) if key not in was.get("required", [])]
    return found


def breaks_of_field(new, old):
    if new is None:
        return ["is gone"]
    words = []
    if old.get("default") != new.get("default") or ("default" in old) != ("default" in new):
        words.append(f"has another default: {old.get('default')!r}, now {new.get('default')!r}")
    if not all(any(covers(now, was) for now in forms(new)) for was in forms(old)):
        words.append("takes fewer values")
    return words


def version_of(schema):
    return schema["definitions"][ROOT]["properties"]["recipe_version"]


@pytest.fixture(scope="module")
def current():
    return json.loads(json.dumps(editor_schema(Recipe)))


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_nothing_that_was_released_is_taken_back(file, current):
    old = json.loads(file.read_text(encoding="utf-8"))
    if version_of(old) == version_of(current):
        assert breaks(current, old) == [], "write a migration, or keep the old behaviour as default"
    else:
        assert current_version() > 1


def test_a_schema_breaks_nothing_of_its_own(current):
    assert breaks(current, current) == []


CHANGES = {
    "a type is gone": (lambda d: d.pop("layer.dropout"), ["layer.dropout is gone"]),
    "a field is gone": (lambda d: d["layer.dropout"]["properties"].pop("rate"), ["layer.dropout.rate is gone"]),
    "a default differs": (
        lambda d: d["layer.dropout"]["properties"]["rate"].update(default=0.2),
        ["layer.dropout.rate has another default: 0.1, now 0.2"],
    ),
    "a range is narrower": (
        lambda d: d["layer.dropout"]["properties"]["rate"]["anyOf"][0].update(maximum=0.9),
        ["layer.dropout.rate takes fewer values"],
    ),
    "a range is new": (
        lambda d: d["layer.dense"]["properties"]["units"]["anyOf"][0].update(maximum=9),
        ["layer.dense.units takes fewer values"],
    ),
    "a choice is gone": (
        lambda d: d["layer.feed_forward"]["properties"]["activation"]["anyOf"][0]["enum"].remove("relu"),
        ["layer.feed_forward.activation takes fewer values"],
    ),
    "a type differs": (
        lambda d: d["layer.dense"]["properties"]["units"]["anyOf"][0].update(type="string"),
        ["layer.dense.units takes fewer values"],
    ),
    "a field must be given": (
        lambda d: d["layer.dropout"].update(required=["rate"]),
        ["layer.dropout.rate must be given now"],
    ),
    "a family stands elsewhere": (
        lambda d: d["layer.repeat"]["properties"]["layer"].update({"else": {"$ref": "#/definitions/loss.Loss"}}),
        ["layer.repeat.layer takes fewer values"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_kind_of_break_is_seen(change, current):
    new = copy.deepcopy(current)
    make, expected = CHANGES[change]
    make(new["definitions"])
    assert breaks(new, current) == expected


def test_what_only_adds_breaks_nothing(current):
    new = copy.deepcopy(current)
    definitions = new["definitions"]
    definitions["layer.new"] = {"properties": {}, "type": "object"}
    definitions["layer.dropout"]["properties"]["new"] = {"type": "integer", "default": 3}
    definitions["layer.feed_forward"]["properties"]["activation"]["anyOf"][0]["enum"].append("new")
    definitions["layer.dropout"]["properties"]["rate"]["anyOf"][0].update(maximum=2)
    definitions["layer.dense"]["properties"]["units"]["anyOf"][0]["type"] = "number"
    definitions["layer.dense"]["required"] = []
    assert breaks(new, current) == []
