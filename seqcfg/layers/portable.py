"""Graphs for converters: layers then use operations that other engines have, too, and give the same results."""

from __future__ import annotations

import contextvars

PORTABLE = contextvars.ContextVar("PORTABLE", default=False)  # set while a graph for converters is traced
