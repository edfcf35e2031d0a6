"""A task's inputs as numpy arrays: cut to a longest length, gathered into batches, padded to a common time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.lazy import np


def cut(inputs: dict[str, Any], most: int) -> tuple[dict[str, Any], Any, int]:
    """Inputs of at most `most` positions, the length of each row (at least 1), and how many rows were cut.

    What ends a row of ids, its end id, stays the last one.
    """
    inputs, num_cut = dict(inputs), 0
    lengths = np.ones([len(next(iter(inputs.values())))], np.int32)
    for name in timed(inputs):
        values, length = inputs[name], inputs[f"{name}_length"]
        is_cut = length > most
        if is_cut.any():
            num_cut += int(is_cut.sum())
            short = values[:, :most].copy()
            if values.ndim == 2:
                short[is_cut, -1] = values[is_cut, length[is_cut] - 1]
            inputs[name], inputs[f"{name}_length"] = short, np.minimum(length, most)
        lengths = np.maximum(lengths, inputs[f"{name}_length"])
    return inputs, lengths, num_cut


def is_blank(source: Any) -> bool:
    """Whether there is nothing to decode: a text of white space alone, or a sound without samples."""
    return not source.strip() if isinstance(source, str) else not len(source)


def timed(inputs: dict[str, Any]) -> list[str]:
    """Names of the inputs that have a time axis, whose real positions `<name>_length` counts."""
    return [name for name in inputs if f"{name}_length" in inputs]


def batch_of(inputs: dict[str, Any], chosen: Any, time: int) -> dict[str, Any]:
    """The chosen rows of every input, those along time cut or padded to `time` positions."""
    along_time = timed(inputs)
    return {name: fit(value[chosen], time) if name in along_time else value[chosen] for name, value in inputs.items()}


def fit(values: Any, time: int) -> Any:
    """Values [rows, anything, ...] cut or padded with zeros to [rows, time, ...]."""
    fitted = np.zeros([len(values), time, *values.shape[2:]], values.dtype)
    size = min(time, values.shape[1])
    fitted[:, :size] = values[:, :size]
    return fitted


def batches_by_length(lengths: Any, max_tokens: int) -> Iterator[Any]:
    """Row numbers of batches of similar length, longest first; rows times the longest stay within max_tokens, or it is one row."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, max_tokens // max(1, int(lengths[order[start]])))
        yield order[start : start + rows]
        start += rows
