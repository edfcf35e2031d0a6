"""`seqcfg evaluate`: how good a trained run is."""

from __future__ import annotations

import re
import time
from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path())
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N, a step number or the folder of a checkpoint.")
@click.option("--split", help="Split to evaluate on; else evaluation.split of the recipe.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
@click.option(
    "--name", default="", help="Name of this evaluation, which ends its folder's; else the last one of a checkpoint and split stays."
)
@click.option("--alignments", is_flag=True, help="Keep the attention of the lines shown first, and draw it on the page.")
@click.option("--watch", is_flag=True, help="Evaluate each checkpoint that training writes, until it has finished.")
@click.option("--every", default=15.0, show_default=True, help="Seconds between looks at the run, with --watch.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", help="What is printed.")
def command(
    run: str, checkpoint: str, split: str | None, overrides: tuple[str, ...], name: str, alignments: bool, watch: bool,
    every: float,    data_root: str | None, cache_root: str | None, style: str,
) -> None:  # fmt: skip
    """Decodes a split with the model in RUN, compares with the references and stores the result in RUN/evaluations.

    Stored are the scores with their intervals and signatures, the texts, what each line contributed, and a page to look at
    (index.html). With --watch, checkpoints that were evaluated before by the same settings are passed over.
    """
    if watch and checkpoint != "best":
        raise click.UsageError("--watch evaluates all checkpoints; leave --checkpoint out")
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise click.UsageError("--name takes letters, digits, dot, dash and underscore")
    bench = Bench(run, overrides, split, name, alignments, data_root, cache_root)
    if watch:
        bench.watch(every)
        return
    evaluated, folder = bench.evaluate(checkpoint)
    if style == "json":
        from seqcfg.evaluation.store import as_json, summary

        click.echo(as_json(summary(bench.trained, evaluated)))
        return
    from rich.console import Console

    from seqcfg.evaluation.table import score_table

    Console().print(score_table(evaluated))
    seconds = f"{len(evaluated.decoded)} lines decoded in {evaluated.seconds:.1f} s; " if evaluated.decoded else ""
    click.echo(f"{seconds}stored in {folder}")


def say(line: str) -> None:
    """Tells the user, apart from the scores."""
    click.echo(line, err=True)


class Bench:
    """Evaluates checkpoints of one run on one split; what is costly is made for the first one and used for all."""

    def __init__(
        self, run: str, overrides: tuple[str, ...], split: str | None, name: str, alignments: bool, data_root: str | None,
        cache_root: str | None,
    ):  # fmt: skip
        self._run, self._overrides, self._split, self._name, self._alignments = run, overrides, split, name, alignments
        self._roots: Any = {"data_root": data_root, "cache_root": cache_root}
        self._evaluator: Any = None
        self.trained: Any = None

    def evaluate(self, checkpoint: str) -> tuple[Any, Any]:
        """Measures and stores; returns the result and its folder."""
        from seqcfg.data.progress import prepare_bar
        from seqcfg.evaluation.corpus import Evaluator
        from seqcfg.evaluation.store import write
        from seqcfg.tasks.trained import open_run

        trained: Any = open_run(self._run, checkpoint, self._overrides, say)
        self.trained = trained
        if self._evaluator is None:
            split = self._split or trained.experiment.recipe.evaluation.split
            self._evaluator = Evaluator(trained, self._columns(trained.experiment, split), split)
        with prepare_bar("lines") as progress:
            evaluated = self._evaluator(trained, progress)
            attention = self._evaluator.attention(evaluated, progress) if self._alignments else {}
        if evaluated.num_cut:
            say(f"{evaluated.num_cut} lines were longer than decoding.max_source_length and were cut")
        return evaluated, write(trained, evaluated, attention, self._name)

    def watch(self, every: float) -> None:
        """Evaluates each new checkpoint and prints a line for it, the best so far marked."""
        from seqcfg.checkpoints.contents import DamagedCheckpoint
        from seqcfg.errors import UserError
        from seqcfg.evaluation.following import is_same, new_checkpoints
        from seqcfg.evaluation.store import folder_of
        from seqcfg.recipe.experiment import load
        from seqcfg.runs.directory import RunDirectory
        from seqcfg.runs.evaluations import read

        directory = RunDirectory.open(self._run)
        experiment: Any = load(str(directory.resolved), self._overrides)
        settings = experiment.recipe.evaluation
        split, metrics = self._split or settings.split, [metric.label for metric in settings.metrics]

        def is_done(info: Any) -> bool:
            return is_same(read(directory.folder / folder_of(split, info.path.name, self._name)), experiment.fingerprint, metrics)

        best: dict[str, float] = {}
        for info in new_checkpoints(directory, is_done, lambda: time.sleep(every), say):
            try:
                evaluated, _ = self.evaluate(str(info.step))
            except (UserError, DamagedCheckpoint, FileNotFoundError) as error:
                if info.path.is_dir():
                    raise
                say(f"step {info.step}: deleted by training before it was evaluated ({type(error).__name__})")
                continue
            click.echo(line_of(evaluated, best))

    def _columns(self, experiment: Any, split: str) -> Any:
        from seqcfg.data.prepare import prepare
        from seqcfg.data.progress import prepare_bar
        from seqcfg.evaluation.corpus import columns_of

        with prepare_bar() as progress:
            prepared = prepare(experiment, progress, **self._roots)
        return columns_of(prepared, split)


def line_of(evaluated: Any, best: dict[str, float]) -> str:
    """One line about a checkpoint; what beats all before is starred, and `best` remembers it."""
    parts = [f"step {evaluated.step}"]
    for score in evaluated.scores:
        before = best.get(score.name)
        is_better = before is None or (score.value > before if score.better == "higher" else score.value < before)
        best[score.name] = score.value if is_better or before is None else before
        parts.append(f"{score.name} {score.value:.2f}{'*' if is_better else ''}")
    return "  ".join(parts)
