"""How much of what this machine's float32 matrix products could do a training step does."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import Any

TIMED_SECONDS = 0.1  # of one measurement of one product
TIMES = 3


def share(experiment: Any, windows: list[dict[str, float]]) -> dict[str, Any]:
    """Floating-point operations per own CPU-second that a recipe's windows of training needed, and what products alone reach.

    Real positions count, padding does not. The limit is that of products in the shapes of the model's kernels and logits, each
    weighted with the operations that the model spends in that shape, measured in this process.
    """
    from seqcfg.plan.work import flops

    batch = _usual_batch(experiment, windows)
    needed = flops(experiment.declaration, batch)
    steps = sum(window["steps"] for window in windows) * experiment.recipe.training.accumulate_batches
    reached = needed * steps / sum(window["cpu_seconds"] for window in windows)
    limit, shapes = _limit(experiment, batch)
    return {
        "flops_per_step": round(needed * experiment.recipe.training.accumulate_batches),
        "flops_per_second": round(reached),
        "matmul_limit": round(limit),
        "share": round(reached / limit, 3),
        "products": shapes,
    }


def _usual_batch(experiment: Any, windows: list[dict[str, float]]) -> Any:
    """The mean batch of some windows: as many rows as examples, of their mean length."""
    from seqcfg.plan.walk import Batch

    batches = sum(window["steps"] for window in windows) * experiment.recipe.training.accumulate_batches
    examples, weight, tokens = (sum(window[name] for window in windows) for name in ("examples", "weight", "tokens"))
    source = (tokens - weight) if "audio" in experiment.recipe.task.features() or tokens > weight else tokens
    return Batch(round(examples / batches), round(source / examples), round(weight / examples))


def _limit(experiment: Any, batch: Any) -> tuple[float, dict[str, float]]:
    """(operations per CPU-second, {shape: 10^9 of them per CPU-second})."""
    wanted: Counter[tuple[int, int, int]] = Counter()
    positions = batch.rows * batch.text
    for weight in experiment.declaration.all_weights():
        if len(weight.shape) != 2:
            continue
        rows, columns = weight.shape
        if weight.axes and weight.axes[0] == "vocabulary":  # read back: logits of one chunk of positions
            chunk = getattr(getattr(experiment.recipe.task, "loss", None), "chunk_positions", positions)
            wanted[min(chunk, positions), columns, rows] += rows * columns
        else:
            wanted[positions, rows, columns] += rows * columns
    rates = {shape: _rate(*shape) for shape in wanted}
    seconds = sum(size / rates[shape] for shape, size in wanted.items())
    told = {"x".join(map(str, shape)): round(rate / 1e9, 1) for shape, rate in rates.items()}
    return sum(wanted.values()) / seconds, told


def _rate(rows: int, inner: int, columns: int) -> float:
    """Operations per own CPU-second of [rows, inner] times [inner, columns]: the median of some measurements."""
    from seqcfg.lazy import tf

    left, right = (tf.random.stateless_normal(shape, [1, 2]) for shape in ([rows, inner], [inner, columns]))
    tf.matmul(left, right)
    rates = []
    for _ in range(TIMES):
        count, cpu = 0, time.process_time()
        while not count or time.process_time() - cpu < TIMED_SECONDS:
            tf.matmul(left, right)
            count += 1
        rates.append(2.0 * rows * inner * columns * count / (time.process_time() - cpu))
    return statistics.median(rates)
