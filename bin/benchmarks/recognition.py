#!/usr/bin/env python3
"""Speed of a recognition run: real-time factors of decoding whole sounds, and how long chunks of a stream take."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from typing import Any

from benchmarks.threads import use_threads


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", required=True, help="folder of a run of speech recognition")
    command.add_argument("--checkpoint", default="best", help="best, last, average:N or a step number")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of the run's recipe")
    command.add_argument("--input", required=True, help="a sound, a folder of them, or a manifest")
    command.add_argument("--sounds", type=int, default=64, help="how many of them")
    command.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="sounds decoded together")
    command.add_argument("--chunk-ms", type=float, nargs="+", default=[320.0], help="lengths of chunks of a stream, in ms of sound")
    command.add_argument("--seconds", type=float, default=5.0, help="passes over the sounds are repeated so long; the best counts")
    command.add_argument("--threads", type=int, default=1, help="threads of TensorFlow; 0 for as many as it likes")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of decoding per second of sound, by batch size, and per chunk of a stream where the model can do that."""
    from seqcfg.tasks.trained import open_run

    use_threads(options.threads)
    trained = open_run(options.run, options.checkpoint, options.set)
    recipe = trained.experiment.recipe
    sounds = _sounds(options, recipe.task, recipe.decoding)
    result: dict[str, Any] = {
        "recipe": trained.experiment.name,
        "search": recipe.decoding.search.type,
        "sounds": len(sounds),
        "sound_seconds": round(sum(map(len, sounds)) / recipe.task.sample_rate_hz, 2),
        "whole": [_whole(options, trained, sounds, batch) for batch in options.batches],
    }
    return result | {"stream": [_stream(trained, sounds, chunk_ms) for chunk_ms in options.chunk_ms]}


def _sounds(options: argparse.Namespace, task: Any, settings: Any) -> list[Any]:
    """Samples float32 of each, at the task's rate; sounds that are too long are cut as in decoding."""
    from seqcfg.data.sound_stream import SoundPart, SoundStream, all_pieces

    found: list[Any] = []
    for line in list(SoundStream(options.input).texts())[: options.sounds]:
        pieces, problem = all_pieces(SoundPart.of_line(line), task.sample_rate_hz, settings.max_source_length * task.samples_per_position)
        if problem:
            raise SystemExit(f"{line}: {problem}")
        found += pieces
    return found


def _whole(options: argparse.Namespace, trained: Any, sounds: list[Any], batch: int) -> dict[str, Any]:
    from seqcfg.decoding.decoder import Decoder

    recipe = trained.experiment.recipe
    settings = dataclasses.replace(recipe.decoding, batch_size=batch)
    decoder = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)
    found, passes, begin = decoder.decode(sounds), [], time.monotonic()
    while not passes or time.monotonic() - begin < options.seconds:
        start, cpu = time.monotonic(), time.process_time()
        found = decoder.decode(sounds)
        passes.append((time.process_time() - cpu, time.monotonic() - start))
    cpu_seconds, seconds = min(passes)
    length = sum(map(len, sounds)) / recipe.task.sample_rate_hz
    return {
        "batch": batch,
        "cpu_seconds_per_sound_second": round(cpu_seconds / length, 5),
        "seconds_per_sound_second": round(seconds / length, 5),
        "tokens": sum(len(one.ids[0]) for one in found),
    }


def _stream(trained: Any, sounds: list[Any], chunk_ms: float) -> dict[str, Any]:
    """Each chunk is heard as if it had just come: how long until what is certain is told."""
    from seqcfg.errors import UserError
    from seqcfg.tasks.listening import Listening

    recipe = trained.experiment.recipe
    try:
        listening = Listening(recipe.task, trained.declaration, trained.weights, recipe.decoding, chunk_ms, trained.precision)
        listening.hear(sounds[0])
        listening.finish()  # traced by now
        waits, cpu, tokens = [], time.process_time(), 0
        for sound in sounds:
            for at in range(0, len(sound), listening.chunk):
                start = time.monotonic()
                tokens += len(listening.hear(sound[at : at + listening.chunk]))
                waits.append(1000 * (time.monotonic() - start))
            tokens += len(listening.finish())
    except UserError as why:
        return {"chunk_ms": chunk_ms, "not_measured": str(why)}
    length = sum(map(len, sounds)) / recipe.task.sample_rate_hz
    return {
        "chunk_ms": 1000 * listening.chunk / recipe.task.sample_rate_hz,
        "chunks": len(waits),
        "ms_per_chunk": {"median": round(statistics.median(waits), 2), "max": round(max(waits), 2)},
        "cpu_seconds_per_sound_second": round((time.process_time() - cpu) / length, 5),
        "tokens": tokens,
    }
