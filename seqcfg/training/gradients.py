"""What one batch says about the weights: sums of losses and of their gradients, so that batches and replicas can be added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqcfg.distribution.devices import Devices
from seqcfg.distribution.on_mesh import OnMesh
from seqcfg.layers.create import view
from seqcfg.lazy import tf
from seqcfg.training.pruning import MASK, masked, pruned_weights
from seqcfg.training.settings import Training


class LossGradients:
    """(values, batch, step, part, scale) -> ({learner: [gradient]}, sums, new values of untrained weights) of one batch.

    values {name: tensor} are all weights, adapters and masks, names {learner: names of what it trains}. A pure function.
    """

    def __init__(self, task: Any, declaration: Any, training: Training, names: dict[str, list[str]], devices: Devices):
        self._task, self._declaration, self._training, self._names = task, declaration, training, names
        self._num_batches = training.accumulate_batches * devices.count  # of a step
        self._devices = devices
        self._shared: dict[str, Any] = {"joins": False, "drawn": devices.same} if isinstance(devices, OnMesh) else {}
        self._learners = training.all_learners()
        self._adapted = training.adapters.paths(declaration) if training.adapters is not None else []
        self._masks = [path + MASK for path in pruned_weights(training.pruning, declaration)]
        statistics = [weight.path for weight in declaration.all_weights() if not weight.trainable]
        self._kept = {*statistics, *self._masks}  # which noise would spoil

    def compiled(self) -> Any:
        """The same as one function of the graph where it pays: compiled by XLA, or called for several batches."""
        if self._training.xla:
            return tf.function(self.__call__, autograph=False, jit_compile=True)
        return self._devices.once(self.__call__) if self._training.accumulate_batches > 1 else self

    def __call__(self, values: dict[str, Any], batch: dict[str, Any], step: Any, part: Any, scale: Any) -> tuple[Any, Any, Any]:
        """`part` numbers the batches of a step over all replicas; `scale` multiplies the mean loss, in float16 alone."""
        training = self._training
        seed, step_seed = self._seeds(step, part)
        with tf.GradientTape(persistent=len(self._learners) > 1, watch_accessed_variables=False) as tape:
            tape.watch([values[name] for names in self._names.values() for name in names])
            tree = values | {path: training.adapters.merged(path, values) for path in self._adapted}  # type: ignore[union-attr]
            if training.weight_noise is not None:
                disturbed = {path: value for path, value in tree.items() if path not in self._kept}
                tree |= training.weight_noise(disturbed, step, step_seed, self._devices.same)
            tree = masked(tree, {name: values[name] for name in self._masks})
            w = view(
                self._declaration, tree, training=True, seed=seed, step=step, dtype=training.precision,
                rematerialized=tuple(training.rematerialized), for_xla=training.xla, **self._shared,
            )  # fmt: skip
            losses = self._task.losses(w, batch)
        gradients = {name: self._gradient(tape, losses[learner.loss], values, name, scale) for name, learner in self._learners.items()}
        first = losses[next(iter(self._learners.values())).loss]
        seen = {f"weight/{name}": losses[learner.loss].weight for name, learner in self._learners.items()}
        seen |= {"total": first.total, "weight": first.weight, "nll": first.metrics.get("nll", first.total)}
        seen["left_out"] = first.metrics.get("left_out", tf.constant(0.0))
        return gradients, seen | batch_sizes(batch), dict(w.context.updates)

    def _seeds(self, step: Any, part: Any) -> tuple[Any, Any]:
        """int32 [2] seeds: of this batch, and of the step as a whole."""
        seed, step = tf.constant(self._training.seed, tf.int32), tf.cast(step, tf.int32)
        return tf.stack([seed, step * self._num_batches + part]), tf.stack([seed, step])

    def _gradient(self, tape: Any, loss: Any, values: dict[str, Any], learner: str, scale: Any) -> list[Any]:
        sources = [values[name] for name in self._names[learner]]
        weight = tf.maximum(loss.weight, 1.0)
        scaled = scale / weight if self._training.precision == "float16" else None
        found: Sequence[Any] = tape.gradient(
            loss.total, sources, output_gradients=scaled, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in found]
        return gradients if scaled is None else [gradient * (weight / scale) for gradient in gradients]


def batch_sizes(batch: dict[str, Any]) -> dict[str, Any]:
    """Positions computed, positions that are real, and examples, over the ragged features of a batch."""
    lengths = {name: value for name, value in batch.items() if name.endswith("_length")}
    positions = tf.add_n([tf.cast(tf.size(batch[name.removesuffix("_length")]), tf.float32) for name in lengths] or [tf.constant(0.0)])
    tokens = tf.add_n([tf.cast(tf.reduce_sum(value), tf.float32) for value in lengths.values()] or [tf.constant(0.0)])
    first = next(iter(lengths.values()), tf.zeros([0], tf.int32))
    return {"positions": positions, "tokens": tokens, "examples": tf.reduce_sum(tf.cast(first > 0, tf.float32))}
