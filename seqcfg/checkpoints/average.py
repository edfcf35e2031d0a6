"""The mean of several checkpoints' weights (Junczys-Dowmunt et al. 2016, arXiv:1605.04809, section 2.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.checkpoints.read import load_arrays
from seqcfg.errors import UserError
from seqcfg.lazy import np


def average(paths: list[str | Path], prefix: str = "weights/") -> dict[str, Any]:
    """{path: np.ndarray}: the mean over the checkpoints of each floating variable under `prefix`, summed in float64.

    Whole numbers are taken from the last checkpoint. One checkpoint is held in memory at a time. Raises UserError
    when the checkpoints hold different variables, DamagedCheckpoint when one is not whole.
    """
    if not paths:
        raise UserError("there are no checkpoints to average", hint="name at least one")
    sums: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for path in paths:
        arrays = load_arrays(path, prefix)
        if sums and {name: a.shape for name, a in arrays.items()} != {name: a.shape for name, a in sums.items()}:
            raise UserError(f"{path} and {paths[0]} hold different variables", hint="average checkpoints of one run")
        for name, array in arrays.items():
            sums[name] = sums.get(name, 0) + array.astype(np.float64) if _is_float(array) else array
    return {
        name: (total / len(paths)).astype(arrays[name].dtype) if _is_float(arrays[name]) else arrays[name] for name, total in sums.items()
    }


def _is_float(array: Any) -> bool:
    return np.issubdtype(array.dtype, np.floating) or array.dtype.name == "bfloat16"
