"""The text dump of a Lingvo experiment's parameters (its `params.txt`) as a recipe."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe.importing import lingvo_las, lingvo_rnmt, lingvo_transformer
from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Entry, Foreign
from seqcfg.recipe.read import decode

LINE = re.compile(r"^([A-Za-z_][\w.\[\]]*) : (.*)$")
TASKS = {"TransformerModel": lingvo_transformer.draft, "RNMTModel": lingvo_rnmt.draft, "AsrModel": lingvo_las.draft}


def read(file: str, name: str) -> Draft:
    """The recipe for a dump; raises UserError for experiments that are not known."""
    foreign = Foreign(file, dump_entries(file))
    task = foreign.class_name("task.cls", "")
    if task not in TASKS:
        raise foreign.error("task.cls", f"the importer does not know Lingvo's {task}", f"it knows {', '.join(TASKS)}")
    experiment = str(foreign.get("model", "an unnamed experiment")).split("@")[0]
    return TASKS[task](foreign, experiment, name)


def dump_entries(file: str) -> dict[str, Entry]:
    """The `key : value` lines of a dump; values are numbers, lists and texts where they read as such."""
    try:
        text = decode(Path(file).read_bytes(), file)
    except OSError as failure:
        raise UserError(f"{file}: {failure.strerror}", hint="name the params.txt of a Lingvo log directory") from None
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        if match := LINE.match(line):
            found[match[1]] = Entry(_value(match[2]), number)
    if "task.cls" not in found:
        raise UserError(f"{file}: is not a dump of Lingvo's parameters: there is no task.cls", hint="its lines read 'task.cls : type/...'")
    return found


def _value(text: str) -> Any:
    if text == "NoneType":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
