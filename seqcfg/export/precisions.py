"""Exporters that are told apart by how numbers are stored."""

from __future__ import annotations

from typing import Any

from seqcfg.errors import UserError


def of_precision(exporter: Any, name: str, known: tuple[str, ...]) -> Any:
    """The exporter of this class with the precision `name`, or its default where that is empty; raises UserError for an unknown one."""
    if name and name not in known:
        raise UserError(f"{exporter.type} has no precision {name!r}", hint=f"there are {', '.join(known)}")
    return exporter(precision=name) if name else exporter()
