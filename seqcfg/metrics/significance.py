"""Whether a difference between two sets of outputs is more than chance, and how sure one value is; needs numpy alone.

All of it works on sufficient statistics: an array [lines, numbers] whose sum over lines fixes the corpus metric, such
as the n-gram counts of BLEU. `score` maps such sums [numbers] to the metric's value. Draws are those of sacreBLEU
(default seed 12345, same generator, same order), so both give the same p-values and intervals for the same outputs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from seqcfg.errors import UserError
from seqcfg.lazy import np

SEED = 12345  # sacreBLEU's
SAMPLES, TRIALS = 1000, 10_000  # of the bootstrap and of randomisation, as in sacreBLEU
BLOCK = 1 << 22  # draws held at once; bounds the memory for any number of lines
TIE = 1e-9  # differences closer than this are equal: sums in another order differ in their last bits

Score = Callable[[Any], float]


class Additive(Protocol):
    """What a metric of text offers so that it can be tested and given intervals.

    `statistics(hypotheses, references) -> float64 [lines, numbers]`, references[i] being those of hypothesis i;
    `from_statistics(sums [numbers]) -> value`, and of the sum over all lines it gives the value that `compute` gives.
    """

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any: ...
    def from_statistics(self, sums: Any) -> float: ...


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value over the whole corpus, and what resampled corpora of the same size give: mean, bounds, standard deviation."""

    value: float
    mean: float
    low: float
    high: float
    deviation: float
    confidence: float
    samples: int


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """Two systems on the same lines. `difference` is second - first; `p` is the chance of one at least as large, either way.

    low and high bound the difference with `confidence`; they are infinite where the test says nothing of it.
    """

    method: str
    first: float
    second: float
    p: float
    samples: int
    low: float = -math.inf
    high: float = math.inf
    confidence: float = 0.95

    @property
    def difference(self) -> float:
        return self.second - self.first

    def is_significant(self, level: float = 0.05) -> bool:
        """Whether so large a difference is rarer than `level` when neither system is better."""
        return self.p < level


def bootstrap_interval(statistics: Any, score: Score, *, samples: int = SAMPLES, confidence: float = 0.95, seed: int = SEED) -> Interval:
    """The percentile bootstrap of one system (Efron 1979; Koehn 2004, section 4) over statistics [lines, numbers].

    At 95 % the bounds are those whose half width sacreBLEU prints. Raises UserError when there are no lines.
    """
    statistics = _checked(statistics)
    scores = np.array([score(sums) for sums in _resampled([statistics], samples, seed)[0]])
    low, high = _bounds(scores, confidence)
    deviation = float(scores.std(ddof=1)) if samples > 1 else 0.0
    return Interval(float(score(statistics.sum(0))), float(scores.mean()), low, high, deviation, confidence, samples)


def paired_bootstrap(
    first: Any, second: Any, score: Score, *, samples: int = SAMPLES, confidence: float = 0.95, seed: int = SEED
) -> PairedTest:
    """Paired bootstrap resampling (Koehn 2004), its p-value from differences shifted to a mean of zero as in Moses and sacreBLEU.

    first, second: statistics [lines, numbers] of two systems on the same lines. Raises UserError when they do not pair.
    """
    first, second = _pair(first, second)
    sums = _resampled([first, second], samples, seed)
    differences = np.array([score(b) for b in sums[1]]) - np.array([score(a) for a in sums[0]])
    values = float(score(first.sum(0))), float(score(second.sum(0)))
    sizes = np.abs(differences)
    p = _p(sizes - sizes.mean(), abs(values[1] - values[0]))
    low, high = _bounds(differences, confidence)
    return PairedTest("paired bootstrap", *values, p, samples, low, high, confidence)


def paired_randomization(first: Any, second: Any, score: Score, *, trials: int = TRIALS, seed: int = SEED) -> PairedTest:
    """Two-sided approximate randomisation (Noreen 1989; Riezler and Maxwell 2005, section 4): lines swap sides at random.

    p = (1 + trials whose difference is at least as large as the real one) / (1 + trials). sacreBLEU counts larger
    ones only, whereby a system differs significantly from itself; elsewhere both agree. Raises UserError when the
    statistics do not pair.
    """
    first, second = _pair(first, second)
    total, change = first.sum(0) + second.sum(0), second - first
    sums = first.sum(0)
    differences = []
    for keeps in _swaps(len(first), trials, seed):
        shuffled = sums + (~keeps).astype(np.float64) @ change  # sums of the first side after the swaps: [block, numbers]
        differences += [abs(score(one) - score(total - one)) for one in shuffled]
    values = float(score(sums)), float(score(second.sum(0)))
    return PairedTest("approximate randomization", *values, _p(np.array(differences), abs(values[1] - values[0])), trials)


def _checked(statistics: Any) -> Any:
    statistics = np.asarray(statistics, dtype=np.float64)
    if statistics.ndim != 2 or not len(statistics):
        raise UserError(
            f"there is nothing to resample: statistics of the shape {list(statistics.shape)}", hint="give one row for each line of a corpus"
        )
    return statistics


def _pair(first: Any, second: Any) -> tuple[Any, Any]:
    first, second = _checked(first), _checked(second)
    if first.shape != second.shape:
        raise UserError(
            f"outputs of {len(first)} lines cannot be paired with outputs of {len(second)} lines"
            if len(first) != len(second)
            else f"statistics of {first.shape[1]} numbers cannot be paired with those of {second.shape[1]}",
            hint="compare outputs for the same lines by one metric",
        )
    return first, second


def _resampled(systems: list[Any], samples: int, seed: int) -> list[Any]:
    """Sums over resampled lines, [samples, numbers] for each system, the lines drawn being the same for all."""
    lines = len(systems[0])
    generator = np.random.default_rng(seed)
    found: list[list[Any]] = [[] for _ in systems]
    for size in _blocks(samples, lines):
        drawn = generator.choice(lines, size=(size, lines), replace=True)
        counts = np.stack([np.bincount(row, minlength=lines) for row in drawn]).astype(np.float64)
        for sums, statistics in zip(found, systems):
            sums.append(counts @ statistics)
    return [np.concatenate(sums) for sums in found]


def _swaps(lines: int, trials: int, seed: int) -> Iterator[Any]:
    """Blocks [some, lines] of bool: True = the line keeps its side."""
    generator = np.random.default_rng(seed)
    for size in _blocks(trials, lines):
        yield generator.integers(2, size=(size, lines), dtype=bool)


def _blocks(count: int, lines: int) -> Iterator[int]:
    """`count` in parts of a multiple of 32: the generator makes 32 bits at a time, so that parts draw what a whole would."""
    most = max(32, BLOCK // lines // 32 * 32)
    for start in range(0, count, most):
        yield min(most, count - start)


def _bounds(values: Any, confidence: float) -> tuple[float, float]:
    ordered = np.sort(values)
    outside = int(len(ordered) * (1 - confidence) / 2 + TIE)
    return float(ordered[outside]), float(ordered[len(ordered) - outside - 1])


def _p(sizes: Any, real: float) -> float:
    return (int(np.sum(sizes >= real - TIE)) + 1) / (len(sizes) + 1)
