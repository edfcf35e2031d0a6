"""Libraries that only some corpora need: imported when they are used, and asked for by the name of their extra."""

from __future__ import annotations

import importlib
from typing import Any

from seqcfg.errors import UserError

EXTRAS = {
    "soundfile": "audio", "PIL.Image": "images", "zstandard": "zstd", "tensorflow_datasets": "tfds", "datasets": "huggingface",
    "h11": "serve",
}  # fmt: skip


class MissingExtra(UserError):
    """A package that is not installed: a problem of the machine, not of one example."""


def extra(module: str, what: str) -> Any:
    """The module; raises UserError with the command that installs it if it is missing. `what` says what needs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = EXTRAS[module]
        raise MissingExtra(f"{what} needs the package {module.partition('.')[0]}", hint=f"pip install 'seqcfg[{name}]'") from error
