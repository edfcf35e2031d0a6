"""The command line: one verb per file in `commands/`, imported only when that verb is used."""

from __future__ import annotations

import difflib
import errno
import functools
import gc
import importlib
import keyword
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence

import click

import seqcfg
from seqcfg import commands
from seqcfg.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, EXIT_PROBLEM, UserError

VERBS = {
    "validate": "Check recipes without running anything.",
    "explain": "Tell where a value of a recipe comes from and what it means.",
    "show": "Print a recipe with bases, defaults and overrides applied.",
    "plan": "Print every weight, the counts and the memory a recipe needs.",
    "components": "List what a recipe can name.",
    "new": "Start a recipe from one that is shipped.",
    "import": "Make a recipe of another system's settings.",
    "migrate": "Bring recipes to the current version of the recipe language.",
    "schema": "Print the JSON Schema of recipes, for editors.",
    "prepare": "Turn raw corpora into the columns that training reads.",
    "data": "Look at prepared data and at the batch of any step.",
    "train": "Train a recipe, or continue where it stopped.",
    "checkpoint": "List, verify, average, export or prune the checkpoints of a run.",
    "replay": "Make one update of a run again, to the bit, and take it apart.",
    "evaluate": "Measure a trained run.",
    "lexicon": "Learn which target tokens source tokens become, for shortlists.",
    "decode": "Produce outputs for new inputs with a trained run.",
    "runs": "List runs, and show, label, remove or tidy up single ones.",
    "claims": "Tell what recipes claim, what was published and what was measured last.",
    "diff": "Tell how recipes and runs differ, and what follows from it.",
    "score": "Tell how probable a trained run finds given outputs.",
    "average": "Average the weights of checkpoints.",
    "export": "Write a trained run in a format that is used without seqcfg.",
    "run": "Run an exported model on lines, for a first look at it.",
    "serve": "Serve a run or an exported model over HTTP, with a page to try it.",
    "report": "Show runs as one page: curves, samples, differences, claims.",
    "reproduce": "Make a run again and say whether the same came out.",
    "sweep": "Train a recipe with many settings and seeds.",
    "doctor": "Check this machine and this installation.",
}
MACHINE_ERRORS = {errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EPERM, errno.EMFILE}


@functools.cache
def available_verbs() -> list[str]:
    """The verbs that have a file, in the order of VERBS."""
    found = {module.name.removesuffix("_").replace("_", "-") for module in pkgutil.iter_modules(commands.__path__)}
    return [*(verb for verb in VERBS if verb in found), *sorted(found - set(VERBS))]


def module_of(verb: str) -> str:
    """The verb's module in `commands/`; a word of Python's own gets an underscore at its end: `import_.py`."""
    name = verb.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


class LazyGroup(click.Group):
    """A group whose commands are files; help texts come from VERBS, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return available_verbs()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in available_verbs():
            return None
        return importlib.import_module(f"{commands.__name__}.{module_of(cmd_name)}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(verb, VERBS.get(verb, "")) for verb in available_verbs()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if args and args[0] not in available_verbs() and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], available_verbs(), n=1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else "; --help lists them"))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(seqcfg.__version__, prog_name="seqcfg")
@click.option("--verbose", is_flag=True, help="Show what libraries print and full traces.")
def cli(verbose: bool) -> None:
    """Trains, evaluates, decodes and exports sequence models described by recipes."""
    if verbose:
        os.environ["SEQCFG_VERBOSE"] = "1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 ok, 1 the user's problem, 2 usage, 3 our bug, 130 interrupted."""
    gc.set_threshold(50_000, 20, 50)  # a fifth of a short command went into looking at freshly imported objects
    try:
        code = cli.main(None if arguments is None else list(arguments), prog_name="seqcfg", standalone_mode=False)
        return code if isinstance(code, int) else EXIT_OK
    except click.ClickException as problem:  # wrong usage, mostly
        problem.show()
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except UserError as problem:
        _show_problems(problem)
        return problem.exit_code
    except Exception as bug:  # noqa: BLE001 -- the one place where every bug becomes a report
        if isinstance(bug, OSError) and bug.errno in MACHINE_ERRORS and not os.environ.get("SEQCFG_VERBOSE"):
            click.echo(f"error: {bug.filename or 'this machine'}: {bug.strerror}", err=True)
            return EXIT_PROBLEM
        _show_bug()
        return EXIT_BUG


def _show_problems(error: UserError) -> None:
    from seqcfg.recipe.report import as_text, has_colors

    click.echo(as_text(error.problems, colors=has_colors(sys.stderr)), err=True)
    if os.environ.get("SEQCFG_VERBOSE"):
        traceback.print_exc()


def _show_bug() -> None:
    traceback.print_exc()
    versions = f"seqcfg {seqcfg.__version__}, Python {sys.version.split()[0]}, {sys.platform}"
    click.echo(f"\nThis is a bug in seqcfg, not in your recipe. Please report it with the lines above and: {versions}", err=True)
