"""Replacing `${vars.name}`: as the whole value it keeps its type, inside a text it is written out; `$${` is a plain `${`."""

from __future__ import annotations

import dataclasses
import re

from seqcfg.component.catalog import closest, listed
from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe.limits import MAX_DEPTH, MAX_NODES, MAX_SCALAR
from seqcfg.recipe.node import Node, Path, text_path
from seqcfg.recipe.problem_list import ProblemList

VARIABLE = re.compile(r"\$(\$\{)|\$\{([^}]*)\}?")
NAME = re.compile(r"vars\.([A-Za-z_][A-Za-z0-9_]*)")


def substitute(tree: Node) -> Node:
    """The recipe without variables; raises RecipeError with every reference that leads nowhere."""
    table = tree.value.get("vars")
    if table is not None and not table.is_mapping:
        raise RecipeError([_problem(table, ("vars",), "E0220", "is a mapping of names to values")])
    run = _Substitution(table.value if table is not None else {})
    value = {}
    for key, node in tree.value.items():
        value[key] = node if key == "base" else run.replace(node, (key,))
    if run.problems:
        raise RecipeError(run.problems)
    return dataclasses.replace(tree, value=value)


def escape(text: str) -> str:
    """The text as it must be written for `substitute` to leave it alone."""
    return text.replace("${", "$${")


class _Substitution:
    """One pass; `active` holds the variables being replaced, to find circles."""

    def __init__(self, table: dict[str, Node]):
        self.table = table
        self.problems = ProblemList()
        self.active: list[str] = []
        self.found: dict[str, Node] = {}  # variables whose own variables are replaced
        self.in_circles: set[str] = set()
        self.count = self.depth = 0

    def replace(self, node: Node, path: Path) -> Node:
        self.count, self.depth = self.count + 1, self.depth + 1
        if self.count > MAX_NODES:
            raise RecipeError([_problem(node, path, "E0225", f"variables grow to more than {MAX_NODES} values")])
        if self.depth > 2 * MAX_DEPTH:
            raise RecipeError([_problem(node, path[:3], "E0225", f"variables nest more than {2 * MAX_DEPTH} levels deep")])
        replaced = self.replace_inside(node, path)
        self.depth -= 1
        return replaced

    def replace_inside(self, node: Node, path: Path) -> Node:
        if node.is_mapping:
            return dataclasses.replace(node, value={key: self.replace(child, (*path, key)) for key, child in node.value.items()})
        if node.is_list:
            return dataclasses.replace(node, value=[self.replace(child, (*path, index)) for index, child in enumerate(node.value)])
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        whole = VARIABLE.fullmatch(node.value)
        if whole and whole[2] is not None:
            found = self.look_up(whole[0], whole[2], node, path)
            return node if found is None else self.at(found, node)
        text = VARIABLE.sub(lambda match: self.text(match, node, path), node.value)
        if len(text) > MAX_SCALAR:
            raise RecipeError([_problem(node, path, "E0225", f"variables grow to a text of more than {MAX_SCALAR} characters")])
        return dataclasses.replace(node, value=text, replaced=(*node.replaced, dataclasses.replace(node, how="variable", replaced=())))

    def at(self, found: Node, node: Node) -> Node:
        """The variable's value, as if written where it is used."""
        definition = dataclasses.replace(found, how="variable", replaced=())
        return dataclasses.replace(self.placed(found, node), key_place=node.key_place, replaced=(*node.replaced, definition))

    def text(self, match: re.Match[str], node: Node, path: Path) -> str:
        if match[1]:
            return "${"
        found = self.look_up(match[0], match[2], node, path)
        if found is None:
            return ""
        if found.is_mapping or found.is_list:
            self.problems.append(
                _problem(node, path, "E0224", f"{match[0]} is a {'mapping' if found.is_mapping else 'list'} and cannot stand inside a text")
            )
            return ""
        value = found.value
        return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)

    def look_up(self, whole: str, inside: str, node: Node, path: Path) -> Node | None:
        name = NAME.fullmatch(inside)
        if not name or not whole.endswith("}"):
            hint = "write $${ for a plain ${" if whole.endswith("}") else "a closing } is missing"
            self.problems.append(_problem(node, path, "E0221", f"{whole} is not a variable; only ${{vars.name}} is replaced", hint))
            return None
        if name[1] not in self.table:
            hint = closest(name[1], self.table) or (f"vars has {listed(self.table)}" if self.table else "the recipe has no vars")
            self.problems.append(_problem(node, path, "E0222", f"there is no variable {name[1]!r}", hint))
            return None
        if name[1] in self.active:
            circle = [*self.active[self.active.index(name[1]) :], name[1]]
            if not self.in_circles.intersection(circle):
                self.problems.append(_problem(node, path, "E0223", f"variables refer to each other in a circle: {' -> '.join(circle)}"))
            self.in_circles.update(circle)
            return None
        if name[1] not in self.found:
            self.active.append(name[1])
            self.found[name[1]] = self.replace(self.table[name[1]], ("vars", name[1]))
            self.active.pop()
        return self.found[name[1]]

    def placed(self, found: Node, node: Node, depth: int = 0) -> Node:
        """A copy of a variable's value with the place of the node it stands for."""
        self.count += 1
        if self.count > MAX_NODES:
            raise RecipeError([_problem(node, (), "E0225", f"variables grow to more than {MAX_NODES} values")])
        if depth > 2 * MAX_DEPTH:
            raise RecipeError([_problem(node, (), "E0225", f"variables nest more than {2 * MAX_DEPTH} levels deep")])
        value = found.value
        if found.is_mapping:
            value = {key: self.placed(child, node, depth + 1) for key, child in value.items()}
        elif found.is_list:
            value = [self.placed(child, node, depth + 1) for child in value]
        return dataclasses.replace(found, value=value, place=node.place, key_place=node.place, rank=node.rank, how=node.how)


def _problem(node: Node, path: Path, code: str, message: str, hint: str = "") -> Problem:
    place = node.place
    return Problem(message=message, hint=hint, path=text_path(path), file=place.file, line=place.line, column=place.column, code=code)
