"""`seqcfg reproduce`: makes a run again and says whether the same came out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.recipe.report import as_text
from seqcfg.recipe.write import to_yaml
from seqcfg.runs import lockfile, trace
from seqcfg.runs.directory import RESOLVED, RunDirectory
from seqcfg.runs.divergence import Divergence, divergence

IDENTICAL, WITHIN, DIFFERENT = "bit-identical", "within tolerance", "different"
EXIT_DIFFERENT, EXIT_TROUBLE = 1, 2
NO_VALIDATION = "training.validation.split=left-out-of-a-quick-proof"


@dataclasses.dataclass
class Original:
    """What is to be made again. `folder` holds the trace, None where only a recipe is known; `lock` is None for a bare recipe."""

    experiment: Any
    folder: Path | None
    lock: dict[str, Any] | None
    notes: list[str]


@click.command()
@click.argument("original", metavar="RUN|LOCK|RECIPE", type=click.Path())
@click.option("--steps", type=click.IntRange(min=1), help="Repeat so many steps only: a quick proof.")
@click.option("--run", "new_folder", type=click.Path(), help="Folder of the repetition, which is kept; else a temporary one.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Repeat it with another value, to see what that changes.")
@click.option("--exact", is_flag=True, help="Let nothing but a bit-identical run pass.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
@click.option("--prepare-again", is_flag=True, help="Train tokenizers and prepare the data anew, too.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="What is printed.")
def command(original: str, steps: int | None, new_folder: str | None, style: str, exact: bool, **settings: Any) -> None:
    """Trains RUN again from its run.lock.json in a fresh folder, and states how the results compare.

    bit-identical: loss and gradient norm of every step and all weights agree to the bit. within tolerance: they do not, but
    the new run reaches the recipe's claims. different: else; the first step and the weights that differ are named.
    A RECIPE is held against its claims. Exit code 0: one of the first two; 1: different; 2: it could not be told.
    """
    try:
        with _folders(new_folder, settings) as folder:
            verdict = _repeat(original, steps, folder, **settings)
    except UserError as error:
        click.echo(as_text(error.problems), err=True)
        raise SystemExit(EXIT_TROUBLE) from None
    if new_folder:
        verdict["run"] = new_folder
    click.echo(json.dumps(verdict, indent=1, ensure_ascii=False) if style == "json" else _as_text(verdict))
    passes = verdict["verdict"] == IDENTICAL or (verdict["verdict"] == WITHIN and not exact)
    raise SystemExit(0 if passes else EXIT_DIFFERENT)


@contextlib.contextmanager
def _folders(new_folder: str | None, settings: dict[str, Any]) -> Iterator[Path]:
    """The folder of the new run; a temporary one is removed in the end, and so is data that is prepared again."""
    with tempfile.TemporaryDirectory(prefix="seqcfg-reproduce-") as temporary:
        if settings.pop("prepare_again"):
            settings["cache_root"] = str(Path(temporary) / "prepared")
        yield Path(new_folder) if new_folder else Path(temporary) / "run"


def _repeat(
    name: str, steps: int | None, folder: Path, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None
) -> dict[str, Any]:  # fmt: skip
    """Trains again in `folder`; returns the verdict with what it rests on."""
    from seqcfg.data.prepare import prepare
    from seqcfg.data.progress import prepare_bar
    from seqcfg.training.locking import lock_of
    from seqcfg.training.run import train
    from seqcfg.training.stopping import Stopping

    with tempfile.TemporaryDirectory() as scratch:
        first = read_original(name, Path(scratch), overrides)
        whole = _steps_of(first)
        steps = min(steps, whole) if steps else whole
        _refuse_the_impossible(first, name, folder, steps)
        experiment: Any = load(first.experiment.file, [*first.experiment.overrides, *_shortened(first, steps)])
        with prepare_bar() as progress:
            prepared = prepare(experiment, progress, data_root=data_root, cache_root=cache_root)
        now = lock_of(experiment, prepared)
        changes = lockfile.changes(first.lock, now) if first.lock else []
        verdict = {"original": name, "steps": steps, "notes": first.notes, "changes": changes}
        if data := _data_changes(first.lock, now):
            return verdict | {"verdict": DIFFERENT, "data": data}
        for line in [*first.notes, *changes]:
            click.echo(line, err=True)
        training = experiment.recipe.training
        with Stopping(training.max_minutes, training.grace_seconds) as stopping:
            if code := train(experiment, prepared, folder, lambda line: click.echo(line, err=True), stopping):
                raise SystemExit(code)
        found = divergence(first.folder, folder, steps) if first.folder else Divergence(0)
        return verdict | _judge(found, experiment, prepared, folder, is_whole=steps == experiment.recipe.training.steps == whole)


def read_original(name: str, scratch: Path, overrides: tuple[str, ...] = ()) -> Original:
    """The run, lock or recipe of that name; `scratch` is a folder for the recipe that a lock holds. Raises UserError."""
    path = Path(name)
    folder = path if RunDirectory.is_run(path) else path.parent if path.name == lockfile.LOCKFILE else None
    if folder is None and path.suffix != ".json":
        return Original(load(name, overrides), None, None, [])
    lock = lockfile.read_lock(path)
    recipe = scratch / "recipe.yaml"
    recipe.write_text(to_yaml(lock["recipe"]), encoding="utf-8")
    notes = []
    if lockfile.recipe_sha256(lock["recipe"]) != lock.get("recipe_sha256"):
        notes.append(f"the recipe in {lockfile.LOCKFILE} is not the one that was trained: somebody has changed it")
    is_run = folder is not None and RunDirectory.is_run(folder)
    if is_run and load(str(RunDirectory.open(folder).resolved)).fingerprint != load(recipe).fingerprint:  # type: ignore[arg-type]
        notes.append(f"{RESOLVED} says something else than {lockfile.LOCKFILE}, which is what is repeated")
    if not is_run and "evidence" in lock:
        trace.restore(scratch, lock["evidence"])
    return Original(load(recipe, overrides), folder if is_run else scratch if "evidence" in lock else None, lock, notes)


def _steps_of(first: Original) -> int:
    """How many updates can be compared: those the run has finished, or all of a recipe's."""
    finished = len(trace.read_steps(first.folder)) if first.folder else 0
    return finished or int(first.experiment.recipe.training.steps)


