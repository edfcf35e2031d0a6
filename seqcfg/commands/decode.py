"""`seqcfg decode`: outputs for new inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path())
@click.option("--input", "source", type=click.Path(), help="File of one input per line, plain or .gz; - is standard input.")
@click.option("--output", "target", type=click.Path(), default="-", help="File to write; - is standard output.")
@click.option(
    "--format", "style", type=click.Choice(["text", "jsonl", "tsv"]), default="text", show_default=True, help="How outputs are written."
)
@click.option("--n-best", type=click.IntRange(min=1), help="Outputs per line, best first; more than one need jsonl or tsv.")
@click.option("--scores", is_flag=True, help="Write scores and log-probabilities, too; needs jsonl or tsv.")
@click.option("--tokens", is_flag=True, help="Write tokens: instead of the text, or beside it in jsonl.")
@click.option("--alignments", is_flag=True, help="Write which source token each output token looked at most.")
@click.option("--interactive", is_flag=True, help="Answer each line as it is typed.")
@click.option("--restart", is_flag=True, help="Begin anew although an interrupted output is there.")
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N, a step number or the folder of a checkpoint.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
def command(
    run: str, source: str | None, target: str, style: str, n_best: int | None, scores: bool, tokens: bool, alignments: bool,
    interactive: bool, restart: bool, checkpoint: str, overrides: tuple[str, ...],
) -> None:  # fmt: skip
    """Decodes the lines of a file with the model in RUN: as many results as lines, in their order.

    text: the best output of each line. tsv: line number, rank, output (, score, log-probability) (, alignment). jsonl: one
    object a line. Alignments are pairs of source and output positions, in tokens from 0.

    Standard input is answered as it comes. A file is written in parts: the same command after an interruption goes on.
    An empty line has an empty output. Bytes that are no text (NUL, invalid UTF-8) become U+FFFD, and lines of more than
    decoding.max_source_length tokens are cut, both with a warning.
    """
    from seqcfg.evaluation.answering import answer

    if bool(source) == interactive:
        raise click.UsageError("give either --input FILE (- for standard input) or --interactive")
    if style == "text" and ((n_best or 1) > 1 or scores):
        raise click.UsageError("--n-best and --scores need --format jsonl or tsv")
    answerer = Answerer(run, checkpoint, overrides, n_best, style, scores, tokens, alignments)
    if interactive:
        _converse(answerer)
        return
    from seqcfg.data.line_stream import LineStream

    answer([LineStream(source or "-")], target, answerer, answerer.purpose, restart, say)
    if answerer.decoder.num_cut:
        say(f"{answerer.decoder.num_cut} lines were longer than decoding.max_source_length and were cut")


def say(line: str) -> None:
    """Tells the user, apart from the outputs."""
    click.echo(line, err=True)


class Answerer:
    """Decodes rows of one text each, and writes what is wanted of the outputs."""

    def __init__(
        self, run: str, checkpoint: str, overrides: tuple[str, ...], n_best: int | None, style: str, scores: bool, tokens: bool,
        alignments: bool,
    ):  # fmt: skip
        from seqcfg.decoding.alignment import Aligner
        from seqcfg.decoding.decoder import Decoder
        from seqcfg.decoding.settings import Decoding
        from seqcfg.decoding.with_outputs import with_outputs
        from seqcfg.evaluation.written import Style
        from seqcfg.tasks.partners import partners_of
        from seqcfg.tasks.trained import open_run

        trained: Any = open_run(run, checkpoint, overrides, say)
        task = trained.experiment.recipe.task
        settings = trained.experiment.recipe.decoding or Decoding()
        settings = with_outputs(settings, n_best) if n_best else settings
        parts = (task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)
        self.decoder = Decoder(*parts, partners_of(trained, settings, say))
        self.grows = style == "text" and not tokens and not alignments  # so that a line may be shown before it is complete
        self._style = Style(style, scores, tokens_of(task, trained.codecs) if tokens else None)
        self._aligner = Aligner(*parts) if alignments else None
        fingerprint = trained.experiment.fingerprint
        self.purpose = {
            "checkpoint": trained.label,
            "model": fingerprint["model"],
            "decoding": fingerprint["decoding"],
            "format": style,
            "n-best": n_best,
            "scores": scores,
            "tokens": tokens,
            "alignments": alignments,
        }

    def __call__(self, rows: list[tuple[str, ...]], first: int, progress: Callable[[int], None]) -> str:
        texts = [row[0] for row in rows]
        decoded = self.decoder.decode(texts, progress, first)
        links = self._aligner.links(texts, [one.ids for one in decoded]) if self._aligner else [None] * len(decoded)
        return "".join(self._style.decoded(first + place, one, link) for place, (one, link) in enumerate(zip(decoded, links, strict=True)))


def tokens_of(task: Any, codecs: dict[str, Any]) -> Callable[[list[int]], list[str]]:
    """What ids of the task's outputs stand for; raises UserError where outputs have no tokens."""
    from seqcfg.errors import UserError

    if not hasattr(task, "target_codec"):
        raise UserError(f"outputs of the task {task.type} have no tokens", hint="leave out --tokens")
    return task.target_codec(codecs).tokens


def _converse(answerer: Answerer) -> None:
    from seqcfg.evaluation.answering import tell

    is_terminal = sys.stdin.isatty()
    if is_terminal:
        import readline  # noqa: F401 - input() then has a history and can be edited

    say("one line at a time; an empty line or end of file ends")
    number = 0
    while True:
        if is_terminal:
            try:
                line = input("> ")
            except EOFError:
                return
        else:
            click.echo("> ", nl=False, err=True)
            line = sys.stdin.readline()
        if not line.strip():
            return
        if is_terminal and answerer.grows:
            show_growing(answerer.decoder.partial(line))
        else:
            tell(answerer([(line.rstrip("\r\n"),)], number, lambda done: None))
        number += 1


def show_growing(texts: Iterator[str]) -> None:
    """Writes a line as it grows; a text that does not continue what was shown is written anew."""
    shown = ""
    for text in texts:
        if not text.startswith(shown):
            click.echo("")
            shown = ""
        click.echo(text[len(shown) :], nl=False)
        shown = text
    click.echo("")
