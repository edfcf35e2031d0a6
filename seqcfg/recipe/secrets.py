"""Passwords and keys that do not belong into a recipe: it is copied into every run made of it."""

from __future__ import annotations

import re

from seqcfg.errors import Problem
from seqcfg.recipe.node import Node
from seqcfg.recipe.problem_list import ProblemList
from seqcfg.recipe.structure import problem_at

_SECRET_WORDS = {"password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey", "bearer", "authorization"}
_KEY_OWNERS = {"api", "access", "private", "secret", "auth", "ssh", "encryption", "signing", "account"}
URL_WITH_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^/\s@:]*:[^/\s@]+@")
SHORTEST = 8  # characters of what is taken for a secret: `token: "<s>"` is none
HINT = "remove it: a recipe is copied into every run; whoever needs the password keeps it in the environment"


def check_secrets(tree: Node) -> list[Problem]:
    """A problem for each URL that holds a password, and for each text in `vars:` whose name says that it is a secret."""
    problems = ProblemList()
    for path, node in tree.walk():
        if not isinstance(node.value, str) or not node.value:
            continue
        if "@" in node.value and URL_WITH_PASSWORD.search(node.value):
            problems.append(problem_at(node, path, "E0260", "a URL with a password in it", HINT))
        elif path[0] == "vars" and len(node.value) >= SHORTEST and isinstance(path[-1], str) and is_secret_name(path[-1]):
            problems.append(problem_at(node, path, "E0260", "a variable that is named like a secret", HINT))
    return problems


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
