"""Writing values as YAML that reads back as the same values."""

from __future__ import annotations

import re
from typing import Any

import yaml

from seqcfg.recipe import scalars
from seqcfg.recipe.variables import escape

LINE_END = re.compile("[\r\x85\u2028\u2029]")  # as some readers have it
MAX_FLOW = 100  # characters up to which a mapping or list without mappings in it stands in one line


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.2 or 1.1 would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style: str | None
    if "\n" in text:
        style = "|" if all(line == line.rstrip() and line.isprintable() for line in text.split("\n")) else '"'
    else:
        style = None if _is_plain(text) and not LINE_END.search(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_plain(text: str) -> bool:
    try:
        return scalars.resolve(text) == text and isinstance(scalars.resolve(text), str)
    except ValueError:
        return False


def _represent_float(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    mantissa, exponent, power = repr(number).partition("e")
    text = mantissa + (".0" if exponent and "." not in mantissa else "") + exponent + power  # YAML 1.1 reads 1e-06 as text
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=_is_short(items))


def _represent_mapping(dumper: yaml.SafeDumper, mapping: dict[str, Any]) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", mapping, flow_style=_is_short(mapping))


def _is_short(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value
    return len(repr(value)) <= MAX_FLOW and not any(isinstance(part, dict | list) for part in parts)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(dict, _represent_mapping)


def to_yaml(value: Any) -> str:
    """YAML text of a plain value, keys in the order given."""
    return yaml.dump(escaped(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)


def escaped(value: Any) -> Any:
    """The value with every text written as variables leave it alone; keys are no place for variables."""
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(item) for item in value]
    return escape(value) if isinstance(value, str) else value
