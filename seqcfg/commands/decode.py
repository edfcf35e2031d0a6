"""`seqcfg decode`: outputs for new inputs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import click

BLOCK = 8192  # lines read before any is decoded: they are sorted by length


@click.command()
@click.argument("run", type=click.Path())
@click.option("--input", "source", type=click.Path(), help="File of one input per line, plain or .gz; - is standard input.")
@click.option("--output", "target", type=click.Path(), default="-", help="File to write; - is standard output.")
@click.option(
    "--format", "style", type=click.Choice(["text", "jsonl", "tsv"]), default="text", show_default=True, help="How outputs are written."
)
@click.option("--n-best", type=click.IntRange(min=1), help="Outputs per line, best first; more than one need jsonl or tsv.")
@click.option("--scores", is_flag=True, help="Write scores and log-probabilities, too; needs jsonl or tsv.")
@click.option("--interactive", is_flag=True, help="Answer each line as it is typed.")
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N (the newest N) or a step number.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
def command(
    run: str, source: str | None, target: str, style: str, n_best: int | None, scores: bool, interactive: bool, checkpoint: str,
    overrides: tuple[str, ...],
) -> None:  # fmt: skip
    """Decodes the lines of a file with the model in RUN: as many results as lines, in their order.

    text: the best output of each line. tsv: line number, rank, output (, score, log-probability). jsonl: one object a line.
    """
    if bool(source) == interactive:
        raise click.UsageError("give either --input FILE (- for standard input) or --interactive")
    if style == "text" and ((n_best or 1) > 1 or scores):
        raise click.UsageError("--n-best and --scores need --format jsonl or tsv")
    decoder = _decoder(run, checkpoint, overrides, n_best)
    write = WRITERS[style]
    if interactive:
        _converse(decoder, write, scores)
        return
    with _opened(source or "-") as lines, click.open_file(target, "w", encoding="utf-8") as out:
        _decode_lines(decoder, lines, lambda number, decoded: write(out, number, decoded, scores))
    if decoder.num_cut:
        click.echo(f"{decoder.num_cut} lines were longer than decoding.max_source_length and were cut", err=True)


def _decoder(run: str, checkpoint: str, overrides: tuple[str, ...], n_best: int | None) -> Any:
    from seqcfg.decoding.decoder import Decoder
    from seqcfg.decoding.settings import Decoding
    from seqcfg.decoding.with_outputs import with_outputs
    from seqcfg.tasks.trained import open_run

    trained = open_run(run, checkpoint, overrides, lambda line: click.echo(line, err=True))
    settings = trained.experiment.recipe.decoding or Decoding()
    if n_best:
        settings = with_outputs(settings, n_best)
    return Decoder(trained.experiment.recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)


def _decode_lines(decoder: Any, lines: Iterator[str], emit: Callable[[int, Any], None]) -> None:
    """Blocks of lines through the decoder, with a count on a terminal's standard error."""
    from itertools import islice

    from seqcfg.data.progress import prepare_bar

    done = 0
    with prepare_bar("lines") as progress:
        while block := list(islice(lines, BLOCK)):
            results = decoder.decode(block, lambda count, before=done: progress("decoding", before + count, 0))
            for number, decoded in enumerate(results, done):
                emit(number, decoded)
            done += len(block)


def _converse(decoder: Any, write: Callable[..., None], scores: bool) -> None:
    click.echo("one line at a time; an empty line or end of file ends", err=True)
    number = 0
    while True:
        click.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line.strip():
            return
        write(sys.stdout, number, decoder.decode([line.rstrip("\r\n")])[0], scores)
        sys.stdout.flush()
        number += 1


@contextlib.contextmanager
def _opened(name: str) -> Iterator[Iterator[str]]:
    """The lines of a file or of standard input; raises UserError for what is not there or not UTF-8."""
    import io

    from seqcfg.data.unpack import open_bytes
    from seqcfg.errors import UserError

    if name != "-" and not Path(name).is_file():
        raise UserError(f"{name}: there is no such file", hint="--input takes a file of one input per line, or -")
    file = sys.stdin.buffer if name == "-" else open_bytes(Path(name))
    try:
        yield (line.rstrip("\r\n") for line in io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n"))
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not UTF-8: {error.reason}", hint="convert it first, with iconv for instance") from error


def _write_text(out: IO[str], number: int, decoded: Any, scores: bool) -> None:
    out.write(_flat(decoded.text) + "\n")


def _write_tsv(out: IO[str], number: int, decoded: Any, scores: bool) -> None:
    for rank, (text, score, total) in enumerate(zip(*decoded, strict=True), 1):
        columns = [number + 1, rank, _flat(text).replace("\t", " "), *([f"{score:.6g}", f"{total:.6g}"] if scores else [])]
        out.write("\t".join(map(str, columns)) + "\n")


def _write_jsonl(out: IO[str], number: int, decoded: Any, scores: bool) -> None:
    import json

    entry: dict[str, Any] = {"line": number + 1, "text": decoded.text}
    if len(decoded.texts) > 1:
        entry["n_best"] = decoded.texts
    if scores:
        entry |= {"scores": decoded.scores, "log_probabilities": decoded.log_probabilities}
    out.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _flat(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


WRITERS: dict[str, Callable[..., None]] = {"text": _write_text, "tsv": _write_tsv, "jsonl": _write_jsonl}
