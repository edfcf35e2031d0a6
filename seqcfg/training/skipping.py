"""Updates that are left out because their gradient is not to be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from seqcfg.errors import UserError
from seqcfg.lazy import tf


class TooManySkipped(UserError):
    """A learner has left out as many updates in a row as it may."""

    def __init__(self, reason: str, step: int):
        super().__init__(f"step {step}: {reason}", hint="lower the rate or clip.norm, or look at the data of these steps")
        self.reason = reason


class Outliers(Record):
    """Leaves out updates whose gradient norm is far above the usual: Lingvo's GradNormTracker.

    With x = log(norm + 1), decaying sums of x, of x^2 and of 1 give its mean and deviation; a norm is an outlier when
    x > max(mean + deviations deviation, log(least_norm + 1)). It enters the sums as that bound, so that a lasting
    change is followed in time. Nothing is left out, and nothing bounded, before the sum of 1 exceeds 0.75
    (277 updates with the default decay); Lingvo bounds from the first update, and so starts from small means.
    """

    deviations: PositiveFloat = param(default=4.0, doc="How many standard deviations above the mean is too far.")
    decay: Fraction = param(default=0.995, doc="Decay of the running sums.")
    least_norm: NonNegativeFloat = param(default=0.0, doc="Norms up to this are never outliers.")

    def numbers(self) -> dict[str, float]:
        """What is kept between updates, and where it starts."""
        return {"log_mean": 0.0, "log_square": 0.0, "total": 0.0}

    def __call__(self, norm: Any, numbers: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """(whether the norm is an outlier, the numbers after it); a norm that is not finite changes no number."""
        is_finite = tf.math.is_finite(norm)
        x = tf.math.log(tf.where(is_finite, norm, 0.0) + 1.0)
        total = tf.maximum(numbers["total"], 1e-6)
        mean = numbers["log_mean"] / total
        deviation = tf.sqrt(tf.maximum(numbers["log_square"] / total - tf.square(mean), 1e-6))
        bound = tf.maximum(mean + self.deviations * deviation, tf.math.log(tf.constant(self.least_norm) + 1.0))
        is_warm = numbers["total"] > 0.75
        kept = tf.where(is_warm, tf.minimum(x, bound), x)
        new = {"log_mean": kept, "log_square": tf.square(kept), "total": tf.ones([])}
        share = tf.where(is_finite, 1.0 - self.decay, 0.0)
        return is_finite & is_warm & (x > bound), {name: old + share * (new[name] - old) for name, old in numbers.items()}


class Skip(Record):
    """Which updates are left out because their gradient is too large.

    One whose gradient is not finite always is left out, too, but counted apart: `non_finite` bounds those.
    """

    max_norm: PositiveFloat | None = param(default=None, doc="Gradient norm above which an update is left out; null for no bound.")
    outliers: Outliers | None = param(default=None, doc="Leaves out norms far above the usual; null for not.")
    max_in_a_row: PositiveInt | None = param(
        default=None,
        doc="The run ends with an error after so many too large ones in a row; null for never. What is not finite does not count.",
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.max_in_a_row is not None and self.max_norm is None and self.outliers is None:
            hint = "give max_norm or outliers, or take training.non_finite.max_in_a_row for updates that are not finite"
            yield "max_in_a_row", "bounds nothing, because no norm is too large here", hint

    def numbers(self) -> dict[str, float]:
        """What is kept between updates, and where it starts."""
        kept = self.outliers.numbers() if self.outliers is not None else {}
        return kept | ({"in_a_row": 0.0} if self.max_in_a_row is not None else {})

    def __call__(self, norm: Any, numbers: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """(whether to leave out, the numbers after it); `norm` is that of the mean gradient before clipping."""
        is_finite = tf.math.is_finite(norm)
        leave = ~is_finite
        now: dict[str, Any] = {}
        if self.max_norm is not None:
            leave |= norm > self.max_norm
        if self.outliers is not None:
            is_outlier, now = self.outliers(norm, {name: numbers[name] for name in self.outliers.numbers()})
            leave |= is_outlier
        if self.max_in_a_row is not None:
            counted = tf.where(leave, numbers["in_a_row"] + 1.0, 0.0)
            now |= {"in_a_row": tf.where(is_finite, counted, numbers["in_a_row"])}
        return leave, now

    def refuse_too_many(self, learner: str, in_a_row: int, step: int) -> None:
        """Raises TooManySkipped when as many updates in a row were left out as the recipe allows."""
        if self.max_in_a_row is not None and in_a_row >= self.max_in_a_row:
            reason = f"the last {in_a_row} updates of learner {learner!r} were too large, which skip.max_in_a_row does not allow"
            raise TooManySkipped(reason, step)
