"""Columns: prepared examples on disk, one array of values per feature, memory-mapped and read at random."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from seqcfg.data.feature import Feature
from seqcfg.data.hashes import file_sha256
from seqcfg.errors import UserError
from seqcfg.lazy import np

HEADER_BYTES = 128
BUFFER_BYTES = 1 << 20
LONG_ROWS = 256  # steps from which rows are gathered one by one
HASH_ON_OPEN_BYTES = 64 << 20  # larger files are compared by size on opening, and by content with `prepare --verify`


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


@dataclasses.dataclass(frozen=True)
class Column:
    """values [total, *frame] and offsets [n + 1] int64 of one feature, or no offsets where each example is one value."""

    values: Any
    offsets: Any
    dtype: str
    scale: float = 1.0

    def unscaled(self, stored: Any) -> Any:
        """Values as a batch holds them, from values as they are stored."""
        values = stored.astype(self.dtype, copy=False)
        return values if self.scale == 1.0 else values * np.asarray(1.0 / self.scale, self.dtype)


class Columns:
    """One prepared split: examples by number, features by name."""

    def __init__(self, folder: Path, entry: dict[str, Any]):
        """Opens the files listed in the manifest's entry; raises UserError if one is missing or damaged."""
        self.folder, self.num_examples, self.entry = Path(folder), entry["examples"], entry
        self._columns = {name: self._open(column) for name, column in entry["columns"].items()}

    @property
    def names(self) -> list[str]:
        """The features that were prepared."""
        return list(self._columns)

    def lengths(self, name: str) -> Any:
        """Steps of each example of a ragged feature: int32 [n]."""
        return np.diff(self._column(name).offsets).astype(np.int32)

    def offsets(self, name: str) -> Any:
        """Where each example of a ragged feature begins among all values: int64 [n + 1], on disk."""
        return self._column(name).offsets

    def flat(self, name: str, ids: Any) -> tuple[Any, Any]:
        """(values [total, *frame] one example after the other, lengths [ids]) of a ragged feature."""
        column, ids = self._column(name), np.asarray(ids, np.int64)
        starts = column.offsets[ids]
        lengths = column.offsets[ids + 1] - starts
        place = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
        values = column.values[place].astype(column.dtype, copy=False) if len(place) else np.zeros([0], column.dtype)
        return values, lengths

    def texts(self, name: str, ids: Any = None) -> list[str]:
        """The raw texts of a bytes feature, of all examples or of those in `ids`."""
        return [text.decode("utf-8") for text in self.raw(name, range(self.num_examples) if ids is None else ids)]

    def raw(self, name: str, ids: Any) -> list[bytes]:
        """The bytes of a bytes feature, of the examples in `ids`."""
        column = self._column(name)
        return [column.values[column.offsets[i] : column.offsets[i + 1]].tobytes() for i in map(int, ids)]

    def gather(self, name: str, ids: Any, time: int = 0) -> Any:
        """[len(ids), time, *frame] of a ragged feature, or [len(ids), *frame] of a fixed one, in the feature's dtype.

        Rows are zero after their end and cut at `time`; an id below 0 gives a row of zeros.
        """
        column, ids = self._column(name), np.asarray(ids, np.int64)
        if column.offsets is not None and time >= LONG_ROWS:
            return _gather_long(column, ids, time)
        is_real, safe = ids >= 0, np.maximum(ids, 0)
        if column.offsets is None:
            is_used = is_real
            place = safe
        else:
            starts = column.offsets[safe]
            sizes = np.where(is_real, column.offsets[safe + 1] - starts, 0)
            steps = np.arange(time)
            is_used = steps < sizes[:, None]
            place = np.where(is_used, starts[:, None] + steps, 0)
        if not is_used.any():
            return np.zeros([*is_used.shape, *column.values.shape[1:]], column.dtype)
        values = column.unscaled(column.values[place])
        values[~is_used] = 0
        return values

    def verify(self) -> None:
        """Compares the content of all files with their checksums; raises UserError on the first difference."""
        for column in self.entry["columns"].values():
            for part in (column["values"], column["offsets"]):
                if part and file_sha256(self.folder / part["file"]) != part["sha256"]:
                    raise _damaged(self.folder / part["file"])

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            raise KeyError(f"{self.folder}: no feature {name!r} was prepared; there is {', '.join(self._columns)}")
        return self._columns[name]

    def _open(self, entry: dict[str, Any]) -> Column:
        offsets = self._array(entry["offsets"]) if entry["offsets"] else None
        dtype = "uint8" if entry["dtype"] == "bytes" else entry["dtype"]
        return Column(self._array(entry["values"]), offsets, dtype, entry.get("scale", 1.0))

    def _array(self, part: dict[str, Any]) -> Any:
        file = self.folder / part["file"]
        if not file.is_file() or file.stat().st_size != part["bytes"]:
            raise _damaged(file)
        if part["bytes"] <= HASH_ON_OPEN_BYTES and file_sha256(file) != part["sha256"]:
            raise _damaged(file)
        # an array without rows cannot be mapped
        return np.load(file, mmap_mode="r" if part["bytes"] > HEADER_BYTES else None, allow_pickle=False)


def _gather_long(column: Column, ids: Any, time: int) -> Any:
    """`gather` row by row: for long rows that is faster than to compute the place of each value."""
    values = np.zeros([len(ids), time, *column.values.shape[1:]], column.dtype)
    for row, number in enumerate(ids.tolist()):
        if number >= 0:
            start, end = int(column.offsets[number]), int(column.offsets[number + 1])
            end = min(end, start + time)
            values[row, : end - start] = column.unscaled(column.values[start:end])
    return values


def _damaged(file: Path) -> UserError:
    return UserError(f"{file}: prepared data is damaged or incomplete", hint=f"delete {file.parent.parent} and prepare again")
