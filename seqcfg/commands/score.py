"""`seqcfg score`: how probable a trained run finds given pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path())
@click.option("--source", type=click.Path(), help="File of one source per line; left out for a language model.")
@click.option("--target", required=True, type=click.Path(), help="File of one target per line; - is standard input.")
@click.option("--output", type=click.Path(), default="-", help="File to write; - is standard output.")
@click.option(
    "--format", "style", type=click.Choice(["text", "jsonl", "tsv"]), default="text", show_default=True, help="How scores are written."
)
@click.option("--tokens", is_flag=True, help="Write the log-probability of each token, too.")
@click.option("--restart", is_flag=True, help="Begin anew although an interrupted output is there.")
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N (the newest N) or a step number.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
def command(
    run: str, source: str | None, target: str, output: str, style: str, tokens: bool, restart: bool, checkpoint: str,
    overrides: tuple[str, ...],
) -> None:  # fmt: skip
    """Writes the log-probability (nats, end of sentence included) of each target, given its source, with the model in RUN.

    text: the log-probability. tsv: line number, log-probability, score by which the search would rank it, tokens with the end.
    jsonl: one object a line. The perplexity of all lines is said at the end. Lines are read and files written as by decode, and those of
    more than decoding.max_source_length tokens are cut on both sides, which is said.
    """
    from seqcfg.data.line_stream import LineStream
    from seqcfg.evaluation.answering import answer

    judge = Judge(run, checkpoint, overrides, style, tokens, is_given=source is not None)
    streams = [LineStream(name) for name in (source, target) if name is not None]
    answer(streams, output, judge, judge.purpose, restart, say, "scoring")
    for line in judge.summary():
        say(line)


def say(line: str) -> None:
    """Tells the user, apart from the scores."""
    click.echo(line, err=True)


class Judge:
    """Scores rows of (source, target), or of targets alone, and adds up what it has seen."""

    def __init__(self, run: str, checkpoint: str, overrides: tuple[str, ...], style: str, tokens: bool, is_given: bool):
        from seqcfg.decoding.scoring import Scorer
        from seqcfg.decoding.settings import Decoding
        from seqcfg.errors import UserError
        from seqcfg.evaluation.answerer import purpose_of, target_codec_of
        from seqcfg.evaluation.written import Style
        from seqcfg.tasks.partners import partners_of
        from seqcfg.tasks.trained import open_run

        trained: Any = open_run(run, checkpoint, overrides, say)
        task = trained.experiment.recipe.task
        if not hasattr(task, "encode_pairs"):
            raise UserError(f"the task {task.type} does not score pairs of texts", hint="use seqcfg evaluate")
        if not is_given and not getattr(task, "continues", False):
            raise UserError(f"the task {task.type} needs sources", hint="add --source FILE, line n of which belongs to line n of --target")
        settings = trained.experiment.recipe.decoding or Decoding()
        partners = partners_of(trained, settings, say)
        parts = (task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision, partners)
        self._scorer = Scorer(*parts, longest_target=settings.max_source_length)
        self._style = Style(style, tokens_of=target_codec_of(task, trained.codecs, "leave out --tokens").tokens if tokens else None)
        self._sums = {"lines": 0, "tokens": 0, "words": 0, "bytes": 0}
        self._total = 0.0
        self.purpose = purpose_of(trained, partners) | {"format": style, "tokens": tokens, "source": is_given}

    def __call__(self, rows: list[tuple[str, ...]], first: int, progress: Callable[[int], None]) -> str:
        from seqcfg.metrics.perplexity import size, words

        targets = [row[-1] for row in rows]
        sources = [row[0] if len(row) == 2 else "" for row in rows]
        scored = self._scorer.score(sources, targets, lambda done: progress(first + done))
        counts = {
            "lines": len(rows),
            "tokens": sum(len(one.ids) for one in scored),
            "words": sum(map(words, targets)),
            "bytes": sum(map(size, targets)),
        }
        self._sums = {name: self._sums[name] + count for name, count in counts.items()}
        self._total += sum(one.log_probability for one in scored)
        return "".join(self._style.scored(first + place, one) for place, one in enumerate(scored))

    def summary(self) -> list[str]:
        """What was seen in this call, for the user."""
        sums = self._sums
        if not sums["lines"]:
            return []
        found = [f"{sums['lines']} lines, log-probability {self._total:.6g}"]
        per = {unit: math.exp(min(700.0, -self._total / sums[f"{unit}s"])) for unit in ("token", "word", "byte")}
        found.append("perplexity " + ", ".join(f"{value:.6g} per {unit}" for unit, value in per.items()))
        for count, what in ((self._scorer.num_cut, "sources"), (self._scorer.num_cut_targets, "targets")):
            if count:
                found.append(f"{count} {what} were longer than decoding.max_source_length and were cut")
        return found
