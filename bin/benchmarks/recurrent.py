#!/usr/bin/env python3
"""Training speed of a stack of LSTMs, and of Keras' and PyTorch's of the same shapes, measured in turns."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers import ask, in_turns
from benchmarks.threads import use_threads

PEER = Path(__file__).resolve().parent / "recurrent_peer.py"
SIZES = ("batch", "frames", "features", "units", "layers")
SHAPES = ["32,100,240,256,2", "32,100,240,512,2", "64,50,512,1024,1", "16,200,80,128,2"]


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--shapes", nargs="+", default=SHAPES, metavar=",".join(SIZES).upper(), help="what is measured")
    command.add_argument("--bidirectional", action="store_true", help="every layer in both directions")
    command.add_argument("--masked", action="store_true", help="seqcfg is given a mask, of real positions alone")
    command.add_argument("--norm", default="none", help="norm of seqcfg's layers, which the peers lack")
    command.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    command.add_argument("--turns", type=int, default=3, help="of each tool after one to warm up; medians count")
    command.add_argument("--threads", type=int, default=1, help="threads of each tool")
    command.add_argument("--torch", metavar="PYTHON", help="a Python that has torch")
    command.add_argument("--keras", metavar="PYTHON", help="a Python that has TensorFlow with Keras 3")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Frames per own CPU-second of training a stack of LSTMs, beside Keras' LSTM and PyTorch's nn.LSTM on the same shapes."""
    use_threads(options.threads)
    return {"norm": options.norm, "rows": [_row(options, shape) for shape in options.shapes]}


def _row(options: argparse.Namespace, shape: str) -> dict[str, Any]:
    order = dict(zip(SIZES, map(int, shape.split(",")), strict=True)) | {"bidirectional": options.bidirectional, "threads": options.threads}
    tools: dict[str, Callable[[float], dict[str, float]]] = {"seqcfg": _ours(options, order)}
    processes = {}
    for name in ("torch", "keras"):
        if python := getattr(options, name):
            call = [python, str(PEER), name, json.dumps(order)]
            processes[name] = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            tools[name] = lambda seconds, process=processes[name]: ask(process, seconds)
    turns = in_turns(tools, options.turns, options.seconds)
    for process in processes.values():
        process.communicate()
    frames = order["batch"] * order["frames"]
    rates = {name: statistics.median(one["updates"] * frames / one["cpu_seconds"] for one in seen) for name, seen in turns.items()}
    ratios = {f"ratio to {name}": round(rates["seqcfg"] / rates[name], 3) for name in processes}
    return order | {"frames_per_cpu_second": {name: round(rate) for name, rate in rates.items()}} | ratios


def _ours(options: argparse.Namespace, order: dict[str, Any]) -> Callable[[float], dict[str, float]]:
    """A function of seconds that trains so long, for any number of rows and frames, as recipes are trained."""
    from seqcfg.layers.composition.sequential import Repeat
    from seqcfg.layers.create import initial_values, view
    from seqcfg.layers.recurrent.bidirectional import Bidirectional
    from seqcfg.layers.recurrent.lstm import LSTM
    from seqcfg.layers.sequence import Sequence
    from seqcfg.lazy import tf
    from seqcfg.plan.declaration import declare

    layer: Any = LSTM(units=order["units"], norm=options.norm)
    layer = Bidirectional(layer=layer) if order["bidirectional"] else layer
    declaration = declare(Repeat(times=order["layers"], layer=layer), order["features"])
    values = {path: tf.Variable(value) for path, value in initial_values(declaration, 1).items()}
    x = tf.random.stateless_normal([order["batch"], order["frames"], order["features"]], [1, 2])

    @tf.function(input_signature=[tf.TensorSpec([None, None, order["features"]])])
    def update(x: Any) -> None:
        mask = tf.ones(tf.shape(x)[:2], tf.bool) if options.masked else None
        with tf.GradientTape() as tape:
            y = view(declaration, values, training=True, seed=tf.constant([1, 2]))(Sequence(x, mask)).values
            loss = tf.reduce_mean(tf.square(y))
        for path, gradient in tape.gradient(loss, values).items():
            values[path].assign_sub(1e-3 * gradient)

    def run(seconds: float) -> dict[str, float]:
        start, cpu, updates = time.monotonic(), time.process_time(), 0
        while time.monotonic() - start < seconds or not updates:
            update(x)
            updates += 1
        return {"updates": updates, "cpu_seconds": time.process_time() - cpu}

    return run
