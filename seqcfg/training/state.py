"""Everything that training changes, as variables under stable names."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Any

from seqcfg.errors import UserError
from seqcfg.layers.create import initial_values
from seqcfg.lazy import tf
from seqcfg.training.adapters import DOWN, UP
from seqcfg.training.pruning import MASK, pruned_weights


@dataclasses.dataclass(frozen=True)
class State:
    """weights: {path: variable}; slots: {learner: {slot: {path: variable}}}; average: {path: variable} or empty;

    adapters: {path#part: variable}; masks: {path#mask: bool variable}, False where weights were pruned;
    numbers: {name: scalar variable}, what schedules, skipping, loss scaling and pruning keep;
    step: int64 scalar, finished updates; skipped: int64 scalar, updates that were left out.
    """

    weights: dict[str, Any]
    slots: dict[str, dict[str, dict[str, Any]]]
    average: dict[str, Any]
    step: Any
    skipped: Any
    adapters: dict[str, Any] = dataclasses.field(default_factory=dict)
    numbers: dict[str, Any] = dataclasses.field(default_factory=dict)
    masks: dict[str, Any] = dataclasses.field(default_factory=dict)

    def variables(self) -> dict[str, Any]:
        """All of them under the names that checkpoints use."""
        named = {f"weights/{path}": variable for path, variable in self.weights.items()}
        named |= {f"average/{path}": variable for path, variable in self.average.items()}
        named |= {f"adapters/{name}": variable for name, variable in self.adapters.items()}
        named |= {f"masks/{name}": variable for name, variable in self.masks.items()}
        for learner, slots in self.slots.items():
            for slot, variables in slots.items():
                named |= {f"slots/{learner}/{slot}/{path}": variable for path, variable in variables.items()}
        named |= {f"numbers/{name}": variable for name, variable in self.numbers.items()}
        return named | {"state/step": self.step, "state/skipped": self.skipped}

    def parameters(self) -> dict[str, Any]:
        """What learners change, by the names that `assign_weights` uses."""
        return self.weights | self.adapters

    def under(self, prefix: str) -> dict[str, Any]:
        """The numbers whose names begin with this, by the rest of their names."""
        return {name.removeprefix(prefix): variable for name, variable in self.numbers.items() if name.startswith(prefix)}


def create_state(declaration: Any, training: Any) -> State:
    """The state before the first step. Under a strategy, call it in its scope."""
    values = initial_values(declaration, training.seed)
    weights = {path: tf.Variable(value, name=path.replace("/", "."), trainable=False) for path, value in values.items()}
    adapters = _adapters(declaration, training)
    assigned = assign_weights(declaration, training)
    parameters = weights | adapters
    slots = {name: _slots(learner.optimizer, assigned[name], parameters) for name, learner in training.all_learners().items()}
    averages = training.ema_decay or training.weight_averaging is not None
    average = {path: tf.Variable(values[path], trainable=False) for path in weights} if averages else {}
    step, skipped = (tf.Variable(0, dtype=tf.int64, trainable=False) for _ in range(2))
    pruned = pruned_weights(training.pruning, declaration)
    masks = {path + MASK: tf.Variable(tf.ones(weights[path].shape, tf.bool), trainable=False) for path in pruned}
    return State(weights, slots, average, step, skipped, adapters, _numbers(training), masks)


def _adapters(declaration: Any, training: Any) -> dict[str, Any]:
    if training.adapters is None:
        return {}
    paths = set(training.adapters.paths(declaration))
    if not paths:
        raise UserError(f"training.adapters matches no matrix by {training.adapters.weights}", hint="seqcfg plan lists the weights")
    starts = [training.adapters.start(weight, training.seed) for weight in declaration.all_weights() if weight.path in paths]
    return {name: tf.Variable(value, trainable=False) for start in starts for name, value in start.items()}


def _slots(optimizer: Any, names: list[str], parameters: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{slot: {name: variable}}; a slot may be kept for some of the weights only."""
    made: dict[str, dict[str, Any]] = {}
    for name in names:
        for slot, kept in optimizer.slots(tuple(parameters[name].shape)).items():
            made.setdefault(slot, {})[name] = tf.Variable(tf.fill(kept.shape, kept.start), trainable=False)
    return made


def _numbers(training: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, learner in training.all_learners().items():
        for key, start in learner.skip.numbers().items():
            made[f"skip/{name}/{key}"] = tf.Variable(start, dtype=tf.float32, trainable=False)
        for key, start in learner.schedule.memory().items():
            made[f"schedule/{name}/{key}"] = tf.Variable(start, dtype=tf.float64, trainable=False)
    if training.pruning:
        made["pruning/sparsity"] = tf.Variable(0.0, trainable=False)
    if training.precision == "float16":
        for key, start in training.loss_scale.numbers().items():
            made[f"loss_scale/{key}"] = tf.Variable(start, dtype=tf.float32, trainable=False)
    return made


def assign_weights(declaration: Any, training: Any) -> dict[str, list[str]]:
    """{learner: names of what it changes}: paths of weights, or path#down and path#up where a weight has an adapter.

    Raises UserError where two learners claim a weight or none is left.
    """
    trainable = [weight.path for weight in declaration.all_weights() if weight.trainable]
    adapted = set(training.adapters.paths(declaration)) if training.adapters is not None else set()
    trainable = [path for path in trainable if path in adapted or not _matches(path, training.frozen)]
    claimed: dict[str, str] = {}
    assigned: dict[str, list[str]] = {}
    for name, learner in training.all_learners().items():
        paths = [path for path in trainable if _matches(path, learner.weights)]
        if not paths:
            raise UserError(f"training: learner {name!r} matches no weight by {learner.weights}", hint="seqcfg plan lists the weights")
        for path in paths:
            if claimed.setdefault(path, name) != name:
                both = f"learners {claimed[path]!r} and {name!r} both claim {path}"
                raise UserError(f"training: {both}", hint="make their patterns exclusive")
        assigned[name] = [part for path in paths for part in ((path + DOWN, path + UP) if path in adapted else (path,))]
    return assigned


def _matches(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
