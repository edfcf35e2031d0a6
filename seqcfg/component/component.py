"""Component: one class that is both the parameters a recipe can write and the behaviour they describe."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:
    from typing_extensions import dataclass_transform

CATALOG: dict[str, dict[str, type[Component]]] = {}  # kind -> type -> class


def param(
    *, default: Any = dataclasses.MISSING, factory: Any = dataclasses.MISSING, doc: str, affects: str = "result", is_later: bool = False
) -> Any:
    """One recipe field: its default, its only documentation, and what it affects.

    `affects="nothing"` keeps the field out of the fingerprint (a logging interval, say). `is_later` marks a field that
    a component got after recipes had been run with it: it has no part in the fingerprint while it holds its default.
    """
    return dataclasses.field(default=default, default_factory=factory, metadata={"doc": doc, "affects": affects, "is_later": is_later})


class TypeClash(TypeError):
    """Two classes want the same kind and type."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(param,))
class Component:
    """A frozen dataclass of `param` fields.

    `class Layer(Component, kind="layer")` opens a family; `class Dense(Layer, type="dense")` adds a member that a
    recipe names by `type:`. A subclass with neither (`class Batching(Record)`) is a record: a mapping whose class
    follows from the slot it stands in, so that it needs no `type:`.
    """

    kind: ClassVar[str] = ""
    type: ClassVar[str] = ""
    _params: ClassVar[dict[str, dataclasses.Field[Any]]] = {}

    def __init_subclass__(cls, *, kind: str = "", type: str = "", **rest: Any):
        super().__init_subclass__(**rest)
        if kind:
            cls.kind, cls.type = kind, ""
            CATALOG.setdefault(kind, {})
        dataclasses.dataclass(kw_only=True, init=False, repr=False, eq=False, match_args=False)(cls)  # see __init__
        cls._params = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if type:
            cls.type = type
            taken = CATALOG[cls.kind].setdefault(type, cls)
            if (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
                raise TypeClash(f"{cls.kind} {type!r} is already defined in {taken.__module__}")

    # Written once and inherited: having dataclasses compile these for each class took a third of the time of checking a recipe.
    def __init__(self, **values: Any):
        for name, field in self._params.items():
            if name in values:
                value = values.pop(name)
            elif field.default is not dataclasses.MISSING:
                value = field.default
            elif field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
            else:
                raise TypeError(f"{type(self).__qualname__} needs {name!r}")
            object.__setattr__(self, name, value)
        if values:
            raise TypeError(f"{type(self).__qualname__} has no field {next(iter(values))!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self._values() == other._values())

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._params)})"

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._params)

    def check(self) -> Iterator[tuple[str, str, str]]:
        """Yields (field, message, hint) for every broken rule that spans several fields of this component."""
        yield from ()

    def strays(self) -> Iterator[tuple[str, str, str]]:
        """Yields (field, message, hint) for what a recipe may not name, because it is a stranger's word, and the user may by --set."""
        yield from ()

    def obstacles(self, target: str, needs: str) -> Iterator[tuple[str, str, str]]:
        """Yields (field, message, hint) for what exporters of the type `target` cannot write of this; the field is "" for all of it.

        `needs` is what the recipe's search works with (see `Search`). A conformance test holds it against trying the conversion.
        """
        yield from ()


class Record(Component, kind="record"):
    """A group of fields with a fixed place in the recipe; written without `type:`."""
