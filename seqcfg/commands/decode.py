"""`seqcfg decode`: outputs for new inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path())
@click.option(
    "--input", "source", type=click.Path(),
    help="File of one input per line, plain or .gz, or for speech a sound, a folder of them or a manifest; - is standard input.",
)  # fmt: skip
@click.option("--output", "target", type=click.Path(), default="-", help="File to write; - is standard output.")
@click.option(
    "--format", "style", type=click.Choice(["text", "jsonl", "tsv"]), default="text", show_default=True, help="How outputs are written."
)
@click.option("--n-best", type=click.IntRange(min=1), help="Outputs per line, best first; more than one need jsonl or tsv.")
@click.option("--scores", is_flag=True, help="Write scores and log-probabilities, too; needs jsonl or tsv.")
@click.option("--tokens", is_flag=True, help="Write tokens: instead of the text, or beside it in jsonl.")
@click.option("--alignments", is_flag=True, help="Write which source token each output token looked at most.")
@click.option("--prefixes", type=click.Path(), help="File whose line n is what output n begins with; empty for nothing.")
@click.option("--phrases", type=click.Path(), help="File whose line n holds phrases that output n contains, with tabs between them.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Threads that decode at once; same outputs.")
@click.option("--interactive", is_flag=True, help="Answer each line as it is typed, or sound as it is heard.")
@click.option("--restart", is_flag=True, help="Begin anew although an interrupted output is there.")
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N, a step number or the folder of a checkpoint.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
def command(
    run: str, source: str | None, target: str, style: str, n_best: int | None, scores: bool, tokens: bool, alignments: bool,
    prefixes: str | None, phrases: str | None, workers: int, interactive: bool, restart: bool, checkpoint: str, overrides: tuple[str, ...],
) -> None:  # fmt: skip
    """Decodes the lines of a file with the model in RUN: as many results as lines, in their order.

    text: the best output of each line. tsv: line number, rank, output (, score, log-probability) (, alignment). jsonl: one
    object a line. Alignments are pairs of source and output positions, in tokens from 0.

    A run of speech recognition answers sounds: a file of any format and sample rate, a folder, a manifest (.jsonl, .tsv), or a
    WAV, FLAC or Ogg file on standard input. Long ones are cut where they are quiet. A damaged one is told, has an empty output and
    makes the exit code 1. --alignments gives the words with their seconds. --interactive writes a 16-bit WAV stream on standard input
    while it is heard, where all layers look back only: on a terminal or as jsonl with what may still change.

    Prefixes and phrases are texts as the model was taught to write them; line n belongs to line n of the input.

    Standard input is answered as it comes. A file is written in parts: the same command after an interruption goes on.
    An empty line has an empty output, whatever is demanded of it. Bytes that are no text (NUL, invalid UTF-8) become
    U+FFFD, and lines of more than decoding.max_source_length tokens are cut, both with a warning.
    """
    demanded = {name: file for name, file in (("prefixes", prefixes), ("phrases", phrases)) if file is not None}
    asked = (style, n_best, scores, tokens, alignments)
    _refuse_contradictions(source, interactive, demanded, style, (n_best or 1) > 1 or scores)
    from seqcfg.data.line_stream import LineStream
    from seqcfg.evaluation.answerer import Answerer, Asked
    from seqcfg.evaluation.answering import answer

    if is_of_sounds(run, overrides):
        if demanded:
            raise click.UsageError("RUN reads sounds, whose outputs have no --prefixes and --phrases")
        _hear(run, source, target, restart, checkpoint, overrides, Asked(*asked))
        return
    streams = [LineStream(name) for name in (source or "-", *demanded.values())]  # what is not there is told before a model is read
    answerer = Answerer(run, checkpoint, overrides, Asked(*asked, tuple(demanded)), say, workers)
    if interactive:
        _converse(answerer)
        return
    answer(streams, target, answerer, answerer.purpose, restart, say)
    if answerer.decoder.num_cut:
        say(f"{answerer.decoder.num_cut} lines were longer than decoding.max_source_length and were cut")


def _refuse_contradictions(source: str | None, interactive: bool, demanded: dict[str, str], style: str, needs_columns: bool) -> None:
    if bool(source) == interactive:
        raise click.UsageError("give either --input FILE (- for standard input) or --interactive")
    if style == "text" and needs_columns:
        raise click.UsageError("--n-best and --scores need --format jsonl or tsv")
    if interactive and demanded:
        raise click.UsageError("--prefixes and --phrases belong to the lines of --input; what is typed has none")
    if "-" in demanded.values():
        raise click.UsageError("standard input can hold the input alone; --prefixes and --phrases need files")


def is_of_sounds(run: str, overrides: tuple[str, ...]) -> bool:
    """Whether the run's inputs are sounds; its recipe alone is read."""
    from seqcfg.recipe.experiment import load
    from seqcfg.runs.directory import RunDirectory

    experiment: Any = load(str(RunDirectory.open(run).resolved), overrides)
    return bool(experiment.recipe.task.is_of_sounds)


def _hear(run: str, source: str | None, target: str, restart: bool, checkpoint: str, overrides: tuple[str, ...], asked: Any) -> None:
    if source is None:
        _listen(run, checkpoint, overrides, asked.format)
        return
    from seqcfg.data.sound_stream import SoundStream
    from seqcfg.errors import EXIT_PROBLEM
    from seqcfg.evaluation.answering import answer
    from seqcfg.evaluation.hearing import Hearer

    stream: Any = SoundStream(source)
    hearer = Hearer(run, checkpoint, overrides, asked, say)
    answer([stream], target, hearer, hearer.purpose, restart, say)
    for remark in hearer.remarks():
        say(remark)
    if hearer.num_damaged:
        raise SystemExit(EXIT_PROBLEM)


def _listen(run: str, checkpoint: str, overrides: tuple[str, ...], style: str) -> None:
    """Shows the text of the WAV stream on standard input as it grows."""
    from seqcfg.data.live_sound import live_samples
    from seqcfg.decoding.settings import Decoding
    from seqcfg.evaluation.live import heard_so_far, show_changing, show_objects
    from seqcfg.tasks.frame_listening import listening_of
    from seqcfg.tasks.partners import partners_of
    from seqcfg.tasks.trained import open_run

    trained: Any = open_run(run, checkpoint, overrides, say)
    recipe, codecs = trained.experiment.recipe, trained.codecs
    settings = recipe.decoding or Decoding()
    parts = (recipe.task, trained.declaration, trained.weights, settings)
    rate = recipe.task.sample_rate_hz
    listening = listening_of(*parts, precision=trained.precision, partners=partners_of(trained, settings, say))
    found = heard_so_far(listening, live_samples(sys.stdin.buffer, rate), rate, lambda ids: recipe.task.decode_ids(codecs, [ids])[0])
    if style == "jsonl":
        show_objects(found)
    elif sys.stdout.isatty():
        show_changing(found)
    else:
        show_growing(one.text for one in found)


def say(line: str) -> None:
    """Tells the user, apart from the outputs."""
    click.echo(line, err=True)


def _converse(answerer: Any) -> None:
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
