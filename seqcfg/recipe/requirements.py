"""The `requires:` of a recipe held against what is installed."""

from __future__ import annotations

import functools
import operator
import re
from importlib.metadata import PackageNotFoundError, version

from seqcfg.errors import Problem
from seqcfg.recipe.node import Node
from seqcfg.recipe.problem_list import ProblemList
from seqcfg.recipe.structure import problem_at

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+?) *(?:(>=|==|<=|<|>|!=|~=) *([0-9][0-9A-Za-z.]*))?")
COMPARE = {"==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def check_requirements(tree: Node) -> list[Problem]:
    """A problem for each package that is missing or of another version; malformed entries are left to the schema."""
    listed = tree.value.get("requires")
    problems = ProblemList()
    for index, node in listed.children() if listed is not None and listed.is_list else ():
        match = REQUIREMENT.fullmatch(node.value) if isinstance(node.value, str) else None
        if match and (found := unmet(*match.groups())):
            problems.append(problem_at(node, ("requires", index), *found, f"if you trust its author: pip install '{node.value}'"))
    return problems


def unmet(package: str, comparison: str | None, wanted: str | None) -> tuple[str, str] | None:
    """Why a requirement does not hold, as (code, message); None if it does."""
    installed = _installed(package)
    if installed is None:
        return "E0250", f"this recipe needs the package {package}, which is not installed"
    if comparison is None or wanted is None or _holds(_parts(installed), comparison, _parts(wanted)):
        return None
    return "E0251", f"this recipe needs {package}{comparison}{wanted}; {installed} is installed"


@functools.lru_cache(maxsize=256)
def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _holds(installed: tuple[int, ...], comparison: str, wanted: tuple[int, ...]) -> bool:
    if comparison == "~=":
        return installed >= wanted and installed[: len(wanted) - 1] == wanted[:-1]
    length = max(len(installed), len(wanted))
    return COMPARE[comparison](*(parts + (0,) * (length - len(parts)) for parts in (installed, wanted)))


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0])[:6])
