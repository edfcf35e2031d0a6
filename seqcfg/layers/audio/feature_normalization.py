"""Normalisation of features: by an utterance's own mean and deviation, or by those of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import SequenceLayer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.initializers.constant import Ones
from seqcfg.layers.audio.whole import UtteranceLayer
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf

MEASURED = "measured"  # what a layer shows to an observer that computes its statistics


class UtteranceNormalization(UtteranceLayer, type="utterance_normalization"):
    """(x - mean) / max(deviation, floor) per feature, over the utterance's real frames. Padded frames become 0.

    Statistics are taken in float32; the deviation is the root of the mean square. A single frame becomes 0.
    """

    use_deviation: bool = param(default=True, doc="Whether features are divided by their deviation, or only moved to the mean 0.")
    floor: PositiveFloat = param(default=1e-3, doc="Least deviation that is divided by, so that silence stays finite.")

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        values, count = tf.cast(x.values, tf.float32), tf.cast(tf.maximum(x.lengths(), 1), tf.float32)[:, tf.newaxis, tf.newaxis]
        centered = values - tf.reduce_sum(x.zero_padding(values), 1, keepdims=True) / count
        centered = x.zero_padding(centered)
        if self.use_deviation:
            variance = tf.reduce_sum(tf.square(centered), 1, keepdims=True) / count
            centered = centered * tf.math.rsqrt(tf.maximum(variance, self.floor**2))
        return x.with_values(tf.cast(centered, x.values.dtype))


class CorpusNormalization(SequenceLayer, type="corpus_normalization"):
    """(x - mean) / max(deviation, floor) per feature, by the mean and deviation of the corpus. Padded frames become 0.

    Unless the recipe states both, `seqcfg prepare` computes them from what the layers before make of the training
    split, without their noise; they are then untrained weights, and go wherever the model goes.
    """

    takes_moments: ClassVar[bool] = True

    num_utterances: PositiveInt = param(
        default=2_000, doc="Utterances, evenly spread over the training split, that both are computed from; all where there are fewer."
    )
    floor: PositiveFloat = param(default=1e-3, doc="Least deviation that is divided by.")
    mean: list[float] = param(factory=list, doc="Mean of each feature, where it is known.")
    deviation: list[float] = param(factory=list, doc="Standard deviation of each feature, where it is known.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if len(self.mean) != len(self.deviation):
            yield (
                "deviation",
                f"there are {len(self.mean)} means and {len(self.deviation)} deviations",
                "give both for each feature, or neither",
            )

    def declare(self, d: Any, dim: int) -> int:
        if not self.mean:
            d.weight("mean", (dim,), axes=("output",), trainable=False)
            d.weight("deviation", (dim,), Ones(), axes=("output",), trainable=False)
        elif len(self.mean) != dim:
            raise d.misfit(f"there are means for {len(self.mean)} features, and the width is {dim}", "give one for each", "mean")
        return dim

    def kept(self, d: Any, at: Any) -> float:
        return 0  # nothing before it is trained

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        w.observe(MEASURED, x)
        known = {"mean": self.mean, "deviation": self.deviation}
        mean, deviation = (tf.constant(value, tf.float32) if value else w.stored(name) for name, value in known.items())
        normal = (tf.cast(x.values, tf.float32) - mean) / tf.maximum(deviation, self.floor)
        return x.with_values(x.zero_padding(tf.cast(normal, x.values.dtype)))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, {}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return w(x), moving
