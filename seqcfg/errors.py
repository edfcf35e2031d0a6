"""What can go wrong, and the exit code that says so."""

from __future__ import annotations

import dataclasses

EXIT_OK = 0
EXIT_PROBLEM = 1  # the user's problem: bad recipe, missing file, full disk
EXIT_USAGE = 2  # wrong command line
EXIT_BUG = 3  # ours
EXIT_RESUBMIT = 75  # stopped by a signal after saving; the same command continues
EXIT_INTERRUPTED = 130


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: where it is, what it is, how to mend it.

    `line` and `column` count from 1 and are 0 where no text position exists; `path` is the recipe path; `code` is what
    `seqcfg explain` has a page about, such as E0107, and empty for problems outside recipes. `named_in` is where the recipe that
    is checked names `file` as a base, as file:line:column; it does not make two problems different.
    """

    message: str
    hint: str = ""
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    code: str = ""
    named_in: str = dataclasses.field(default="", compare=False)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = ": ".join(part for part in (place, self.path, self.message) if part) + (f" [{self.code}]" if self.code else "")
        base = f"\n    named as base in {self.named_in}" if self.named_in else ""
        return f"{head}{base}\n    hint: {self.hint}" if self.hint else head + base


class UserError(Exception):
    """The user's problem: shown without a stack trace, exit code 1 unless a subclass says otherwise."""

    exit_code = EXIT_PROBLEM

    def __init__(self, message: str = "", *, hint: str = "", problems: tuple[Problem, ...] = ()):
        self.problems = tuple(problems) or (Problem(message=message, hint=hint),)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RecipeError(UserError):
    """A recipe that cannot be used; `problems` lists everything found in one phase, in line order."""

    def __init__(self, problems):
        super().__init__(problems=tuple(problems))
