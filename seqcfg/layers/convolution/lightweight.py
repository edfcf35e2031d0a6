"""Convolutions of each feature whose kernels are few, add up to 1, and may follow from what they are applied to."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.convolution.depthwise import convolve_each
from seqcfg.layers.convolution.window import Window
from seqcfg.layers.dense import affine
from seqcfg.layers.dropout import dropout
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf

SMALLEST_BLOCK = 16  # positions whose results are one product


class Weighted(SequenceLayer):
    """What both kinds have in common: y[t, c] = sum over j of weight[j, head of c] x[t + j - left, c], positions outside being 0.

    Features are cut into as many neighbouring parts as there are heads; left is as in `conv1d`. The block of the
    paper is a sequence of `gated_linear_unit` with units, this layer, and `dense`.
    """

    respects_segments = False

    kernel_size: PositiveInt = param(doc="Number of positions a result is made from.")
    num_heads: PositiveInt = param(doc="Number of kernels; it divides the width.")
    causal: bool = param(default=False, doc="Whether a result is made from its position and earlier ones only.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 among the weights during training.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts.")

    def check_width(self, d: Any, dim: int) -> None:
        """Raises Misfit where the heads do not divide the width."""
        if dim % self.num_heads:
            raise d.misfit(f"{self.num_heads} does not divide the width {dim} it is given", "take a divisor", "num_heads")

    def kept(self, d: Any, at: Any) -> float:
        return at.inputs * d.features_in

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        refuse_packed(x, f"{w.path}: a convolution")
        return x.with_values(self.combine(w, x.values, self._window.pad_time(x.zero_padding(), "centered", self.causal)))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return self._window.start(w, self.causal, tf.shape(sequence.values)[0], [w.width])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of positions at a time."""
        padded, moving = self._window.step(w, x, moving)
        return x.with_values(self.combine(w, x.values, padded)), moving

    def combine(self, w: Any, values: Any, padded: Any) -> Any:
        """values [batch, time, dim] and the same with their surroundings -> [batch, time, dim]."""
        raise TypeError(f"{type(self).__name__} defines no combine")

    @property
    def _window(self) -> Window:
        return Window(self.kernel_size)


class LightweightConv(Weighted, type="lightweight_conv"):
    """A convolution whose kernels are a softmax over positions and common to the features of a head (arXiv:1901.10430, section 3)."""

    def declare(self, d: Any, dim: int) -> int:
        self.check_width(d, dim)
        d.weight("kernel", (self.kernel_size, self.num_heads), self.kernel_initializer, axes=("tap", "head"))
        return dim

    def combine(self, w: Any, values: Any, padded: Any) -> Any:
        weights = dropout(w, tf.nn.softmax(w.kernel, axis=0), self.dropout)
        kernel = tf.repeat(weights, w.width // self.num_heads, axis=1)  # [tap, dim]
        return convolve_each(padded[:, :, tf.newaxis], kernel[:, tf.newaxis, :, tf.newaxis], (1, 1), (1, 1))[:, :, 0]


class DynamicConv(Weighted, type="dynamic_conv"):
    """A lightweight convolution whose weights are, at each position, a linear map of that position (arXiv:1901.10430, section 4)."""

    use_bias: bool = param(default=False, doc="Whether the map to weights adds a vector.")

    def declare(self, d: Any, dim: int) -> int:
        self.check_width(d, dim)
        d.weight("kernel", (dim, self.num_heads * self.kernel_size), self.kernel_initializer, axes=("input", "output"))
        if self.use_bias:
            d.weight("bias", (self.num_heads * self.kernel_size,), axes=("output",))
        return dim

    def combine(self, w: Any, values: Any, padded: Any) -> Any:
        shape, heads = tf.shape(values), self.num_heads
        scores = affine(values, w.kernel, w.bias if self.use_bias else None)
        scores = tf.reshape(scores, [shape[0], shape[1], heads, self.kernel_size])
        weights = dropout(w, tf.nn.softmax(scores), self.dropout)
        padded = tf.reshape(padded, [shape[0], shape[1] + self.kernel_size - 1, heads, w.width // heads])  # [batch, time, head, part]
        if values.shape[1] == 1:
            found = tf.matmul(tf.transpose(weights, [0, 2, 1, 3]), tf.transpose(padded, [0, 2, 1, 3]))
        else:
            found = weighted_sums(weights, padded)
        return tf.ensure_shape(tf.reshape(found, shape), values.shape)


def weighted_sums(weights: Any, padded: Any) -> Any:
    """y[b, t, h] = sum over j of weights[b, t, h, j] padded[b, t + j, h]; padded [batch, time + taps - 1, heads, part].

    As products of matrices: `size` neighbouring results are a band of weights [size, size + taps - 1] times what they are made from.
    Half of each band is 0, and still training takes 0.2 to 0.7 times as long as with a sum over taps, whose values pass through memory.
    """
    (rows, time), (heads, taps) = tf.unstack(tf.shape(weights)[:2]), weights.shape[2:]
    size = max(taps, SMALLEST_BLOCK)
    count = (time + size - 1) // size
    missing = [[0, 0], [0, count * size - time], [0, 0], [0, 0]]
    bands = tf.transpose(tf.reshape(tf.pad(weights, missing), [rows, count, size, heads, taps]), [0, 1, 3, 2, 4])
    bands = tf.reshape(tf.pad(bands, [[0, 0]] * 4 + [[0, size]]), [rows, count, heads, size * (taps + size)])
    bands = tf.reshape(bands[..., :-size], [rows, count, heads, size, size + taps - 1])  # each row begins one place later
    missing[1] = [0, (count + 1) * size - time - taps + 1]
    blocks = tf.reshape(tf.pad(padded, missing), [rows, count + 1, size, heads, padded.shape[3]])
    blocks = tf.transpose(tf.concat([blocks[:, :-1], blocks[:, 1:, : taps - 1]], 2), [0, 1, 3, 2, 4])
    sums = tf.transpose(tf.matmul(bands, blocks), [0, 1, 3, 2, 4])  # [batch, count, size, heads, part]
    return tf.reshape(sums, [rows, count * size, heads, padded.shape[3]])[:, :time]
