"""`seqcfg runs`: the catalogue of runs, and what can be done with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

FORMATS = ("text", "csv", "json", "jsonl", "markdown")


class Catalogue(click.Group):
    """A group whose first word may be a folder: `seqcfg runs DIR` lists it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wants_help = args[:1] in (["--help"], ["-h"])
        return super().parse_args(ctx, args if wants_help or (args and args[0] in self.commands) else ["list", *args])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.commands.get(cmd_name) or self.commands["list"]


@click.group(cls=Catalogue)
def command() -> None:
    """Lists runs with filters and sorting, and shows, labels, removes or tidies up single ones.

    `seqcfg runs [DIR] ...` is `seqcfg runs list [DIR] ...`.
    """


@command.command("list")
@click.argument("folder", metavar="[DIR]", default="runs", type=click.Path())
@click.option("--where", multiple=True, metavar="CONDITION", help="Such as status=finished, bleu>=30, training.seed=2 or name~*wmt*.")
@click.option("--tag", "tags", multiple=True, help="Only runs with this tag.")
@click.option("--since", default="", metavar="DATE|AGE", help="Only runs that were at work since then: 2026-01-31, 12h, 7d, 2w.")
@click.option("--sort", multiple=True, metavar="[-]COLUMN", help="Order, - for descending; else the newest first.")
@click.option("--column", "columns", multiple=True, help="One more column: a metric, or a recipe path such as training.seed.")
@click.option("--changed", is_flag=True, help="A column for every value in which the recipes differ.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="Archived runs, too.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True, help="csv and jsonl are for pandas.")
def list_(folder: str, where: tuple[str, ...], style: str, limit: int | None, everything: bool, **asked: Any) -> None:
    """Lists the runs below DIR (runs/ if left out); what is no whole run is listed with what is wrong.

    csv, json and jsonl have every column: pandas.read_csv, pandas.read_json(lines=True).
    """
    from seqcfg.runs import query
    from seqcfg.runs.catalogue import list_runs

    found = list_runs(folder)
    shown = [run for run in found if everything or not run.labels.is_archived]
    shown = query.select(shown, [query.condition(text) for text in where], asked["tags"], asked["since"])
    shown = query.ordered(shown, asked["sort"] or ("-started",))[:limit]
    extra = [*asked["columns"], *(query.changed_columns(shown) if asked["changed"] else [])]
    for column in extra:
        query.check_column(column, shown)
    click.echo(_table(shown, extra, style), nl=style != "csv")
    hidden = sum(run.labels.is_archived for run in found) if not everything else 0
    if style == "text" and (hidden or not found):
        click.echo(f"{hidden} archived runs are not listed (--all)" if hidden else f"{folder}: holds no runs", err=True)


@command.command("show")
@click.argument("run", type=click.Path())
@click.option(
    "--format", "style", type=click.Choice(["text", "markdown", "html"]), default="text", show_default=True, help="How it is printed."
)
def show(run: str, style: str) -> None:
    """Shows one run: its state, recipe, curve, evaluations, machine, size and labels."""
    from seqcfg.commands.diff import rendered
    from seqcfg.comparison.one_run import document

    click.echo(rendered(document(Path(run)), style))


