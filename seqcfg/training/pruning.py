"""Pruning: the smallest weights become 0, more and more of them while training, and stay so."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Annotated, Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveFloat, PositiveInt, rules
from seqcfg.errors import UserError
from seqcfg.lazy import tf
from seqcfg.training.noise import Patterns

MASK = "#mask"
Share = Annotated[float, rules("a share below 1, such as 0.8", minimum=0, exclusiveMaximum=1)]


class Pruning(Record):
    """After update t the share s_t = s_n + (s_0 - s_n) (1 - (t - start) / (end - start))^exponent of each weight's entries is 0.

    It grows from initial_sparsity s_0 at start_step to sparsity s_n at end_step, every so many updates (Zhu & Gupta 2017,
    arXiv:1710.01878, equation 1), and rests afterwards. Those of the least magnitude go; what is 0 stays 0, in the model, its
    averages and what is exported. Blocks go as one, by their mean magnitude, where engines skip whole ones.
    """

    weights: Patterns = param(doc="Patterns of the weights that are pruned, each by itself; those that are no matrices are left alone.")
    sparsity: Share = param(doc="Share of entries that are 0 from end_step on.")
    initial_sparsity: Share = param(default=0.0, doc="Share of entries that are 0 after start_step.")
    start_step: PositiveInt = param(default=1, doc="Update after which the first entries become 0.")
    end_step: PositiveInt = param(doc="Update after which the last ones do.")
    every_steps: PositiveInt = param(default=100, doc="Updates between two growths, over which the others recover.")
    exponent: PositiveFloat = param(default=3.0, doc="Form of the growth: 1 is even, 3 takes most entries early, when many are redundant.")
    block: tuple[PositiveInt, PositiveInt] = param(
        default=(1, 1), doc="Rows and columns that become 0 together, of the matrix of all axes but the last, and the last."
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.end_step < self.start_step:
            yield "end_step", f"pruning ends before it starts after update {self.start_step}", "name a later update"
        if self.initial_sparsity > self.sparsity:
            yield "initial_sparsity", f"pruned weights stay 0, so that the share cannot fall to {self.sparsity:g}", "start with less"

    def paths(self, declaration: Any) -> list[str]:
        """The weights that the patterns name."""
        matrices = [weight.path for weight in declaration.all_weights() if len(weight.shape) > 1]
        return [path for path in matrices if any(fnmatch.fnmatchcase(path, pattern) for pattern in self.weights)]

    def is_due(self, done: Any) -> Any:
        """Whether entries become 0 after `done` updates."""
        grows = tf.math.floormod(done - self.start_step, self.every_steps) == 0
        return (done >= self.start_step) & (done <= self.end_step) & (grows | (done == self.end_step))

    def share(self, done: Any) -> Any:
        """s_t, float64."""
        span = max(self.end_step - self.start_step, 1)
        left = tf.cast(self.end_step - done, tf.float64) / span
        grown = tf.pow(tf.clip_by_value(left, 0.0, 1.0), self.exponent)
        return self.sparsity + (self.initial_sparsity - self.sparsity) * grown

    def mask(self, weight: Any, before: Any, done: Any) -> Any:
        """Which entries are kept: bool like the weight, True nowhere where `before` is not."""
        rows, columns = self.block
        height, width = weight.shape.num_elements() // weight.shape[-1], weight.shape[-1]
        down, across = -(-height // rows), -(-width // columns)
        padded = tf.pad(tf.reshape(tf.abs(weight), [height, width]), [[0, down * rows - height], [0, across * columns - width]])
        sums = tf.reduce_sum(tf.reshape(padded, [down, rows, across, columns]), [1, 3])
        sizes = tf.constant(_sizes(height, rows))[:, tf.newaxis] * tf.constant(_sizes(width, columns))
        is_left = tf.reshape(before, [height, width])[::rows, ::columns]
        scores = tf.reshape(tf.where(is_left, sums / sizes, -1.0), [-1])
        count = tf.cast(tf.round(self.share(done) * (down * across)), tf.int32)
        kept = tf.reshape(tf.math.invert_permutation(tf.argsort(scores, stable=True)) >= count, [down, across])
        whole = tf.repeat(tf.repeat(kept, rows, axis=0), columns, axis=1)[:height, :width]
        return tf.reshape(whole, weight.shape) & before


def pruned_weights(pruning: list[Pruning], declaration: Any) -> dict[str, Pruning]:
    """{path: what prunes it}, the first that names it. Raises UserError for one that names no matrix."""
    found: dict[str, Pruning] = {}
    for number, one in enumerate(pruning):
        paths = one.paths(declaration)
        if not paths:
            raise UserError(f"training.pruning.{number} matches no matrix by {one.weights}", hint="seqcfg plan lists the weights")
        found = dict.fromkeys(paths, one) | found
    return found


def num_zeros(training: Any, declaration: Any) -> int:
    """How many weights are 0 when training ends, by its pruning; exact where blocks divide the weights."""
    pruned = pruned_weights(getattr(training, "pruning", []), declaration)
    return sum(round(pruned[weight.path].sparsity * weight.size) for weight in declaration.all_weights() if weight.path in pruned)


def masked(tree: dict[str, Any], masks: dict[str, Any]) -> dict[str, Any]:
    """The tree {path: tensor} with zeros where masks {path#mask: bool tensor} say so."""
    return {path: tf.where(masks[path + MASK], value, 0.0) if path + MASK in masks else value for path, value in tree.items()}


def grown(pruned: dict[str, Pruning], weights: dict[str, Any], masks: dict[str, Any], done: Any) -> dict[str, Any]:
    """The masks {path#mask: bool tensor} after `done` updates, by weights {path: tensor}."""
    after: dict[str, Any] = {}
    for one in {id(one): one for one in pruned.values()}.values():
        mine = {path + MASK: path for path, its in pruned.items() if its is one}
        after |= tf.cond(
            one.is_due(done),
            lambda one=one, mine=mine: {name: one.mask(weights[path], masks[name], done) for name, path in mine.items()},
            lambda mine=mine: {name: tf.identity(masks[name]) for name in mine},
        )
    return after


def sparsity(masks: dict[str, Any]) -> Any:
    """The share of entries that are 0 among all that are pruned, float32."""
    zeros = tf.add_n([tf.math.count_nonzero(~mask) for mask in masks.values()])
    return tf.cast(zeros / sum(mask.shape.num_elements() for mask in masks.values()), tf.float32)


def _sizes(length: int, block: int) -> list[float]:
    """How many of `length` fall to each block in a row."""
    return [float(min(block, length - start)) for start in range(0, length, block)]
