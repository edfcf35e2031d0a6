"""Columns: prepared examples on disk, one array of values per feature, memory-mapped and read at random."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from seqcfg.data.column_writer import HEADER_BYTES
from seqcfg.data.hashes import file_sha256
from seqcfg.errors import UserError
from seqcfg.lazy import np

LONG_ROWS = 256  # steps from which rows are gathered one by one
HASH_ON_OPEN_BYTES = 64 << 20  # larger files are compared by size on opening, and by content with `prepare --verify`


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
