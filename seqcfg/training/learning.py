"""One learner's part of an update: from the summed gradient to new weights."""

from __future__ import annotations

from typing import Any

from seqcfg.distribution.assign import assign, read
from seqcfg.distribution.devices import Devices
from seqcfg.lazy import tf
from seqcfg.training.settings import Learner
from seqcfg.training.state import State


class Learning:
    """mean gradient -> penalties -> noise -> (leave out?) -> clip -> optimizer, for the weights of one learner."""

    def __init__(self, name: str, learner: Learner, names: list[str], state: State, devices: Devices):
        self._learner, self._names, self._state = learner, names, state
        self._parameters = state.parameters()
        self._numbers = state.under(f"skip/{name}/")
        self._memory = state.under(f"schedule/{name}/")
        self._slots = state.slots[name]
        self._once, self._same = devices.once, devices.same
        self._updates: dict[Any, Any] = {}

    def __call__(self, gradients: list[Any], weight: Any, step: Any, seed: Any) -> tuple[Any, Any]:
        """Changes the weights; returns (norm before clipping, whether the update was left out).

        gradients are sums over positions, weight is the sum of their weights, seed is int32 [2], of the step.
        """
        learner = self._learner
        share = 1.0 / tf.maximum(weight, 1.0)
        mean = {name: gradient * share for name, gradient in zip(self._names, gradients, strict=True)}
        if learner.penalties.l1 or learner.penalties.l2:
            mean = {name: learner.penalties.gradient(name, gradient, self._value(name)) for name, gradient in mean.items()}
        if learner.gradient_noise is not None:
            mean = learner.gradient_noise(mean, step, seed, self._same)
        norm = tf.linalg.global_norm(list(mean.values()))
        takes_part = tf.math.floormod(step - learner.offset_steps, learner.every_steps) == 0
        leaves = self._leaves(norm, takes_part)
        clipped = learner.clip(list(mean.values()), norm)
        tf.cond(takes_part & ~leaves, lambda: self._apply(clipped, step), lambda: tf.constant(0))
        return norm, takes_part & leaves

    def rate(self, step: Any) -> Any:
        """The learning rate of this step."""
        return self._learner.schedule.rate(step, {name: read(variable) for name, variable in self._memory.items()})

    def _leaves(self, norm: Any, takes_part: Any) -> Any:
        before = {name: read(variable) for name, variable in self._numbers.items()}
        leaves, after = self._learner.skip(norm, before)
        for name, value in after.items():
            assign(self._numbers[name], tf.where(takes_part, value, before[name]))
        return leaves

    def _apply(self, gradients: list[Any], step: Any) -> Any:
        learner, rate = self._learner, self.rate(step)
        scalars = learner.optimizer.scalars(rate, tf.cast(step, tf.int64) // learner.every_steps)
        scalars = {name: tf.convert_to_tensor(value) for name, value in scalars.items()}
        for name, gradient in zip(self._names, gradients, strict=True):
            slots = {slot: variables[name] for slot, variables in self._slots.items() if name in variables}
            before = {slot: read(variable) for slot, variable in slots.items()}
            decay = rate * learner.penalties.decay(name) if learner.penalties.decay(name) else None
            value, after = self._update(gradient)(gradient, self._value(name), before, scalars, decay)
            assign(self._parameters[name], value)
            for slot, variable in slots.items():
                assign(variable, after[slot])
        return tf.constant(0)

    def _update(self, gradient: Any) -> Any:
        """The optimizer's update as a function of the graph, one for all weights of a shape: a quarter of the nodes."""
        key = tuple(gradient.shape)
        if key not in self._updates:
            self._updates[key] = self._once(self._new_values)
        return self._updates[key]

    def _new_values(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any], decay: Any) -> Any:
        value, slots = self._learner.optimizer.update(gradient, weight, slots, scalars)
        return (value if decay is None else value - decay * weight), slots

    def _value(self, name: str) -> Any:
        return read(self._parameters[name])
