"""The training step: (state, batch, step number) -> (state, measurements), the same for every task."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.create import view
from seqcfg.lazy import tf
from seqcfg.training.settings import Learner, Training
from seqcfg.training.state import State, assign_weights

MEASURED = ("total", "weight", "nll", "positions", "tokens", "norm", "rate", "examples")
LATEST = ("norm", "rate")  # of these the last value counts, not the sum


class TrainingStep:
    """Runs updates inside TensorFlow; `run` traces once, whatever the batch shapes are (without XLA)."""

    def __init__(self, task: Any, declaration: Any, training: Training, state: State):
        self._task, self._declaration, self._training, self._state = task, declaration, training, state
        self._learners = training.all_learners()
        self._paths = assign_weights(declaration, training)
        self.stop = tf.Variable(False, trainable=False)  # set from outside, it ends a call after the update at work
        self.run = tf.function(self._run, autograph=False)
        self._sums = tf.function(self._loss_sums, autograph=False, jit_compile=True) if training.xla else self._loss_sums

    def _run(self, iterator: Any, count: Any) -> dict[str, Any]:
        """`count` updates, or fewer: a call ends early after one that was skipped, and when `stop` is set.

        Returns sums over them, the last one's rate and gradient norm, and "each" [updates, len(MEASURED)] with what
        every single one measured.
        """
        skipped = self._state.skipped.read_value()
        each = tf.TensorArray(tf.float32, size=count, element_shape=[len(MEASURED)])

        def goes_on(index: Any, _: Any) -> Any:
            return (index < count) & ~self.stop.read_value() & (self._state.skipped.read_value() == skipped)

        def body(index: Any, each: Any) -> tuple[Any, Any]:
            with tf.control_dependencies([index]):
                seen = self._update(iterator)
            return index + 1, each.write(index, tf.stack([seen[name] for name in MEASURED]))

        done, each = tf.while_loop(goes_on, body, (0, each), parallel_iterations=1)
        rows = each.stack()[:done]
        sums = dict(zip(MEASURED, tf.unstack(tf.reduce_sum(rows, 0)), strict=True))
        return sums | {name: tf.reduce_sum(rows[-1:, MEASURED.index(name)]) for name in LATEST} | {"each": rows}

    def _update(self, iterator: Any) -> dict[str, Any]:
        """One update from `accumulate_batches` batches."""
        step = self._state.step.read_value()
        gradients, seen, updates = self._sums(iterator.get_next(), step, 0)
        for part in range(1, self._training.accumulate_batches):
            more_gradients, more_seen, updates = self._sums(iterator.get_next(), step, part)
            gradients, seen = tf.nest.map_structure(tf.add, (gradients, seen), (more_gradients, more_seen))
        norms = [self._learn(name, gradients[name], seen[f"weight/{name}"], step) for name in self._learners]
        for path, value in updates.items():
            self._state.weights[path].assign(value)
        self._track_average()
        self._state.step.assign_add(1)
        rate = next(iter(self._learners.values())).schedule(step)
        return seen | {"norm": tf.linalg.global_norm(norms), "rate": rate}

    def _loss_sums(self, batch: dict[str, Any], step: Any, part: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """({learner: gradients of its summed loss}, sums, new values of untrained weights) of one batch."""
        seed = tf.stack([tf.constant(self._training.seed, tf.int32), tf.cast(step, tf.int32) * self._training.accumulate_batches + part])
        tree = {path: variable.read_value() for path, variable in self._state.weights.items()}
        with tf.GradientTape(persistent=len(self._learners) > 1, watch_accessed_variables=False) as tape:
            tape.watch([tree[path] for paths in self._paths.values() for path in paths])
            w = view(self._declaration, tree, training=True, seed=seed, dtype=self._training.precision)
            losses = self._task.losses(w, batch)
        gradients = {}
        for name, learner in self._learners.items():
            sources = [tree[path] for path in self._paths[name]]
            unconnected = tf.UnconnectedGradients.ZERO
            found = tape.gradient(losses[learner.loss].total, sources, unconnected_gradients=unconnected)
            gradients[name] = [tf.convert_to_tensor(gradient) for gradient in found]
        first = losses[next(iter(self._learners.values())).loss]
        seen = {f"weight/{name}": losses[learner.loss].weight for name, learner in self._learners.items()}
        seen |= {"total": first.total, "weight": first.weight, "nll": first.metrics.get("nll", first.total)}
        return gradients, seen | _batch_sizes(batch), w.context.updates

    def _learn(self, name: str, gradients: list[Any], weight: Any, step: Any) -> Any:
        """Applies one learner's mean gradient; returns its norm before clipping."""
        learner = self._learners[name]
        share = 1.0 / tf.maximum(weight, 1.0)
        gradients = [gradient * share for gradient in gradients]
        norm = tf.linalg.global_norm(gradients)
        gradients = _clipped(learner, gradients, norm)
        takes_part = tf.math.floormod(step - learner.offset_steps, learner.every_steps) == 0
        is_finite = tf.math.is_finite(norm)

        def apply() -> Any:
            scalars = learner.optimizer.scalars(learner.schedule(step), tf.cast(step, tf.int64) // learner.every_steps)
            for path, gradient in zip(self._paths[name], gradients, strict=True):
                self._apply(name, learner, path, gradient, scalars)
            return tf.constant(0, tf.int64)

        def leave() -> Any:
            return tf.where(is_finite, tf.constant(0, tf.int64), tf.constant(1, tf.int64))

        self._state.skipped.assign_add(tf.cond(is_finite & takes_part, apply, leave))
        return norm

    def _apply(self, name: str, learner: Learner, path: str, gradient: Any, scalars: dict[str, Any]) -> None:
        variable = self._state.weights[path]
        slots = {slot: variables[path] for slot, variables in self._state.slots[name].items() if path in variables}
        values = {slot: slot_variable.read_value() for slot, slot_variable in slots.items()}
        value, values = learner.optimizer.update(gradient, variable.read_value(), values, scalars)
        variable.assign(value)
        for slot, slot_variable in slots.items():
            slot_variable.assign(values[slot])

    def _track_average(self) -> None:
        """average = d average + (1 - d) weight with d = min(decay, (1 + t) / (10 + t)), so that early values fade."""
        if not self._state.average:
            return
        t = tf.cast(self._state.step.read_value(), tf.float32)
        decay = tf.minimum(self._training.ema_decay, (1.0 + t) / (10.0 + t))
        for path, variable in self._state.average.items():
            variable.assign(decay * variable + (1.0 - decay) * self._state.weights[path])


def _clipped(learner: Learner, gradients: list[Any], norm: Any) -> list[Any]:
    if learner.clip.value is not None:
        gradients = [tf.clip_by_value(gradient, -learner.clip.value, learner.clip.value) for gradient in gradients]
    if learner.clip.norm is not None:
        factor = learner.clip.norm / tf.maximum(norm, learner.clip.norm)
        gradients = [gradient * factor for gradient in gradients]
    return gradients


def _batch_sizes(batch: dict[str, Any]) -> dict[str, Any]:
    """Positions computed, positions that are real, and examples, over the ragged features of a batch."""
    lengths = {name: value for name, value in batch.items() if name.endswith("_length")}
    positions = tf.add_n([tf.cast(tf.size(batch[name.removesuffix("_length")]), tf.float32) for name in lengths] or [tf.constant(0.0)])
    tokens = tf.add_n([tf.cast(tf.reduce_sum(value), tf.float32) for value in lengths.values()] or [tf.constant(0.0)])
    first = next(iter(lengths.values()), tf.zeros([0], tf.int32))
    return {"positions": positions, "tokens": tokens, "examples": tf.reduce_sum(tf.cast(first > 0, tf.float32))}
