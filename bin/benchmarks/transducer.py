#!/usr/bin/env python3
"""A transducer: speed and memory of its training step beside torchaudio's loss, and of a run's searches and streams."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import recognition
from benchmarks.peers import ask, in_turns
from benchmarks.threads import use_threads

PEER = Path(__file__).resolve().parent / "torch_transducer.py"
SIZES = ("batch", "frames", "labels", "features", "width", "vocabulary")
SHAPES = ["14,90,36,80,192,31", "8,200,60,80,256,256", "8,100,30,80,256,1024"]
SEARCHES = ["{type: transducer_greedy}", "{type: transducer_beam, width: 4}"]


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--shapes", nargs="*", default=SHAPES, metavar=",".join(SIZES).upper(), help="what is trained")
    command.add_argument("--chunk-frames", type=int, default=8, help="frames whose logits seqcfg has at the same time")
    command.add_argument("--seconds", type=float, default=5.0, help="of each turn of training, and of passes over sounds")
    command.add_argument("--turns", type=int, default=3, help="of each tool after one to warm up; medians count")
    command.add_argument("--threads", type=int, default=1, help="threads of each tool; 0 for as many as it likes")
    command.add_argument("--peer", metavar="PYTHON", help="a Python that has torch and torchaudio")
    command.add_argument("--run", help="folder of a run with a transducer, whose searches and streams are measured, too")
    command.add_argument("--checkpoint", default="best", help="of the run: best, last, average:N or a step number")
    command.add_argument("--input", help="sounds for the run: a file, a folder, or a manifest")
    command.add_argument("--sounds", type=int, default=64, help="how many of them")
    command.add_argument("--searches", nargs="+", default=SEARCHES, help="values of decoding.search")
    command.add_argument("--chunk-ms", type=float, nargs="+", default=[320.0], help="lengths of chunks of a stream, in ms of sound")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Frames per own CPU-second and memory of a transducer's training step, beside torchaudio's loss; and a run's searches."""
    use_threads(options.threads)
    if len(options.shapes) > 1:  # a peak of memory is one process's
        result: dict[str, Any] = {"rows": [_alone(options, shape) for shape in options.shapes]}
    else:
        result = {"rows": [_row(options, shape) for shape in options.shapes]}
    if not options.run:
        return result
    own = {"set": [], "batches": [1, 16], "threads": 0}
    asked = [argparse.Namespace(**vars(options) | own | {"set": [f"decoding.search={search}"]}) for search in options.searches]
    return result | {"run": [recognition.measure(one) for one in asked]}


def _alone(options: argparse.Namespace, shape: str) -> dict[str, Any]:
    """The row of one shape, measured by a process of its own."""
    program = str(Path(__file__).resolve().parents[1] / "bench")
    numbers = [f"--{name}={getattr(options, name.replace('-', '_'))}" for name in ("chunk-frames", "seconds", "turns", "threads")]
    call = [sys.executable, program, "transducer", "--shapes", shape, *numbers, *(["--peer", options.peer] if options.peer else [])]
    done = subprocess.run(call, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout)["result"]["rows"][0])


def _row(options: argparse.Namespace, shape: str) -> dict[str, Any]:
    order = dict(zip(SIZES, map(int, shape.split(",")), strict=True)) | {"threads": options.threads}
    ours, weights = _ours(options, order)
    tools: dict[str, Callable[[float], dict[str, float]]] = {"seqcfg": ours}
    row: dict[str, Any] = order | {"chunk_frames": options.chunk_frames, "weights": {"seqcfg": weights}}
    process = None
    if options.peer:
        process = subprocess.Popen([options.peer, str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        row["weights"]["torchaudio"] = ask(process, order)["weights"]
        tools["torchaudio"] = lambda seconds: ask(process, seconds)
    turns = in_turns(tools, options.turns, options.seconds)
    if process is not None:
        process.communicate()
    frames = order["batch"] * order["frames"]
    rates = {name: statistics.median(one["updates"] * frames / one["cpu_seconds"] for one in seen) for name, seen in turns.items()}
    row["frames_per_cpu_second"] = {name: round(rate) for name, rate in rates.items()}
    row["mib_over_the_libraries"] = {name: round(max(one["mib"] for one in seen), 1) for name, seen in turns.items()}
    return row | ({"ratio": round(rates["seqcfg"] / rates["torchaudio"], 3)} if options.peer else {})


def _ours(options: argparse.Namespace, order: dict[str, Any]) -> tuple[Callable[[float], dict[str, float]], int]:
    """A function of seconds that trains so long, and the number of weights."""
    from seqcfg.component.reserved_ids import END
    from seqcfg.layers.create import initial_values, view
    from seqcfg.layers.embedding import Embedding
    from seqcfg.layers.recurrent.lstm import LSTM
    from seqcfg.layers.sequence import Sequence
    from seqcfg.lazy import tf
    from seqcfg.losses.transducer import TransducerLoss
    from seqcfg.models.transducer import Transducer
    from seqcfg.plan.declaration import declare
    from seqcfg.plan.memory import MIB
    from seqcfg.plan.table import total
    from seqcfg.runs.machine import peak_bytes, resident_bytes

    width, rows = order["width"], order["batch"]
    parts: Any = {"encoder": LSTM(units=width), "embedding": Embedding(dim=width), "prediction": LSTM(units=width), "joint_width": width}
    model = Transducer(**parts, loss=TransducerLoss(chunk_frames=options.chunk_frames))
    declaration = declare(model, order["features"], order["vocabulary"])
    values = {path: tf.Variable(value) for path, value in initial_values(declaration, 1).items()}
    x = tf.random.stateless_normal([rows, order["frames"], order["features"]], [1, 2])
    ids = tf.random.stateless_uniform([rows, order["labels"]], [3, 4], 4, order["vocabulary"], tf.int32)
    ids, lengths = tf.pad(ids, [[0, 0], [0, 1]], constant_values=END), tf.fill([rows], order["labels"] + 1)

    @tf.function(input_signature=[tf.TensorSpec([None, None, order["features"]]), tf.TensorSpec([None, None], tf.int32)])
    def update(x: Any, ids: Any) -> None:
        with tf.GradientTape() as tape:
            w = view(declaration, values, training=True, seed=tf.constant([1, 2]))
            found = model.losses(w, Sequence(x, tf.ones(tf.shape(x)[:2], tf.bool)), ids, lengths)["loss"]
            loss = found.total / found.weight
        for path, gradient in tape.gradient(loss, values).items():
            values[path].assign_sub(1e-3 * tf.convert_to_tensor(gradient))

    before = resident_bytes()

    def run(seconds: float) -> dict[str, float]:
        start, cpu, updates = time.monotonic(), time.process_time(), 0
        while time.monotonic() - start < seconds or not updates:
            update(x, ids)
            updates += 1
        return {"updates": updates, "cpu_seconds": time.process_time() - cpu, "mib": (peak_bytes() - before) / MIB}

    return run, total(declaration)
