"""Taking secrets and private places out of a command line before it is stored."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from seqcfg.recipe.secrets import SHORTEST, is_secret_name

MASK = "***"
_ASSIGNED = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,60})(['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;)}\]]+)")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?:[^/\s@]*@)?(?P<place>[^?#\s]*)(?:[?#]\S*)?")


def mask_command(arguments: Iterable[str]) -> list[str]:
    """The command line with values of secret-like options masked, URLs without user and query, and the home folder as `~`.

    `--token=x`, `--api-key x` and `--set data.password=x` are masked; `cls_token` and `num_memory_tokens` are names
    of ordinary settings and are not.
    """
    masked, is_value_of_secret = [], False
    for argument in arguments:
        if is_value_of_secret and not argument.startswith("--"):
            masked.append(MASK)
            is_value_of_secret = False
            continue
        name, equals, value = argument.partition("=")
        is_secret = is_secret_name(name)
        is_value_of_secret = is_secret and not equals and argument.startswith("-")
        masked.append(f"{name}={MASK}" if is_secret and equals else mask_text(argument))
    return masked


def mask_text(text: str) -> str:
    """The text without URLs' users and queries, values of secret environment variables, `password=...`, and the home folder."""
    text = _URL.sub(lambda found: found["scheme"] + found["place"], text)
    for name, value in os.environ.items():
        if len(value) >= SHORTEST and is_secret_name(name):
            text = text.replace(value, MASK)
    text = _ASSIGNED.sub(lambda found: f"{found[1]}{found[2]}{MASK}" if is_secret_name(found[1]) else found[0], text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
