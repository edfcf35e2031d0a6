"""What seeds alone do to a figure, and whether a difference between two settings is more than that."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

EPSILON, MAX_TERMS = 1e-14, 500


@dataclasses.dataclass(frozen=True)
class Spread:
    """Figures of one setting over seeds. deviation: of a sample; half_width of the mean's interval; both nan for fewer than two."""

    values: tuple[float, ...]
    mean: float
    deviation: float
    half_width: float
    confidence: float


@dataclasses.dataclass(frozen=True)
class Difference:
    """`mean` of the second less that of the first; p: the chance of one so large when seeds alone differ, adjusted for how many were asked.

    smallest: the size below which a difference is not told from noise, at the confidence asked for; nan where there are too few seeds.
    """

    mean: float
    p: float
    smallest: float
    is_real: bool


def spread(values: Sequence[float], confidence: float = 0.95) -> Spread:
    """Mean, standard deviation and Student's interval (t distribution, n - 1 degrees of freedom)."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Spread(tuple(values), mean, math.nan, math.nan, confidence)
    deviation = statistics.stdev(values)
    half = student_quantile(0.5 + confidence / 2, len(values) - 1) * deviation / math.sqrt(len(values))
    return Spread(tuple(values), mean, deviation, half, confidence)


def differences(first: Spread, others: Sequence[Spread]) -> list[Difference]:
    """Each of `others` less `first` by Welch's test (1947), p adjusted by Holm (1979) because the first was picked among all.

    With one seed on a side nothing is known of its noise, and no difference is called real.
    """
    found = [_welch(first, other) for other in others]
    order = sorted(range(len(found)), key=lambda index: found[index].p if not math.isnan(found[index].p) else math.inf)
    highest = 0.0
    for rank, index in enumerate(order):
        one = found[index]
        if math.isnan(one.p):
            continue
        highest = max(highest, min(1.0, one.p * (len(found) - rank)))
        found[index] = dataclasses.replace(one, p=highest, is_real=highest < 1 - first.confidence)
    return found


def _welch(first: Spread, second: Spread) -> Difference:
    mean = second.mean - first.mean
    if len(first.values) < 2 or len(second.values) < 2:
        return Difference(mean, math.nan, math.nan, False)
    parts = [one.deviation**2 / len(one.values) for one in (first, second)]
    error = math.sqrt(sum(parts))
    if error == 0.0:  # every seed gave the very same figure
        return Difference(mean, 0.0 if mean else 1.0, 0.0, mean != 0.0)
    degrees = sum(parts) ** 2 / sum(part**2 / (len(one.values) - 1) for part, one in zip(parts, (first, second), strict=True))
    p = 2 * (1 - student(abs(mean) / error, degrees))
    return Difference(mean, p, student_quantile(0.5 + first.confidence / 2, degrees) * error, p < 1 - first.confidence)


def student(t: float, degrees: float) -> float:
    """The distribution function of Student's t: P(T <= t) = 1 - I_x(v / 2, 1 / 2) / 2 with x = v / (v + t^2), for t >= 0."""
    tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))
    return 1 - tail if t >= 0 else tail


def student_quantile(share: float, degrees: float) -> float:
    """The t below which a share of Student's distribution lies, for shares of at least a half; by bisection."""
    low, high = 0.0, 1.0
    while student(high, degrees) < share:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if student(middle, degrees) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised I_x(a, b) by its continued fraction (Lentz 1976; DLMF 8.17.22), from the side where it converges fast."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            change = c * d
            fraction *= change
        if abs(change - 1) < EPSILON:
            break
    return front * fraction