def _shortened(first: Original, steps: int) -> list[str]:
    recipe: Any = first.experiment.recipe
    if steps == recipe.training.steps:
        return []
    return [f"training.steps={steps}", NO_VALIDATION]


def _refuse_the_impossible(first: Original, name: str, folder: Path, steps: int) -> None:
    recipe: Any = first.experiment.recipe
    is_part = steps < recipe.training.steps
    if first.folder is not None and folder.resolve() == first.folder.resolve():
        raise UserError(f"{name} cannot be repeated in its own folder", hint="give another one with --run, or none")
    if len(trace.read_steps(folder)) >= steps:
        raise UserError(f"{folder} holds a finished run; nothing would be repeated", hint="give another folder with --run, or delete it")
    if first.folder is None and (is_part or not recipe.claims):
        lacks = "states no claims" if not is_part else "is not trained to its end, so that its claims cannot be checked"
        raise UserError(f"{name}: there is nothing to hold a repetition against: the recipe {lacks}", hint="name a run, or add claims:")


def _data_changes(before: dict[str, Any] | None, now: dict[str, Any]) -> list[str]:
    """The files that are not those of the original; empty when the prepared data is the same."""
    if before is None or before["data"].get("fingerprint") == now["data"]["fingerprint"]:
        return []
    one, other = before["data"].get("inputs", {}), now["data"]["inputs"]
    changed = [f"{path}: its content is not that of the run" for path in one.keys() & other.keys() if one[path] != other[path]]
    changed += [f"{path}: is read in one of the two only" for path in one.keys() ^ other.keys()]
    return sorted(changed) or ["the recipe's data, tokenizers or features are not those of the run"]


def _judge(found: Divergence, experiment: Any, prepared: Any, folder: Path, is_whole: bool) -> dict[str, Any]:
    """The verdict over traces, and over claims where bits differ and the run is a whole one."""
    told: dict[str, Any] = {"compared": found.compared}
    if found.is_identical:
        return told | {"verdict": IDENTICAL}
    if found.compared:
        told["divergence"] = dataclasses.asdict(found) | {"lines": found.lines()}
    if not (is_whole and experiment.recipe.claims):
        return told | {"verdict": DIFFERENT}
    from seqcfg.data.progress import prepare_bar
    from seqcfg.evaluation.claims import check_claims
    from seqcfg.tasks.trained import open_run

    trained = open_run(str(folder), "best", (), lambda line: click.echo(line, err=True))
    with prepare_bar("lines") as progress:
        outcomes = check_claims(trained, prepared, progress)
    told["claims"] = [dataclasses.asdict(outcome) | {"holds": outcome.holds, "line": str(outcome)} for outcome in outcomes]
    return told | {"verdict": WITHIN if all(outcome.holds for outcome in outcomes) else DIFFERENT}


def _as_text(verdict: dict[str, Any]) -> str:
    head = verdict["verdict"]
    if head == IDENTICAL:
        head += f": {verdict['compared']} steps and all weights noted in them agree to the bit"
    elif head == WITHIN:
        head += " of the recipe's claims"
    lines = [head, *verdict.get("data", []), *verdict.get("divergence", {}).get("lines", [])]
    lines += [claim["line"] for claim in verdict.get("claims", [])]
    if verdict["verdict"] != IDENTICAL and verdict["changes"]:
        lines += ["what has changed since:", *(f"  {line}" for line in verdict["changes"])]
    if "run" in verdict:
        lines.append(f"the new run is in {verdict['run']}")
        if head.startswith(DIFFERENT) and "divergence" in verdict:
            lines.append(f"by how much weights differ: seqcfg diff --weights {verdict['original']} {verdict['run']}")
    return "\n".join(lines)
