"""Weights in files that other programs read: npz of numpy, and safetensors."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.runs.durable import PARTIAL, sync_file, sync_folder

_NAMES = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "bool": "BOOL"}


def write_npz(file: IO[bytes], arrays: dict[str, Any], about: dict[str, str]) -> None:
    """A zip of one .npy per array; `about` has no place in it. Read with numpy.load(..., allow_pickle=False)."""
    np.savez(file, **arrays)


def write_safetensors(file: IO[bytes], arrays: dict[str, Any], about: dict[str, str]) -> None:
    """Length of the header as uint64, a JSON header, then the arrays' bytes (github.com/huggingface/safetensors, "Format")."""
    header: dict[str, Any] = {"__metadata__": about}
    start = 0
    for name, array in arrays.items():
        header[name] = {"dtype": _NAMES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of 8
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(np.ascontiguousarray(array).tobytes())


FORMATS: dict[str, Callable[[IO[bytes], dict[str, Any], dict[str, str]], None]] = {"npz": write_npz, "safetensors": write_safetensors}


def write_portable(path: Path, style: str, arrays: dict[str, Any], about: dict[str, str]) -> None:
    """Writes {name: array} in one of FORMATS, whole or not at all; raises UserError where the file cannot be written."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            FORMATS[style](file, arrays, about)
        sync_file(partial)
        os.replace(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise UserError(f"cannot write {path}: {error.strerror}", hint="choose another place with --output") from error
