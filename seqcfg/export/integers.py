"""Products of matrices on integers: ranges of activations are known from training or seen on examples."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.decoding.member import as_variables
from seqcfg.errors import UserError
from seqcfg.layers.create import view
from seqcfg.layers.quantisation.products import Noted, Products
from seqcfg.layers.quantisation.rounding import SMALLEST as NARROWEST
from seqcfg.layers.quantisation.settings import Activations, Quantisation, Weights
from seqcfg.lazy import np, tf
from seqcfg.plan.declaration import RANGES

SHORT_SOUND = 8000  # samples
WIDE = Activations(bits=16, symmetric=True)
SMALLEST = 1e-30  # changes no sum but that of zeros, and no converter leaves it out


class Range(NamedTuple):
    """What a product meets: its input and its result before the bias, lowest and highest."""

    low: float
    high: float
    result_low: float
    result_high: float


def ranges_of(trained: Any, pairs: list[tuple[Any, str]]) -> dict[str, Range]:
    """{place of a product: Range}: tracked in training, or else seen over these inputs and outputs, token by token."""
    tracked = {path: array for path, array in trained.weights.items() if path.startswith(RANGES)}
    found = {path.removeprefix(RANGES): Range(*map(float, array)) for path, array in tracked.items() if array[0] < array[1]}
    if tracked and not found:
        hint = "train for some updates more: ranges are tracked from the first one on"
        raise UserError(f"{trained.folder}: training was to track the ranges of activations, and has not yet", hint=hint)
    return found or _seen_ranges(trained, pairs)


def kernels_of(trained: Any, pairs: list[tuple[Any, str]]) -> dict[str, Any]:
    """{place of a product: its kernel, as it is multiplied} as arrays; the first of the pairs is run, or a short one."""
    task = trained.experiment.recipe.task
    looking = LookedAt()
    source, target = pairs[0] if pairs else (np.zeros(SHORT_SOUND, np.float32) if task.is_of_sounds else "a", "a")
    inputs, ids, lengths = task.encode_pairs(trained.codecs, [source], [target])
    inputs = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
    weights = {path: tf.convert_to_tensor(value) for path, value in trained.weights.items()}
    task.stepper(view(trained.declaration, weights, products=looking)).logits(inputs, tf.constant(ids), tf.constant(lengths))
    return looking.kernels


def _seen_ranges(trained: Any, pairs: list[tuple[Any, str]]) -> dict[str, Range]:
    task = trained.experiment.recipe.task
    weights = as_variables(trained.weights)
    reached: dict[str, Range] = {}

    def run(inputs: dict[str, Any], ids: Any, lengths: Any) -> dict[str, Any]:
        looking = LookedOn()
        task.stepper(view(trained.declaration, weights, products=looking)).logits(inputs, ids, lengths)
        return looking.noted

    traced = None
    for source, target in pairs:
        inputs, ids, lengths = task.encode_pairs(trained.codecs, [source], [target])
        if traced is None:
            specs = {name: tf.TensorSpec([1, *[None] * (value.ndim - 1)], value.dtype) for name, value in inputs.items()}
            signature = [specs, tf.TensorSpec([1, None], tf.int32), tf.TensorSpec([1], tf.int32)]
            traced = tf.function(run, autograph=False, input_signature=signature)
        for place, found in traced(inputs, ids, lengths).items():
            reached[place] = _wider(reached.get(place), found.numpy())
    return reached


class LookedOn(Products):
    """Products in floating point, whose ranges are noted; those of a loop that carries none out of it are not."""

    def __init__(self) -> None:
        self._notes, self._graph = Noted(), tf.constant(0).graph

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any, apply: Any) -> Any:
        y = apply(x, kernel)
        if y.graph is self._graph:
            self._notes.see(place, x, y)
        return y if bias is None else tf.nn.bias_add(y, bias)

    def inside_loop(self) -> LookedOn:
        return LookedOn()

    def notes(self, place: str) -> bool:
        return True

    @property
    def noted(self) -> dict[str, Any]:
        return self._notes.ranges

    def after_loop(self, noted: dict[str, Any]) -> None:
        for place, turns in noted.items():
            self._notes.see_turns(place, turns)


class LookedAt(Products):
    """Products in floating point, whose kernels are kept as arrays."""

    def __init__(self) -> None:
        self.kernels: dict[str, Any] = {}

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any, apply: Any) -> Any:
        self.kernels[place] = kernel.numpy()
        return super().__call__(place, x, kernel, bias, apply)


def exact_products(trained: Any) -> Products | None:
    """The `products` of a view that computes in floating point: plain ones where a run was trained to be rounded, else None."""
    return Products() if getattr(trained.experiment.recipe.quantisation, "aware", None) else None


class IntegerProducts(Products):
    """Takes the place of products in graphs for converters: inputs, kernels and results are rounded as the recipe's domains say.

    Converters turn such products into integer ones. Between products everything stays in floating point. is_wide: what is rounded
    to 8 bits besides kernels is rounded to 16, around 0; convolutions are not.
    """

    def __init__(self, ranges: dict[str, Range], kernels: dict[str, Any], quantisation: Quantisation, is_wide: bool = False):
        self._ranges, self._kernels, self._quantisation, self._is_wide = ranges, kernels, quantisation, is_wide

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any, apply: Any) -> Any:
        found, domain = self._ranges.get(place), self._quantisation.domain_of(place)
        if found is None or domain is None or domain.weights is None or domain.activations is None:
            return super().__call__(place, x, kernel, bias, apply)
        if self._is_wide and (len(kernel.shape) > 2 or domain.weights.scales == "channel"):
            return super().__call__(place, x, kernel, bias, apply)  # LiteRT's 16-bit convolutions do not give what they should
        how = WIDE if self._is_wide else domain.activations
        x = _rounded(x + SMALLEST if self._is_wide else x, found.low, found.high, how)  # few operations in front have 16 bits
        y = _multiplied(x, kernel, self._kernels[place], domain.weights, apply)
        y = _rounded(y, found.result_low, found.result_high, how)
        # A sum in floating point: integers must not pass into operations behind that have none. One of zeros would be left out.
        return y + ((tf.zeros([kernel.shape[-1]]) if bias is None else bias) + SMALLEST)


class IntegerRows:
    """A table of vectors kept as integers with one scale, or one for each row; looked up row by row, or as a whole in float32.

    As a whole it holds the rounded values, of which a converter makes the same integers again, so that a file holds them once.
    """

    def __init__(self, table: Any, how: Weights):
        array, self._is_per_row = np.asarray(table, np.float32), how.scales == "channel"
        most = np.abs(array).max(axis=1, keepdims=True) if self._is_per_row else np.abs(array).max(keepdims=True)
        last = 2 ** (how.bits - 1) - 1
        self._scale = np.maximum(most, 1e-9).astype(np.float32) / np.float32(last)
        self._integers = np.clip(np.rint(array / self._scale), -last, last).astype(np.int8)
        self.dtype, self.shape = tf.float32, array.shape

    def rows(self, ids: Any) -> Any:
        """ids [...] -> [..., width] float32."""
        scale = tf.gather(tf.constant(self._scale), ids) if self._is_per_row else float(self._scale[0, 0])
        return tf.cast(tf.gather(tf.constant(self._integers), ids), tf.float32) * scale

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return tf.constant(self._integers * self._scale, dtype or tf.float32)


def _multiplied(x: Any, kernel: Any, array: Any, how: Weights, apply: Any) -> Any:
    """x times a rounded kernel, of which `array` holds the values.

    Converters take a scale for each output of convolutions alone: a matrix is one of a single tap then, of as many rows as there are.
    """
    if how.scales == "tensor":
        most = max(float(np.abs(array).max()), NARROWEST)
        return apply(x, tf.quantization.fake_quant_with_min_max_args(kernel, -most, most, num_bits=how.bits, narrow_range=True))
    most = np.maximum(np.abs(array).reshape(-1, array.shape[-1]).max(0), NARROWEST)
    as_filter = tf.constant(array.reshape(1, 1, *array.shape) if array.ndim == 2 else array)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(as_filter, -most, most, how.bits, narrow_range=True)
    if array.ndim > 2:
        return apply(x, rounded)
    rows = tf.reshape(x, [1, 1, -1, array.shape[0]])
    y = tf.reshape(tf.nn.conv2d(rows, rounded, 1, "VALID"), tf.concat([tf.shape(x)[:-1], [array.shape[1]]], 0))
    y.set_shape([*x.shape[:-1], array.shape[1]])  # TFLite has no EnsureShape
    return y


def _rounded(x: Any, low: float, high: float, how: Activations) -> Any:
    low, high = min(low, 0.0), max(high, NARROWEST)
    if how.symmetric:
        low, high = -max(-low, high), max(-low, high)
    return tf.quantization.fake_quant_with_min_max_args(x, low, high, num_bits=how.bits, narrow_range=how.symmetric)


def _wider(before: Range | None, new: Any) -> Range:
    low, high, result_low, result_high = (float(one) for one in new)
    if before is None:
        return Range(low, high, result_low, result_high)
    return Range(min(before.low, low), max(before.high, high), min(before.result_low, result_low), max(before.result_high, result_high))
