"""A list of problems that ends: nobody reads the thousandth, and a hostile recipe can have a hundred thousand."""

from __future__ import annotations

from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe.limits import MAX_PROBLEMS


class ProblemList(list[Problem]):
    """The problems of one phase; raises RecipeError with those that are there when the limit is reached."""

    def append(self, problem: Problem) -> None:
        super().append(problem)
        if len(self) >= MAX_PROBLEMS:
            last = Problem(message=f"more than {MAX_PROBLEMS} problems", hint="mend these first", file=problem.file, code="E0140")
            raise RecipeError([*in_line_order(self), last])


def in_line_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column))
