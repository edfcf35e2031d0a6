"""Finding components by kind and type. Loading the catalog imports every component file, and never TensorFlow."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
import re
from importlib.machinery import FileFinder
from importlib.metadata import entry_points
from pathlib import Path

import seqcfg
from seqcfg.component.component import CATALOG, Component
from seqcfg.errors import UserError

FOLDERS = (
    "initializers", "schedules", "optimizers", "losses", "metrics", "layers", "data", "models", "decoding", "tasks",
    "distribution", "training", "evaluation", "export",
)  # fmt: skip
ENTRY_POINT_GROUP = "seqcfg.components"
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
    family = load().get(kind)
    if family is None:
        raise UserError(
            f"there is no kind of component called {kind!r}", hint=closest(kind, CATALOG) or f"one of {', '.join(sorted(CATALOG))}"
        )
    if type not in family:
        raise UserError(f"there is no {kind} called {type!r}", hint=closest(type, family) or f"one of {', '.join(sorted(family))}")
    return family[type]


def closest(name: str, names) -> str:
    """A did-you-mean hint, or an empty string."""
    match = difflib.get_close_matches(str(name), [str(known) for known in names], n=1, cutoff=0.6)
    return f"did you mean {match[0]!r}?" if match else ""


def _defines_components(module: pkgutil.ModuleInfo) -> bool:
    """Whether a file opens a family or adds a member; other files of the folders need not be imported."""
    if module.ispkg or not isinstance(module.module_finder, FileFinder):
        return True
    source = Path(module.module_finder.path, f"{module.name.rpartition('.')[2]}.py")
    return not source.exists() or DEFINITION.search(source.read_bytes()) is not None


def _load_plugin(plugin) -> None:
    before = {(kind, type) for kind, family in CATALOG.items() for type in family}
    plugin.load()
    added = {(kind, type) for kind, family in CATALOG.items() for type in family} - before
    bare = sorted(type for _, type in added if "." not in type)
    if bare:
        raise UserError(
            f"plugin {plugin.name!r} ({plugin.value}) adds types without its prefix: {', '.join(bare)}", hint="name them 'vendor.name'"
        )