@command.command("tag")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path())
@click.option("--add", multiple=True, metavar="TAG", help="Give this tag.")
@click.option("--remove", multiple=True, metavar="TAG", help="Take this tag away.")
def tag(runs: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Gives runs tags, or takes them away; without options prints them."""
    from seqcfg.runs import labels

    for folder in _opened(runs):
        found = labels.read_labels(folder)
        if add or remove:
            found = labels.tagged(found, add, remove)
            labels.write_labels(folder, found)
        click.echo(f"{folder}: {' '.join(found.tags) or 'no tags'}")


@command.command("note")
@click.argument("run", type=click.Path())
@click.argument("text", required=False)
def note(run: str, text: str | None) -> None:
    """Keeps a note with RUN; an empty one removes it, and without TEXT the note is printed."""
    import dataclasses

    from seqcfg.runs import labels

    (folder,) = _opened((run,))
    found = labels.read_labels(folder)
    if text is not None:
        found = dataclasses.replace(found, note=text.strip())
        labels.write_labels(folder, found)
    click.echo(found.note or "no note")


@command.command("archive")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path())
@click.option("--undo", is_flag=True, help="List them again.")
def archive(runs: tuple[str, ...], undo: bool) -> None:
    """Leaves runs out of lists; nothing of them is removed."""
    import dataclasses

    from seqcfg.runs import labels

    for folder in _opened(runs):
        labels.write_labels(folder, dataclasses.replace(labels.read_labels(folder), is_archived=not undo))
        click.echo(f"{folder}: {'listed again' if undo else 'archived'}")


@command.command("delete")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path())
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(runs: tuple[str, ...], yes: bool) -> None:
    """Removes runs with everything in them; refuses runs at work and folders that are no runs."""
    from seqcfg.plan.memory import in_units
    from seqcfg.runs.lock import RunLock
    from seqcfg.runs.removal import remove, size_of

    folders = _opened(runs)
    for folder in folders:
        RunLock(folder).probe()
    size = in_units(sum(size_of(folder) for folder in folders))
    if not yes:
        click.confirm(f"remove {', '.join(map(str, folders))} ({size})?", abort=True, err=True)
    for folder in folders:
        with RunLock(folder):
            remove(folder)
        click.echo(f"{folder}: removed")


@command.command("gc")
@click.argument("folder", metavar="[DIR]", default="runs", type=click.Path())
@click.option("--keep-last", type=click.IntRange(min=1), default=1, show_default=True, help="Newest checkpoints that stay.")
@click.option("--keep-best", type=click.IntRange(min=0), default=1, show_default=True, help="Best checkpoints that stay.")
@click.option("--where", multiple=True, metavar="CONDITION", help="Only in runs that fit, such as status=finished.")
@click.option("--yes", is_flag=True, help="Remove; else only tell what would be removed.")
def gc(folder: str, keep_last: int, keep_best: int, where: tuple[str, ...], yes: bool) -> None:
    """Frees disk space: leftovers of interrupted writes, and checkpoints that are neither the best nor the newest.

    Runs at work and folders that are no whole runs are left alone. Without --yes nothing is removed.
    """
    from seqcfg.checkpoints.reclaim import reclaim, waste
    from seqcfg.plan.memory import in_units
    from seqcfg.runs import query
    from seqcfg.runs.catalogue import list_runs

    total = 0
    for run in query.select(list_runs(folder), [query.condition(text) for text in where]):
        if not run.is_whole or run.status == "running":
            continue
        best: dict[str, Any] = (run.recipe.get("evaluation") or {}).get("best") or {}
        options = {"metric": best.get("metric", "loss"), "is_higher_better": best.get("goal") == "maximize"}
        found = waste(run.folder, last=keep_last, best=keep_best, **options)
        if not found.bytes and not found.leftovers:
            continue
        total += found.bytes
        told = [f"checkpoints of steps {', '.join(f'{step:,}' for step in found.steps)}"] if found.steps else []
        told += [f"leftovers: {', '.join(path.name for path in found.leftovers)}"] if found.leftovers else []
        click.echo(f"{run.folder}: {'; '.join(told)} ({in_units(found.bytes)})")
        if yes:
            reclaim(found)
    click.echo(f"{in_units(total)} {'freed' if yes else 'can be freed; --yes does it'}" if total else "there is nothing to free")


def _opened(runs: tuple[str, ...]) -> list[Path]:
    from seqcfg.runs.directory import RunDirectory

    return [RunDirectory.open(run).folder for run in runs]


def _table(runs: list[Any], extra: list[str], style: str) -> str:
    from seqcfg.comparison.listing import as_csv, document, records
    from seqcfg.runs import query

    if style in ("text", "markdown"):
        page = document(runs, extra)
        from seqcfg.comparison.as_markdown import table_lines
        from seqcfg.comparison.as_text import table_text

        return "\n".join(table_lines(page)) if style == "markdown" else table_text(page, colors=sys.stdout.isatty())
    columns = list(dict.fromkeys([*query.all_columns(runs), *extra]))
    if style == "csv":
        return as_csv(query.rows(runs, columns), columns)
    found = records(query.rows(runs, columns))
    if style == "json":
        return json.dumps(found, indent=1, ensure_ascii=False)
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in found)
