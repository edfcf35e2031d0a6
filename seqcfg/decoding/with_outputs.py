"""The same decoding with another number of outputs per line."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.errors import UserError


def with_outputs(settings: Any, number: int) -> Any:
    """Decoding settings whose search returns `number` outputs; raises UserError where it cannot."""
    search = settings.search
    if not hasattr(search, "n_best"):
        if number == 1:
            return settings
        raise UserError(f"a {search.type} search gives one output per line", hint="use a beam or sampling: --set decoding.search.type=beam")
    changed = dataclasses.replace(search, n_best=number)
    for field, message, hint in changed.check():
        raise UserError(f"decoding.search.{field}: {message}", hint=hint)
    return dataclasses.replace(settings, search=changed)
