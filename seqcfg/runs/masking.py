"""Taking secrets and private places out of a command line before it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

MASK = "***"
_SECRET_WORDS = {"password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey", "bearer", "authorization"}
_KEY_OWNERS = {"api", "access", "private", "secret", "auth", "ssh", "encryption", "signing", "account"}
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^/\s@]*@)?(?P<place>[^?#\s]*)(?:[?#]\S*)?")


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
    """URLs without user and query, and the home folder as `~`."""
    text = _URL.sub(lambda found: found["scheme"] + found["place"], text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is likely to be a password, key or access token."""
    words = [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.split(".")[-1]).lower()) if word]
    if not words:
        return False
    if set(words) & _SECRET_WORDS:
        return True
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "key":
        return before in _KEY_OWNERS
    if words[-1] == "token":  # --token, hf_token, access_token; not cls_token, start_token, unknown_token
        return before == "" or before in _KEY_OWNERS | {"hf", "hub", "huggingface", "github", "gitlab", "wandb", "oauth", "refresh", "id"}
    return False
