"""Fake quantisation: a model in floating point that computes what its integers will."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.quantisation.rounding import rounded_activation, rounded_weight
from seqcfg.layers.quantisation.settings import Domain, Quantisation, lone_weights
from seqcfg.lazy import tf
from seqcfg.plan.declaration import RANGES

SAMPLED_ROWS = 64  # of a loss that multiplies by itself: so many show the range of its results


class FakeProducts:
    """Takes the place of products (`View.product`) in a model with quantisation-aware training.

    In training it tracks ranges, through `context.updates`, and rounds from `start_step` on; elsewhere it rounds to the ranges
    as they are, and leaves alone what has none yet.
    """

    def __init__(self, settings: Quantisation, tree: dict[str, Any], context: Any, *, is_tracked: bool):
        self._settings, self._tree, self._context, self._is_tracked = settings, tree, context, is_tracked
        self._seen: dict[str, Any] = {}  # of this step: a layer that is used twice sees both

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any, apply: Any) -> Any:
        domain = self._settings.domain_of(place)
        if domain is None:
            y = apply(x, kernel)
        else:
            y = apply(self._input(place, x, domain), self._kernel(kernel, domain))
            y = self._activation(place, "result", y, y, domain)
        return y if bias is None else tf.nn.bias_add(y, bias)

    def operands(self, place: str, x: Any, kernel: Any) -> tuple[Any, Any]:
        """x [..., dim] and kernel [dim, units], rounded; results are not, but their range is tracked by some rows."""
        domain = self._settings.domain_of(place)
        if domain is None:
            return x, kernel
        x, kernel = self._input(place, x, domain), self._kernel(kernel, domain)
        if self._is_tracked and domain.activations is not None:
            flat = tf.reshape(x, [-1, x.shape[-1]])
            some = flat[:: tf.maximum(tf.shape(flat)[0] // SAMPLED_ROWS, 1)]
            self._range(place, "result", tf.stop_gradient(tf.matmul(some, kernel)))
        return x, kernel

    def inside_loop(self) -> FakeProducts:
        """For the body of a loop, out of which no range can be carried."""
        return FakeProducts(self._settings, self._tree, self._context, is_tracked=False)

    def _input(self, place: str, x: Any, domain: Domain) -> Any:
        return self._activation(place, "input", x, x, domain)

    def _kernel(self, kernel: Any, domain: Domain) -> Any:
        return kernel if domain.weights is None else self._from_start(rounded_weight(kernel, domain.weights), kernel)

    def _activation(self, place: str, what: str, x: Any, shows: Any, domain: Domain) -> Any:
        if domain.activations is None:
            return x
        low, high = tf.unstack(self._range(place, what, shows))
        rounded = self._from_start(rounded_activation(x, low, high, domain.activations), x)
        return rounded if self._is_tracked else tf.where(low < high, rounded, x)

    def _from_start(self, rounded: Any, plain: Any) -> Any:
        return after_start(self._settings, self._context, rounded, plain)

    def _range(self, place: str, what: str, x: Any) -> Any:
        """[low, high] after this step's x was seen: of the input, or of the result."""
        path = RANGES + place
        both, half = tf.cast(self._tree[path], tf.float32), slice(0, 2) if what == "input" else slice(2, 4)
        before = both[half]
        if not self._is_tracked:
            return before
        key = f"{place}/{what}"
        low, high = tf.stop_gradient(tf.reduce_min(x)), tf.stop_gradient(tf.reduce_max(x))
        if key in self._seen:
            low, high = tf.minimum(low, self._seen[key][0]), tf.maximum(high, self._seen[key][1])
        self._seen[key] = low, high
        new = self._moved(before, tf.stack([low, high]))
        updated = self._context.updates.get(path, both)
        self._context.updates[path] = tf.concat([new, updated[2:]] if what == "input" else [updated[:2], new], 0)
        return new

    def _moved(self, before: Any, seen: Any) -> Any:
        """The range after an update: unset ones become what was seen; frozen ones, and steps with NaN, change nothing."""
        aware: Any = self._settings.aware
        is_unset = before[0] >= before[1]
        new = tf.where(is_unset, seen, aware.decay * before + (1.0 - aware.decay) * seen)
        stays = tf.logical_not(tf.reduce_all(tf.math.is_finite(seen)))
        if aware.freeze_step is not None:
            stays |= (self._context.step >= aware.freeze_step) & ~is_unset
        return tf.where(stays, before, new)


def fake_tables(settings: Quantisation, declaration: Any, tree: dict[str, Any], context: Any) -> dict[str, Any]:
    """The tree {path: tensor} with tables and kernels of loops rounded that no product rounds."""
    rounded = {}
    for place, path in lone_weights(declaration).items():
        domain = settings.domain_of(place)
        if domain is not None and domain.weights is not None:
            value = tf.convert_to_tensor(tree[path])
            is_table = ":" not in place
            rounded[path] = after_start(settings, context, rounded_weight(value, domain.weights, 0 if is_table else -1), value)
    return tree | rounded


def after_start(settings: Quantisation, context: Any, rounded: Any, plain: Any) -> Any:
    """What is rounded, in training from `start_step` on; the model that is evaluated is always rounded."""
    if not context.training or context.step is None or not settings.aware or not settings.aware.start_step:
        return rounded
    return tf.where(context.step >= settings.aware.start_step, rounded, plain)
