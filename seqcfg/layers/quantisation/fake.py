"""Fake quantisation: a model in floating point that computes what its integers will."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.quantisation.products import Apply, Noted, Products
from seqcfg.layers.quantisation.rounding import rounded_activation, rounded_weight
from seqcfg.layers.quantisation.settings import Domain, Quantisation, tables_of
from seqcfg.lazy import tf
from seqcfg.plan.declaration import RANGES

SAMPLED_ROWS = 64  # of a loss that multiplies by itself: so many show the range of its results


class FakeProducts(Products):
    """Takes the place of products (`View.product`) in a model with quantisation-aware training.

    In training it tracks ranges, through `context.updates`, and rounds from `start_step` on; elsewhere it rounds to the ranges
    as they are, and leaves alone what has none yet. In the body of a loop ranges are those of the update before: what its turns
    see moves them afterwards.
    """

    def __init__(self, settings: Quantisation, tree: dict[str, Any], context: Any, *, is_tracked: bool, is_noting: bool = False):
        self._settings, self._tree, self._context, self._is_tracked = settings, tree, context, is_tracked
        self._notes = Noted() if is_noting else None
        self._seen: dict[str, Any] = {}  # of this step: a layer that is used twice sees both

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any, apply: Any) -> Any:
        domain = self._settings.domain_of(place)
        y = apply(x, kernel) if domain is None else self._multiplied(place, x, self._kernel(kernel, domain), apply, domain)
        return y if bias is None else tf.nn.bias_add(y, bias)

    def kernel(self, place: str, kernel: Any) -> Any:
        domain = self._settings.domain_of(place)
        return kernel if domain is None else self._kernel(kernel, domain)

    def times(self, place: str, x: Any, kernel: Any, apply: Apply) -> Any:
        domain = self._settings.domain_of(place)
        return apply(x, kernel) if domain is None else self._multiplied(place, x, kernel, apply, domain)

    def _multiplied(self, place: str, x: Any, kernel: Any, apply: Apply, domain: Domain) -> Any:
        y = apply(self._input(place, x, domain), kernel)
        if self._notes is not None and domain.activations is not None:
            self._notes.see(place, x, y)
        return self._activation(place, "result", y, y, domain)

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
        return FakeProducts(
            self._settings, self._tree, self._context, is_tracked=False, is_noting=self._is_tracked or self._notes is not None
        )

    def notes(self, place: str) -> bool:
        domain = self._settings.domain_of(place)
        return self._notes is not None and domain is not None and domain.activations is not None

    @property
    def noted(self) -> dict[str, Any]:
        return {} if self._notes is None else self._notes.ranges

    def after_loop(self, noted: dict[str, Any]) -> None:
        seen = Noted()
        for place, turns in noted.items():
            seen.see_turns(place, turns)
            for what, part in (("input", slice(0, 2)), ("result", slice(2, 4))):
                self._track(place, what, *tf.unstack(seen.ranges[place][part]))

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
        before = tf.cast(self._tree[RANGES + place], tf.float32)[slice(0, 2) if what == "input" else slice(2, 4)]
        if not self._is_tracked:
            return before
        return self._track(place, what, tf.stop_gradient(tf.reduce_min(x)), tf.stop_gradient(tf.reduce_max(x)))

    def _track(self, place: str, what: str, low: Any, high: Any) -> Any:
        """[low, high] of the input, or of the result, moved by what this step has shown."""
        path, key = RANGES + place, f"{place}/{what}"
        both, half = tf.cast(self._tree[path], tf.float32), slice(0, 2) if what == "input" else slice(2, 4)
        if key in self._seen:
            low, high = tf.minimum(low, self._seen[key][0]), tf.maximum(high, self._seen[key][1])
        self._seen[key] = low, high
        new = self._moved(both[half], tf.stack([low, high]))
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
    """The tree {path: tensor} with tables rounded, which are looked up as well as multiplied."""
    rounded = {}
    for place, path in tables_of(declaration).items():
        domain = settings.domain_of(place)
        if domain is not None and domain.weights is not None:
            value = tf.convert_to_tensor(tree[path])
            rounded[path] = after_start(settings, context, rounded_weight(value, domain.weights, 0), value)
    return tree | rounded


def after_start(settings: Quantisation, context: Any, rounded: Any, plain: Any) -> Any:
    """What is rounded, in training from `start_step` on; the model that is evaluated is always rounded."""
    if not context.training or context.step is None or not settings.aware or not settings.aware.start_step:
        return rounded
    return tf.where(context.step >= settings.aware.start_step, rounded, plain)
