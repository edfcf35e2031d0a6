"""Finding components by kind and type. Loading the catalog imports every component file, and never TensorFlow."""

from __future__ import annotations

import difflib
import functools
import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterable
from importlib.machinery import FileFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import seqcfg
from seqcfg.component.component import CATALOG, Component, TypeClash
from seqcfg.errors import Problem, UserError

FOLDERS = (
    "initializers", "schedules", "optimizers", "losses", "metrics", "layers", "data", "models", "decoding", "tasks",
    "distribution", "training", "evaluation", "export", "sweeps",
)  # fmt: skip
ENTRY_POINT_GROUP = "seqcfg.components"
PLUGIN_ERRORS = (  # what foreign code raises while it is imported; whatever else it raises is shown as a trace
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, NameError, OSError, RuntimeError, SyntaxError,
    TypeError, ValueError,
)  # fmt: skip
MAX_CHOICES, MAX_NAME, MAX_LISTED = 500, 200, 15  # names to compare with, characters of one, names in a message
DEFINITION = re.compile(rb"""^class \w+\([^)]*\b(type|kind)=["']""", re.MULTILINE)


@functools.cache
def load() -> dict[str, dict[str, type[Component]]]:
    """Imports all component files, ours and those of installed plugins; returns kind -> type -> class."""
    for folder in FOLDERS:
        package = importlib.import_module(f"{seqcfg.__name__}.{folder}")
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if _defines_components(module):
                importlib.import_module(module.name)
    for plugin in entry_points(group=ENTRY_POINT_GROUP):
        _load_plugin(plugin)
    return CATALOG


def find(kind: str, type: str) -> type[Component]:
    """The class of a component; raises UserError with the closest names."""
    members = _members(kind)
    if type not in members:
        raise UserError(f"there is no {kind} called {type!r}", hint=closest(type, members) or f"one of {', '.join(sorted(members))}")
    return members[type]


def family(kind: str) -> type[Component]:
    """The class that opens a kind; raises UserError with the closest names."""
    _members(kind)
    return next(cls for cls in Component.__subclasses__() if cls.kind == kind)


def _members(kind: str) -> dict[str, type[Component]]:
    if kind not in load():
        raise UserError(
            f"there is no kind of component called {kind!r}", hint=closest(kind, CATALOG) or f"one of {', '.join(sorted(CATALOG))}"
        )
    return CATALOG[kind]


def closest(name: str, names: Iterable[Any]) -> str:
    """A did-you-mean hint, or an empty string; none for names that nobody typed, nor among more than anybody could mean."""
    names = list(itertools.islice(names, MAX_CHOICES + 1))
    if len(names) > MAX_CHOICES or len(str(name)) > MAX_NAME:
        return ""
    match = difflib.get_close_matches(str(name), [str(known) for known in names], n=1, cutoff=0.6)
    return f"did you mean {match[0]!r}?" if match else ""


def listed(names: Iterable[Any]) -> str:
    """Names for a message, the first ones if there are many."""
    names = list(map(str, names))
    return ", ".join(names if len(names) <= MAX_LISTED + 5 else [*names[:MAX_LISTED], f"and {len(names) - MAX_LISTED} more"])


def _defines_components(module: pkgutil.ModuleInfo) -> bool:
    """Whether a file opens a family or adds a member; other files of the folders need not be imported."""
    if module.ispkg or not isinstance(module.module_finder, FileFinder):
        return True
    source = Path(module.module_finder.path, f"{module.name.rpartition('.')[2]}.py")
    return not source.exists() or DEFINITION.search(source.read_bytes()) is not None


def _load_plugin(plugin: EntryPoint) -> None:
    before = {(kind, type) for kind, family in CATALOG.items() for type in family}
    package = f"{plugin.dist.name} {plugin.dist.version}" if plugin.dist is not None else plugin.value
    remedy = f"install a version that works, or: pip uninstall {plugin.dist.name if plugin.dist is not None else plugin.value}"
    try:
        plugin.load()
    except TypeClash as failure:
        raise _plugin_error("E0603", f"two packages define the same type: {package}: {failure}", remedy) from failure
    except PLUGIN_ERRORS as failure:
        message = f"the plugin {plugin.name!r} of {package} cannot be imported: {type(failure).__name__}: {failure}"
        raise _plugin_error("E0601", message, remedy) from failure
    added = {(kind, type) for kind, family in CATALOG.items() for type in family} - before
    bare = sorted(f"{kind} {type!r}" for kind, type in added if "." not in type)
    if bare:
        message = f"the plugin {plugin.name!r} of {package} adds types without its prefix: {', '.join(bare)}"
        raise _plugin_error("E0602", message, "its author must name them 'vendor.name'")


def _plugin_error(code: str, message: str, hint: str) -> UserError:
    return UserError(problems=(Problem(message=message, hint=hint, code=code),))
