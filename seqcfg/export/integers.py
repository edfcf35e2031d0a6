"""Products of matrices on integers: what activations reach is seen on sample texts, and graphs say where to round."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.decoding.member import as_variables
from seqcfg.layers.create import view
from seqcfg.layers.dense import affine
from seqcfg.lazy import np, tf

NARROW = 127.0  # weights take -127 to 127, symmetrically
SMALLEST = 1e-30  # changes no sum but that of zeros, and no converter leaves it out


class Range(NamedTuple):
    """What a product meets: its input and its result before the bias, lowest and highest, and the largest magnitude of its kernel."""

    low: float
    high: float
    result_low: float
    result_high: float
    kernel: float


def ranges_of(trained: Any, pairs: list[tuple[str, str]]) -> dict[str, Range]:
    """{place of a product: Range} over these inputs and outputs, the outputs given to the decoder token by token."""
    task = trained.experiment.recipe.task
    weights = as_variables(trained.weights)
    seen: dict[str, Any] = {}
    reached: dict[str, Range] = {}

    def look(place: str, x: Any, kernel: Any, bias: Any) -> Any:
        y = affine(x, kernel)
        most = tf.reduce_max(tf.abs(kernel))
        seen[place] = tf.stack([tf.reduce_min(x), tf.reduce_max(x), tf.reduce_min(y), tf.reduce_max(y), most])
        return y if bias is None else y + bias

    def run(inputs: dict[str, Any], ids: Any, lengths: Any) -> dict[str, Any]:
        seen.clear()
        w = view(trained.declaration, weights, products=look)
        task.stepper(w).logits(inputs, ids, lengths)
        return dict(seen)

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


class IntegerProducts:
    """Takes the place of affine maps in graphs for converters: input, kernel and output are rounded to 8 bits where ranges are known.

    Symmetric and per tensor for kernels, one range for activations; converters turn such products into integer ones. Between
    products everything stays in floating point.
    """

    def __init__(self, ranges: dict[str, Range], bits: int = 8):
        self._ranges, self._bits = ranges, bits

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any) -> Any:
        found = self._ranges.get(place)
        if found is None:
            return affine(x, kernel, bias)
        round_to = tf.quantization.fake_quant_with_min_max_args
        kernel = round_to(kernel, -found.kernel, found.kernel, num_bits=8, narrow_range=True)
        x = round_to(x, *_with_zero(found.low, found.high), num_bits=self._bits)
        y = round_to(affine(x, kernel), *_with_zero(found.result_low, found.result_high), num_bits=self._bits)
        # A sum in floating point: integers must not pass into operations behind that have none. One of zeros would be left out.
        return y + ((tf.zeros([kernel.shape[1]]) if bias is None else bias) + SMALLEST)


class IntegerRows:
    """A table of vectors kept as 8-bit integers with one scale, or one for each row; looked up row by row, or as a whole in float32.

    As a whole it holds the rounded values, of which a converter makes the same integers again, so that a file holds them once.
    """

    def __init__(self, table: Any, is_per_row: bool):
        array = np.asarray(table, np.float32)
        most = np.abs(array).max(axis=1, keepdims=True) if is_per_row else np.abs(array).max(keepdims=True)
        self._scale = np.maximum(most, 1e-9).astype(np.float32) / np.float32(NARROW)
        self._integers = np.clip(np.rint(array / self._scale), -NARROW, NARROW).astype(np.int8)
        self._is_per_row = is_per_row
        self.dtype, self.shape = tf.float32, array.shape

    def rows(self, ids: Any) -> Any:
        """ids [...] -> [..., width] float32."""
        scale = tf.gather(tf.constant(self._scale), ids) if self._is_per_row else float(self._scale[0, 0])
        return tf.cast(tf.gather(tf.constant(self._integers), ids), tf.float32) * scale

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return tf.constant(self._integers * self._scale, dtype or tf.float32)


def _wider(before: Range | None, new: Any) -> Range:
    low, high, result_low, result_high, kernel = (float(one) for one in new)
    if before is None:
        return Range(low, high, result_low, result_high, kernel)
    return Range(
        min(before.low, low), max(before.high, high), min(before.result_low, result_low), max(before.result_high, result_high), kernel
    )


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """A range that holds 0, as integer formats need."""
    return min(low, 0.0), max(high, 1e-6)
