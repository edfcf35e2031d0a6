"""The reference pages of the documentation: one for each component and each kind, made from the classes."""

from __future__ import annotations

import inspect
import re

from seqcfg.component import pages
from seqcfg.component.catalog import family as family_of
from seqcfg.component.catalog import load
from seqcfg.component.component import Component
from seqcfg.component.fields import Field, Slot, fields_of

CODE = re.compile(r"(`[^`]+`)")
SPECIAL = re.compile(r"[&<*|]")
ENTITIES = {"&": "&amp;", "<": "&lt;", "*": "\\*", "|": "\\|"}


def all_pages() -> dict[str, str]:
    """File name -> Markdown: an index, a page for each kind that has types, and a page for each component."""
    kinds = {kind: family for kind, family in sorted(load().items()) if kind != "record"}
    found = {"index.md": _index(kinds)} | {f"{kind}.md": kind_page(kind, family) for kind, family in kinds.items() if family}
    return found | {page_of(cls): component_page(cls) for family in kinds.values() for _, cls in sorted(family.items())}


def page_of(cls: type[Component]) -> str:
    """The file of a component's page, beside those of the kinds."""
    return f"{cls.kind}.{cls.type}.md"


def kind_page(kind: str, family: dict[str, type[Component]]) -> str:
    """What a kind is, and a line for each of its types."""
    rows = [[f"[{name}]({page_of(cls)})", prose(pages.summary(cls))] for name, cls in sorted(family.items())]
    return "\n\n".join([f"# {kind}", _docstring(family_of(kind)), table(["type", "what it is"], rows)]) + "\n"


def component_page(cls: type[Component]) -> str:
    """A component's docstring and fields, then the records that these fields hold."""
    kind = f"A type of [{cls.kind}]({cls.kind}.md)." if cls.kind != "section" else "A [section](section.md) of a recipe."
    terminal = code(f"seqcfg components {cls.kind} {cls.type}")
    schema = code(f"seqcfg schema {cls.kind}.{cls.type}")
    note = f"{kind} {terminal} prints this page in the terminal, {schema} its JSON Schema."
    return "\n\n".join([f"# {cls.type}", note, _component(cls), *_record_parts([cls])]) + "\n"


def record_page(title: str, cls: type[Component]) -> str:
    """A page about one record, such as the top level of a recipe, with the records that its fields hold."""
    return "\n\n".join([f"# {title}", _component(cls), *_record_parts([cls])]) + "\n"


def row(cells: list[str]) -> str:
    """One row of a table; each cell is Markdown, without bare bars."""
    return f"| {' | '.join(cells)} |"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table of cells that are Markdown."""
    return "\n".join([row(heads), row(["---"] * len(heads)), *(row(cells) for cells in rows)])


def prose(text: str) -> str:
    """Plain text as Markdown: what stands in backticks is code, all else means itself."""
    parts = CODE.split(text)
    return "".join(
        part if index % 2 else SPECIAL.sub(lambda m: ENTITIES[m[0]], part).replace("](", "]\\(") for index, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Text in backticks, or nothing for nothing."""
    return f"`{text}`" if text else ""


def _index(kinds: dict[str, dict[str, type[Component]]]) -> str:
    rows = []
    for kind, family in kinds.items():
        name = f"[{kind}]({kind}.md)" if family else kind
        types = ", ".join(f"[{type}]({page_of(cls)})" for type, cls in sorted(family.items())) or "none yet"
        rows.append([name, types])
    text = "What a recipe can name by `type:`. `seqcfg components KIND TYPE` prints the same, with the types of installed plugins."
    return f"# Components\n\n{text}\n\n{table(['kind', 'types'], rows)}\n"


def _component(cls: type[Component]) -> str:
    fields = fields_of(cls)
    rows = [_field_row(field) for field in fields.values()]
    return f"{_docstring(cls)}\n\n{table(['field', 'type', 'default', 'what it does'], rows) if rows else 'It has no fields.'}"


def _field_row(field: Field) -> list[str]:
    value = None if field.is_required else field.default_value()
    default = "required" if field.is_required else "empty" if value is None else code(pages.value_words(value))
    remark = " Not part of the fingerprint." if field.affects == "nothing" else ""
    return [code(field.name), _type_cell(field.slot), default, prose(field.doc) + remark]


def _type_cell(slot: Slot) -> str:
    """Type and range, the names of components being links."""
    links: dict[str, str] = {}

    def marked(place: Slot, name: str) -> str:
        links[f"@{len(links)}@"] = f"[{name}]({_target(place)})"
        return f"@{len(links) - 1}@"

    cell = prose(pages.type_words(slot, marked))
    for mark, link in links.items():
        cell = cell.replace(mark, link)
    return cell


def _target(slot: Slot) -> str:
    assert slot.component is not None
    if slot.component.kind == "record":
        return f"#{_record_anchor(slot.component)}"
    fixed = slot.fixed or slot.component.type
    return f"{slot.component.kind}.{fixed}.md" if fixed else f"{slot.component.kind}.md"


def _record_anchor(cls: type[Component]) -> str:
    return f"{cls.__name__.lower()}-record"


def _record_parts(classes: list[type[Component]]) -> list[str]:
    """The sections of all records that the fields of classes lead to, each once, in order of first use."""
    found: dict[type[Component], None] = {}
    queue = list(classes)
    while queue:
        for field in fields_of(queue.pop(0)).values():
            for record in _records_in(field.slot):
                if record not in found:
                    found[record] = None
                    queue.append(record)
    return [f"## {cls.__name__} (record)\n\n{_component(cls)}" for cls in found]


def _records_in(slot: Slot) -> list[type[Component]]:
    own = [slot.component] if slot.component is not None and slot.component.kind == "record" else []
    return [*own, *(cls for part in (slot.items, slot.values) if part is not None for cls in _records_in(part))]


def _docstring(cls: type[Component]) -> str:
    return prose(inspect.getdoc(cls) or "")
