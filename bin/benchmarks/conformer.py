#!/usr/bin/env python3
"""Training speed of the Conformer of recipes/bases, and of a plain PyTorch one of the same shapes, measured in turns."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers import ask, in_turns
from benchmarks.threads import use_threads

PEER = Path(__file__).resolve().parent / "torch_conformer.py"
SIZES = {"width": 144, "hidden": 576, "heads": 4, "blocks": 4, "kernel_size": 31, "channels": 144}


def add_options(command: argparse.ArgumentParser) -> None:
    for name, size in SIZES.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=int, default=size, help=f"{size} when left out")
    command.add_argument("--batch", type=int, default=8, help="utterances of a batch")
    command.add_argument("--frames", type=int, default=600, help="frames of an utterance, of 80 features")
    command.add_argument("--dropout", type=float, default=0.1, help="probability of a 0 wherever the recipe has dropout")
    command.add_argument("--precision", default="float32", help="compute dtype of seqcfg")
    command.add_argument("--xla", action="store_true", help="compile seqcfg's step with XLA")
    command.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    command.add_argument("--turns", type=int, default=3, help="of each tool after one to warm up; medians count")
    command.add_argument("--threads", type=int, default=1, help="threads of either tool; 0 for as many as it likes")
    command.add_argument("--peer", help="a Python that has torch; left out, only seqcfg is measured")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Frames per own CPU-second of training the Conformer of recipes/bases, and a plain PyTorch one of the same shapes."""
    order = {name: getattr(options, name) for name in (*SIZES, "batch", "frames", "dropout", "threads")}
    order |= {"features": 80, "classes": 64}
    ours, weights = _ours(options, order)
    tools: dict[str, Callable[[float], dict[str, float]]] = {"seqcfg": ours}
    result: dict[str, Any] = {"sizes": order, "weights": {"seqcfg": weights}, "xla": options.xla, "precision": options.precision}
    process = None
    if options.peer:
        process = subprocess.Popen([options.peer, str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        result["weights"]["torch"] = ask(process, order)["weights"]
        tools["torch"] = lambda seconds: ask(process, seconds)
    turns = in_turns(tools, options.turns, options.seconds)
    if process is not None:
        process.communicate()
    frames = options.batch * options.frames
    for name, seen in turns.items():
        for per in ("cpu_second", "second"):
            rate = statistics.median(one["updates"] * frames / one[f"{per}s"] for one in seen)
            result.setdefault(f"frames_per_{per}", {})[name] = round(rate)
    if options.peer:
        rates = result["frames_per_cpu_second"]
        result["ratio"] = round(rates["seqcfg"] / rates["torch"], 3)
    return result


def _ours(options: argparse.Namespace, order: dict[str, Any]) -> tuple[Callable[[float], dict[str, float]], int]:
    """A function of seconds that trains so long, and the number of trained weights."""
    from seqcfg.layers.composition.sequential import Sequential
    from seqcfg.layers.create import initial_values, view
    from seqcfg.layers.dense import Dense
    from seqcfg.layers.sequence import Sequence
    from seqcfg.lazy import tf
    from seqcfg.optimizers.adam import Adam
    from seqcfg.plan.declaration import declare
    from seqcfg.plan.table import total
    from seqcfg.recipe import shipped
    from seqcfg.recipe.experiment import load

    use_threads(options.threads)
    sizes = [f"vars.{'subsampling_channels' if name == 'channels' else name}={getattr(options, name)}" for name in SIZES]
    recipe = load(str(shipped.find("bases/conformer")), [*sizes, f"vars.dropout={options.dropout}"], allow_base=True).recipe
    declaration = declare(Sequential(layers=[recipe.task.model.encoder, Dense(units=order["classes"])]), order["features"])
    values = {path: tf.Variable(value) for path, value in initial_values(declaration, 1).items()}
    trained = [weight.path for weight in declaration.all_weights() if weight.trainable]
    adam = Adam()
    slots = {path: {name: tf.Variable(tf.fill(s.shape, s.start)) for name, s in adam.slots(values[path].shape).items()} for path in trained}
    x = tf.random.stateless_normal([options.batch, options.frames, order["features"]], [1, 2])
    mask = tf.ones(x.shape[:2], tf.bool)
    labels = tf.random.stateless_uniform([options.batch, -(-options.frames // 4)], [3, 4], 0, order["classes"], tf.int32)
    steps = tf.Variable(0)

    @tf.function(jit_compile=options.xla)
    def update() -> None:
        tree = {path: value.read_value() for path, value in values.items()}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([tree[path] for path in trained])
            w = view(declaration, tree, training=True, seed=tf.stack([1, steps.read_value()]), dtype=options.precision)
            logits = tf.cast(w(Sequence(tf.cast(x, options.precision), mask)).values, tf.float32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        scalars = adam.scalars(tf.constant(1e-4), steps)
        for path, gradient in zip(trained, tape.gradient(loss, [tree[path] for path in trained]), strict=True):
            kept = {name: slot.read_value() for name, slot in slots[path].items()}
            value, kept = adam.update(tf.convert_to_tensor(gradient), tree[path], kept, scalars)
            values[path].assign(value)
            for name, new in kept.items():
                slots[path][name].assign(new)
        for path, value in w.context.updates.items():
            values[path].assign(value)
        steps.assign_add(1)

    def run(seconds: float) -> dict[str, float]:
        start, cpu, updates = time.monotonic(), time.process_time(), 0
        while time.monotonic() - start < seconds or not updates:
            update()
            updates += 1
        int(steps)  # waits for the last
        return {"updates": updates, "cpu_seconds": time.process_time() - cpu, "seconds": time.monotonic() - start}

    return run, total(declaration, only_trainable=True)
