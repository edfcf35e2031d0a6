"""A model cut into what a search calls: `encode` once for a sentence, `step` for each token, with every cache an explicit tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.lazy import tf

INDEX, POSITIONS, TOKENS = "index", "positions", "tokens"


def flat(state: Any, prefix: str) -> dict[str, Any]:
    """A nested dict of tensors, or of buffers that hold one, as {"prefix_key_key": tensor}; the names are Python's identifiers."""
    if not isinstance(state, dict):
        return {prefix: state[0] if isinstance(state, tuple) else state}
    return {name: value for key in state for name, value in flat(state[key], f"{prefix}_{key}".replace("-", "_")).items()}


def nested(tensors: dict[str, Any], pattern: Any, prefix: str) -> Any:
    """The inverse of `flat`: a state of the same keys as the pattern."""
    if not isinstance(pattern, dict):
        return type(pattern)(tensors[prefix]) if isinstance(pattern, tuple) else tensors[prefix]
    return {key: nested(tensors, value, f"{prefix}_{key}".replace("-", "_")) for key, value in pattern.items()}


def stepwise(stepper_of: Callable[[], Any], inputs: dict[str, Any], prepared: Callable[..., Any] = dict) -> dict[str, Any]:
    """{"encode", "step"} as concrete functions of one sentence or sound, {name: TensorSpec [1, ...]}; `prepared(**inputs)` are the task's.

    encode(**inputs, positions) -> {"fixed_...": [1, ...], "moving_...": [1, ...]}: the state, with caches for `positions` tokens.
    step(tokens [rows], index, fixed_..., moving_...) -> {"logits" [rows, vocabulary], "moving_..."}: rows are hypotheses, and the
    caller repeats and reorders those of `moving`. Caches may be longer than `index` + 1: a mask hides the rest.
    """
    seen: dict[str, Any] = {}

    def encode(**named: Any) -> dict[str, Any]:
        positions = named.pop(POSITIONS)
        seen["fixed"], seen["moving"] = stepper_of().start(prepared(**named), positions)
        return flat(seen["fixed"], "fixed") | flat(seen["moving"], "moving")

    first = _traced(encode, inputs | {POSITIONS: tf.TensorSpec([], tf.int32)})
    specs = {name: _spec(name, tensor) for name, tensor in first.structured_outputs.items()}
    specs |= {TOKENS: tf.TensorSpec([None], tf.int32), INDEX: tf.TensorSpec([], tf.int32)}

    def step(**named: Any) -> dict[str, Any]:
        fixed, moving = (nested(named, seen[part], part) for part in ("fixed", "moving"))
        moving, logits = stepper_of().step(fixed, moving, named[TOKENS], named[INDEX])
        return {"logits": logits} | flat(moving, "moving")

    return {"encode": first, "step": _traced(step, specs)}


def _spec(name: str, tensor: Any) -> Any:
    """`moving` has any number of rows; of a state's other axes those are free that are unknown when the sentence is read."""
    return tf.TensorSpec([None if name.startswith("moving") else tensor.shape[0], *tensor.shape[1:]], tensor.dtype)


def _traced(function: Any, specs: dict[str, Any]) -> Any:
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()}
    return tf.function(function, autograph=False).get_concrete_function(**named)
