"""`seqcfg run`: outputs of an exported model, for a first look at it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import click

CLIENTS = {"model.tflite": "tflite", "model.onnx": "onnx_model", "encode.onnx": "onnx_model", "frames.onnx": "onnx_model"}
EXTRAS = {"tflite": "litert", "onnx_model": "onnx"}


@click.command()
@click.argument("model", type=click.Path())
@click.option(
    "--input", "source", type=click.Path(), required=True,
    help="File of one input per line, plain or .gz, or for speech a sound, a folder of them or a manifest; - is standard input.",
)  # fmt: skip
@click.option("--scores", is_flag=True, help="Write the score behind each output, after a tab.")
@click.option("--threads", default=1, show_default=True, help="Threads that the engine may use.")
def command(model: str, source: str, scores: bool, threads: int) -> None:
    """Runs MODEL on inputs: a folder that `seqcfg export` wrote, or the model.tflite or model.onnx in one.

    A TFLite model needs ai-edge-litert alone, an ONNX model onnxruntime. A SavedModel is run by TensorFlow Serving,
    `seqcfg serve` or a client of docs/exporting.md.
    """
    answer = _opened(Path(model), threads)
    for given in _sounds(source, answer.about) if answer.about["input"] == "audio" else _lines(source):
        text, score = answer([given])[0]
        click.echo(f"{text}\t{score:.6g}" if scores else text)


def _lines(source: str) -> Iterator[str]:
    from seqcfg.data.line_stream import LineStream

    for line in LineStream(source).texts():
        if line is not None:  # the writer pauses
            yield line


def _sounds(source: str, about: dict[str, Any]) -> Iterator[Any]:
    """The samples of each sound; long ones are cut where they are quiet, as `seqcfg decode` does, and have a line for each piece."""
    from seqcfg.data.sound_stream import SoundPart, SoundStream, all_pieces
    from seqcfg.errors import UserError

    longest = about["max_source_length"] * about["samples_per_position"]
    for line in SoundStream(source).texts():
        pieces, problem = all_pieces(SoundPart.of_line(line), about["sample_rate_hz"], longest)
        if problem:
            raise UserError(f"{line}: {problem}", hint="leave it out")
        yield from pieces


def _opened(place: Path, threads: int) -> Any:
    """What answers a list of inputs with (text, score) each."""
    from seqcfg.errors import UserError
    from seqcfg.export.origin import powers_of
    from seqcfg.export.probe import CLIENTS as PROGRAMS

    folder = place.parent if place.is_file() else place
    name = next((client for file, client in CLIENTS.items() if (folder / file).is_file()), None)
    if name is None:
        raise UserError(f"{folder} holds no model.tflite and no model.onnx", hint="name a folder such as RUN/exports/tflite-float32/1")
    if powers := powers_of(folder):
        can = "; ".join(f"it can {power} ({', '.join(names)})" for power, names in powers.items())
        raise UserError(
            f"{folder}: {can}, and no export of seqcfg does this", hint="take it from whom you trust, and run it by its own engine"
        )
    client = ModuleType("client")
    try:
        SourceFileLoader("client", str(PROGRAMS / f"{name}.py")).exec_module(client)
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing, which runs such models", hint=f"pip install 'seqcfg[{EXTRAS[name]}]'") from error
    return client.Model(str(folder), threads)
