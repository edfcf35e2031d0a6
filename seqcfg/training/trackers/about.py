"""What a tracker is told of a run before its first figure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class About:
    """name of the recipe, the run's folder, and the canonical recipe as a plain dict. Neither command line nor environment."""

    name: str
    folder: Path
    recipe: dict[str, Any]

    @property
    def identity(self) -> str:
        """The same for every attempt of one run, so that a resumed run continues its curves."""
        return f"{self.name}-{hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:10]}"

    def hyperparameters(self) -> dict[str, str | float | bool]:
        """{path: value} of what decides the result: data.batching, task and training, leaves only; lists are counted by index."""
        parts = {"training": self.recipe["training"], "task": self.recipe["task"], "data.batching": self.recipe["data"]["batching"]}
        return {path: value for name, part in parts.items() for path, value in _leaves(part, name)}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str | float | bool]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, f"{path}.{index}")
    elif isinstance(value, (str, bool, int, float)):
        yield path, value
