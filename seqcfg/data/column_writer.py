"""Writing columns: one growing file of values per feature, and one of offsets where examples differ in length."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from seqcfg.data.feature import Feature
from seqcfg.data.hashes import file_sha256
from seqcfg.lazy import np

HEADER_BYTES = 128
BUFFER_BYTES = 1 << 20


def storage_dtype(feature: Feature, vocabulary: int = 0) -> str:
    """The dtype of a feature on disk: ids take as few bytes as the vocabulary allows."""
    if feature.dtype == "bytes":
        return "uint8"
    if feature.tokenizer:
        return "uint16" if vocabulary <= 1 << 16 else "int32"
    return feature.storage or feature.dtype


class ArrayWriter:
    """A growing .npy file: rows are appended, and the header with the final shape is written on closing.

    `rows` of an existing file are kept; what lies behind them is cut off.
    """

    def __init__(self, file: Path, dtype: str, frame: tuple[int, ...] = (), rows: int = 0):
        self.path, self.dtype, self.frame = file, np.dtype(dtype), tuple(frame)
        self.rows, self._pending_bytes = rows, 0
        self._pending: list[bytes] = []
        self._file: BinaryIO = open(file, "r+b" if rows else "wb")  # noqa: SIM115
        if rows:
            end = HEADER_BYTES + rows * self.dtype.itemsize * math.prod(self.frame)
            self._file.truncate(end)
            self._file.seek(end)
        else:
            self._file.write(bytes(HEADER_BYTES))

    def append(self, values: Any) -> None:
        """Adds values of shape [n, *frame]."""
        self.rows += len(values)
        self._pending.append(values.tobytes())
        self._pending_bytes += len(self._pending[-1])
        if self._pending_bytes >= BUFFER_BYTES:
            self._flush()

    def sync(self) -> None:
        """Waits until all rows are on the disk."""
        self._flush()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> dict[str, Any]:
        """Writes the header and syncs; returns the file's entry for the manifest."""
        self._flush()
        shape = (self.rows, *self.frame)
        text = f"{{'descr': {self.dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode("latin1")
        self._file.seek(0)
        self._file.write(b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little") + text.ljust(HEADER_BYTES - 11) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return {"file": self.path.name, "bytes": self.path.stat().st_size, "sha256": file_sha256(self.path)}

    def abandon(self) -> None:
        """Closes without a header; the file is worthless."""
        self._file.close()

    def _flush(self) -> None:
        self._file.write(b"".join(self._pending))
        self._pending, self._pending_bytes = [], 0


class Packed(NamedTuple):
    """Rows of one feature: values [total, *frame] in the dtype on disk, and the length of each row, or None for fixed ones."""

    values: Any
    lengths: Any


def pack(rows: list[Any], feature: Feature, vocabulary: int = 0) -> Packed:
    """One value per example, a list of ids, bytes, or an array [time, *frame] or [*frame], as it is written."""
    dtype = np.dtype(storage_dtype(feature, vocabulary))
    if feature.dtype == "bytes":
        arrays = [np.frombuffer(row, np.uint8) for row in rows]
    else:
        arrays = [np.asarray(row, dtype).reshape(-1 if feature.is_ragged else 1, *feature.frame) for row in rows]
    values = np.concatenate(arrays) if arrays else np.zeros([0, *feature.frame], dtype)
    return Packed(values, np.array([len(array) for array in arrays], np.int64) if feature.is_ragged else None)


class ColumnWriter:
    """Writes one feature: `<name>.values.npy`, and for ragged features `<name>.offsets.npy` with n + 1 offsets.

    `written` are the rows of both files that a process before this one has synced: writing goes on behind them.
    """

    def __init__(self, folder: Path, name: str, feature: Feature, vocabulary: int = 0, written: tuple[int, int] | None = None):
        self.feature, self._vocabulary = feature, vocabulary
        rows, offsets = written or (0, 0)
        self.values = ArrayWriter(folder / f"{name}.values.npy", storage_dtype(feature, vocabulary), feature.frame, rows)
        self.offsets = ArrayWriter(folder / f"{name}.offsets.npy", "int64", (), offsets) if feature.is_ragged else None
        if self.offsets and not offsets:
            self.offsets.append(np.zeros([1], np.int64))

    def append(self, rows: list[Any]) -> None:
        """Adds one value per example: a list of ids, bytes, or an array [time, *frame]."""
        self.append_packed(pack(rows, self.feature, self._vocabulary))

    def append_packed(self, packed: Packed) -> None:
        """Adds rows."""
        if self.offsets:
            self.offsets.append(self.values.rows + np.cumsum(packed.lengths, dtype=np.int64))
        self.values.append(packed.values)

    def sync(self) -> tuple[int, int]:
        """Waits until all rows are on the disk; returns how many there are in both files."""
        self.values.sync()
        if self.offsets:
            self.offsets.sync()
        return self.values.rows, self.offsets.rows if self.offsets else 0

    def close(self) -> dict[str, Any]:
        entry = {"dtype": self.feature.dtype, "frame": list(self.feature.frame), "is_ragged": self.feature.is_ragged}
        entry |= {"scale": self.feature.scale} if self.feature.scale != 1.0 else {}
        return entry | {"values": self.values.close(), "offsets": self.offsets.close() if self.offsets else None}

    def abandon(self) -> None:
        self.values.abandon()
        if self.offsets:
            self.offsets.abandon()
