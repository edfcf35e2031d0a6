"""CTC written the slow and obvious way: every path of frames, one by one."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np

from seqcfg.component.reserved_ids import END, PAD, START


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """What a path of ids writes: repeated ones are one, blanks nothing."""
    return tuple(one for one, _ in itertools.groupby(path) if one != PAD)


def labellings(scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """{labelling: log-probability} of log-probabilities [frames, vocabulary]."""
    found: dict[tuple[int, ...], list[float]] = defaultdict(list)
    ids = [one for one in range(scores.shape[1]) if one not in (START, END)]
    for path in itertools.product(ids, repeat=len(scores)):
        found[collapsed(path)].append(sum(float(row[one]) for row, one in zip(scores, path, strict=True)))
    return {labels: math.log(math.fsum(math.exp(value) for value in values)) for labels, values in found.items()}


def frames_of(rng: np.random.Generator, shape: tuple[int, ...], sharpness: float = 1.5) -> np.ndarray:
    """Log-probabilities [..., vocabulary] in which no frame is a start or end id."""
    logits = rng.normal(0, sharpness, shape)
    logits[..., [START, END]] = -1e9
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
