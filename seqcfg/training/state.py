"""Everything that training changes, as variables under stable names."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Any

from seqcfg.errors import UserError
from seqcfg.layers.create import initial_values
from seqcfg.lazy import tf


@dataclasses.dataclass(frozen=True)
class State:
    """weights: {path: variable}; slots: {learner: {slot: {path: variable}}}; average: {path: variable} or empty;

    step: int64 scalar, finished updates; skipped: int64 scalar, updates left out because a gradient was not finite.
    """

    weights: dict[str, Any]
    slots: dict[str, dict[str, dict[str, Any]]]
    average: dict[str, Any]
    step: Any
    skipped: Any

    def variables(self) -> dict[str, Any]:
        """All of them under the names that checkpoints use."""
        named = {f"weights/{path}": variable for path, variable in self.weights.items()}
        named |= {f"average/{path}": variable for path, variable in self.average.items()}
        for learner, slots in self.slots.items():
            for slot, variables in slots.items():
                named |= {f"slots/{learner}/{slot}/{path}": variable for path, variable in variables.items()}
        return named | {"state/step": self.step, "state/skipped": self.skipped}


def create_state(declaration: Any, training: Any) -> State:
    """The state before the first step."""
    values = initial_values(declaration, training.seed)
    weights = {path: tf.Variable(value, name=path.replace("/", "."), trainable=False) for path, value in values.items()}
    assigned = assign_weights(declaration, training)
    slots = {name: _slots(learner.optimizer, assigned[name], weights) for name, learner in training.all_learners().items()}
    average = {path: tf.Variable(variable) for path, variable in weights.items()} if training.ema_decay else {}
    return State(weights, slots, average, tf.Variable(0, dtype=tf.int64), tf.Variable(0, dtype=tf.int64))


def _slots(optimizer: Any, paths: list[str], weights: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{slot: {path: variable}}; a slot may be kept for some of the weights only."""
    made: dict[str, dict[str, Any]] = {}
    for path in paths:
        for name, slot in optimizer.slots(tuple(weights[path].shape)).items():
            made.setdefault(name, {})[path] = tf.Variable(tf.fill(slot.shape, slot.start))
    return made


def assign_weights(declaration: Any, training: Any) -> dict[str, list[str]]:
    """{learner: paths of the weights it changes}; raises UserError where two learners claim a weight or none is left."""
    trainable = [weight.path for weight in declaration.all_weights() if weight.trainable]
    trainable = [path for path in trainable if not _matches(path, training.frozen)]
    claimed: dict[str, str] = {}
    assigned: dict[str, list[str]] = {}
    for name, learner in training.all_learners().items():
        assigned[name] = [path for path in trainable if _matches(path, learner.weights)]
        if not assigned[name]:
            raise UserError(f"training: learner {name!r} matches no weight by {learner.weights}", hint="seqcfg plan lists the weights")
        for path in assigned[name]:
            if claimed.setdefault(path, name) != name:
                both = f"learners {claimed[path]!r} and {name!r} both claim {path}"
                raise UserError(f"training: {both}", hint="make their patterns exclusive")
    return assigned


def _matches(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
