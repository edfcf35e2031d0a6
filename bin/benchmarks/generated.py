"""Batches of one shape made up at random, for measurements that no corpus is needed for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

ENDLESS = 2**31 - 1  # more batches than anybody measures
QUIET = 0.1  # deviation of sounds, in full scale


def dataset(experiment: Any, batch: Any) -> Any:
    """Endlessly the same batch of a recipe's features, all rows of full length: `batch` is a `seqcfg.plan.walk.Batch`."""
    from seqcfg.data.loader import PARALLEL_LOADS, PREFETCHED_BATCHES, batched, signature
    from seqcfg.lazy import np, tf

    features = experiment.recipe.task.features()
    drawn, arrays = np.random.default_rng(1), {}
    for name, feature in batched(features).items():
        if feature.dtype == "float32":
            arrays[name] = (QUIET * drawn.standard_normal([batch.rows, batch.source, *feature.frame])).astype("float32")
        else:
            length = batch.source if name == "source" else batch.text
            arrays[name] = drawn.integers(4, experiment.vocabularies[feature.tokenizer], [batch.rows, length]).astype("int32")
        arrays[f"{name}_length"] = np.full([batch.rows], arrays[name].shape[1], "int32")
    specs = signature(features)

    def load(number: Any) -> dict[str, Any]:
        types = [spec.dtype for spec in specs.values()]
        values = tf.numpy_function(lambda _: [arrays[name] for name in specs], [number], types, stateful=False)
        return {name: tf.ensure_shape(value, spec.shape) for value, (name, spec) in zip(values, specs.items(), strict=True)}

    made = tf.data.Dataset.range(ENDLESS).map(load, num_parallel_calls=PARALLEL_LOADS, deterministic=True)
    return made.prefetch(PREFETCHED_BATCHES)


def training(experiment: Any, batches: Any) -> Any:
    """A function that makes so many updates of a recipe from its initial weights and returns their measurements; traced once."""
    from seqcfg.lazy import tf
    from seqcfg.training.state import create_state
    from seqcfg.training.step import TrainingStep

    settings = experiment.recipe.training
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(settings.seed)
    state = create_state(experiment.declaration, settings)
    step = TrainingStep(experiment.recipe.task, experiment.declaration, settings, state)
    iterator = iter(batches)

    def run(count: int) -> dict[str, float]:
        seen = step.run(iterator, tf.constant(count))
        return {name: float(value) for name, value in seen.items() if name != "each"} | {"steps": count}

    return run


def warm_up(runs: Iterable[Callable[[int], dict[str, float]]]) -> None:
    """Two updates each, once all are built: building another one makes TensorFlow optimise the graphs before it anew."""
    for run in runs:
        for _ in range(2):
            run(1)


def window(run: Callable[[int], dict[str, float]], seconds: float) -> dict[str, float]:
    """Updates, target tokens and all of `cpu_seconds` that a function of `training` makes in so many own CPU-seconds, or a little more."""
    start, sums = time.process_time(), {"steps": 0.0, "weight": 0.0}
    while time.process_time() - start < seconds:
        seen = run(1)
        sums = {name: value + seen[name] for name, value in sums.items()}
    return sums | {"cpu_seconds": time.process_time() - start}
