"""The training step: (state, batch, step number) -> (state, measurements), the same for every task."""

from __future__ import annotations

from typing import Any

from seqcfg.data.augment import augmented
from seqcfg.distribution.assign import assign, read
from seqcfg.distribution.devices import Devices
from seqcfg.errors import UserError
from seqcfg.lazy import tf
from seqcfg.training.adapters import BASE
from seqcfg.training.averaging import moving_decay
from seqcfg.training.gradients import LossGradients
from seqcfg.training.learning import Learning
from seqcfg.training.pruning import grown, masked, pruned_weights, sparsity
from seqcfg.training.settings import Training
from seqcfg.training.state import State, assign_weights

MEASURED = ("total", "weight", "nll", "positions", "tokens", "norm", "rate", "examples", "left_out")
LATEST = ("norm", "rate")  # of these the last value counts, not the sum


class TrainingStep:
    """Runs updates inside TensorFlow; `run` traces once, whatever the batch shapes are (without XLA)."""

    def __init__(
        self, task: Any, declaration: Any, training: Training, state: State, devices: Devices | None = None,
        augmentation: dict[str, list[Any]] | None = None,
    ):  # fmt: skip
        self._augmentation = augmentation or {}
        self._training, self._state, self._devices = training, state, devices or Devices()
        self._learners = training.all_learners()
        self._names = names = assign_weights(declaration, training)
        self._learning = {name: Learning(name, learner, names[name], state, self._devices) for name, learner in self._learners.items()}
        self._gradients = LossGradients(task, declaration, training, names, self._devices).compiled()
        self._adapted = training.adapters.paths(declaration) if training.adapters is not None else []
        self._pruned = pruned_weights(training.pruning, declaration)
        self._average = self._devices.once(_averaged)
        self.stop = self._devices.flag()  # set from outside, it ends a call after the update at work
        self.run = tf.function(self._run, autograph=False)
        if int(state.step.numpy()) == 0:
            for path in self._adapted:  # another run's weights may have been taken over since they were drawn
                state.adapters[path + BASE].assign(state.weights[path])

    def _run(self, iterator: Any, count: Any) -> dict[str, Any]:
        """`count` updates, or fewer: a call ends early after one that was skipped, and when `stop` is set on any process.

        Returns sums over them, the last one's rate and gradient norm, and "each" [updates, len(MEASURED)] with what
        every single one measured; "stop" says whether `stop` ended the call.
        """
        skipped = read(self._state.skipped)
        each = tf.TensorArray(tf.float32, size=count, element_shape=[len(MEASURED)])

        def goes_on(index: Any, stop: Any, _: Any) -> Any:
            return (index < count) & ~stop & (read(self._state.skipped) == skipped)

        def body(index: Any, _: Any, each: Any) -> tuple[Any, Any, Any]:
            with tf.control_dependencies([index]):
                batches = [iterator.get_next() for _ in range(self._training.accumulate_batches)]
                seen = self._devices.run(self._update, batches)
            return index + 1, seen["stop"], each.write(index, tf.stack([seen[name] for name in MEASURED]))

        start = (0, self._devices.stop_before(self.stop), each)
        done, stop, each = tf.while_loop(goes_on, body, start, parallel_iterations=1)
        rows = each.stack()[:done]
        sums = dict(zip(MEASURED, tf.unstack(tf.reduce_sum(rows, 0)), strict=True))
        return sums | {name: tf.reduce_sum(rows[-1:, MEASURED.index(name)]) for name in LATEST} | {"each": rows, "stop": stop}

    def augmented(self, batch: dict[str, Any], number: Any) -> dict[str, Any]:
        """The whole batch `number` of training after the changes that the recipe makes by chance."""
        return augmented(batch, self._augmentation, self._training.seed, number)

    def _update(self, batches: list[dict[str, Any]]) -> dict[str, Any]:
        """One update from this replica's rows of the step's batches."""
        step = read(self._state.step)
        seen = self._change(step, *self._devices.total(*self._sums(batches, step)))
        return seen | {"stop": self._devices.stop_after(self.stop)}

    def _change(self, step: Any, gradients: Any, seen: Any, updates: Any) -> dict[str, Any]:
        """What follows from sums over all batches and replicas: new weights and all else that is kept."""
        seen = self._learn(step, gradients, seen)
        self._finish(updates, step, tf.math.is_finite(seen["norm"]))
        return seen

    def _learn(self, step: Any, gradients: Any, seen: Any) -> dict[str, Any]:
        """The learners' part; returns what is measured."""
        seed = tf.stack([tf.constant(self._training.seed, tf.int32), tf.cast(step, tf.int32)])
        norms, skipped = [], tf.constant(0, tf.int64)
        for name, learning in self._learning.items():
            norm, is_left_out = learning(gradients[name], seen[f"weight/{name}"], step, seed)
            norms.append(norm)
            skipped += tf.cast(is_left_out, tf.int64)
        assign(self._state.skipped, read(self._state.skipped) + skipped)
        return seen | {"norm": tf.linalg.global_norm(norms), "rate": next(iter(self._learning.values())).rate(step)}

    def _sums(self, batches: list[dict[str, Any]], step: Any) -> tuple[Any, Any, Any]:
        """Gradients and measurements summed over this replica's part of the batches; untrained weights as the last leaves them."""
        values, scale = self._values(), self._scale()
        gradients, seen, updates = None, None, {}
        for part, batch in enumerate(batches):
            number = part * self._devices.count + self._devices.index()
            batch = self.augmented(batch, tf.cast(step, tf.int32) * len(batches) + part)
            more, more_seen, updates = self._gradients(values, self._devices.part(batch), step, number, scale)
            if gradients is None:
                gradients, seen = more, more_seen
            else:
                gradients, seen = tf.nest.map_structure(tf.add, (gradients, seen), (more, more_seen))
            values = values | updates
        return gradients, seen, updates

    def _values(self) -> dict[str, Any]:
        """{name: tensor} of all weights, adapters and masks."""
        return {name: read(variable) for name, variable in (self._state.weights | self._state.adapters | self._state.masks).items()}

    def _scale(self) -> Any:
        scaling = self._state.under("loss_scale/")
        return read(scaling["scale"]) if scaling else tf.constant(1.0)

    def _finish(self, updates: dict[str, Any], step: Any, is_finite: Any) -> None:
        """What follows the learners: statistics of layers, merged adapters, pruning, averages, the loss scale and the step."""
        state, training = self._state, self._training
        for path, value in updates.items():
            assign(state.weights[path], value)
        for path in self._adapted:
            assign(state.weights[path], training.adapters.merged(path, {name: read(v) for name, v in state.adapters.items()}))  # type: ignore[union-attr]
        done = step + 1
        masks = self._prune(done) if self._pruned else {}
        if state.average:
            keep = moving_decay(training.ema_decay, done) if training.ema_decay else 1.0 - training.weight_averaging.share(done)  # type: ignore[union-attr]
            for path, variable in state.average.items():
                new = self._average(keep, read(variable), read(state.weights[path]))
                assign(variable, masked({path: new}, masks)[path])
        if scaling := state.under("loss_scale/"):
            for name, value in training.loss_scale(is_finite, {name: read(v) for name, v in scaling.items()}).items():
                assign(scaling[name], value)
        assign(state.step, done)

    def _prune(self, done: Any) -> dict[str, Any]:
        """Sets entries of weights to 0 as their masks say after `done` updates; returns the masks."""
        state = self._state
        weights = {path: read(state.weights[path]) for path in self._pruned}
        masks = grown(self._pruned, weights, {name: read(variable) for name, variable in state.masks.items()}, done)
        for name, mask in masks.items():
            assign(state.masks[name], mask)
        for path, value in masked(weights, masks).items():
            assign(state.weights[path], value)
        assign(state.numbers["pruning/sparsity"], sparsity(masks))
        return masks

    def settle(self) -> None:
        """Brings the state's variables up to date, where the step keeps its own; to be called before they are read between calls."""

    def observe(self, step: int, metrics: dict[str, float]) -> None:
        """Tells the schedules what a validation at this step found; raises UserError where they watch another metric."""
        for name, learner in self._learners.items():
            memory = self._state.under(f"schedule/{name}/")
            if not memory:
                continue
            before = {key: float(variable.numpy()) for key, variable in memory.items()}
            try:
                after = learner.schedule.observe(before, step, metrics)
            except KeyError as missing:
                known = ", ".join(sorted(metrics))
                raise UserError(
                    f"the schedule watches the metric {missing}, which validation does not give", hint=f"it gives {known}"
                ) from None
            for key, value in after.items():
                memory[key].assign(value)

    def refuse_too_many_skipped(self) -> None:
        """Raises UserError when a learner's skip.max_in_a_row is reached."""
        for name, learner in self._learners.items():
            if counter := self._state.under(f"skip/{name}/").get("in_a_row"):
                learner.skip.refuse_too_many(name, int(counter.numpy()), int(self._state.step.numpy()))


def _averaged(keep: Any, average: Any, weight: Any) -> Any:
    return keep * average + (1.0 - keep) * weight
