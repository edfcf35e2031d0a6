"""IDX files: the format of MNIST and its like (LeCun et al. 1998)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name
from seqcfg.data.example import Example
from seqcfg.data.lines import READ_ERRORS
from seqcfg.data.root import DataRoot
from seqcfg.data.unpack import member_of, opened
from seqcfg.errors import UserError
from seqcfg.lazy import np

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BLOCK_EXAMPLES = 4096


class IdxArrays(Source, type="idx"):
    """Arrays in IDX files, one per field, that run through the same examples; plain or packed.

    Each example's array gets an axis of one channel where `has_channel` is set: images [height, width, 1].
    """

    fields: dict[Name, DataPath] = param(doc="Field name -> IDX file, such as image and label.")
    has_channel: bool = param(default=True, doc="Whether arrays of two axes get a third one, for a single channel.")

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return list(self.fields.values())

    def field_names(self) -> tuple[str, ...]:
        """The fields that have a file."""
        return tuple(self.fields)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per row of the arrays; raises UserError if a file is damaged, or has another number of rows."""
        columns = {field: self._rows(root, path) for field, path in self.fields.items()}
        first = next(iter(self.fields.values()))
        for number, values in enumerate(itertools.zip_longest(*columns.values()), 1):
            if any(value is None for value in values):
                short = [path for value, path in zip(values, self.fields.values(), strict=True) if value is None]
                raise UserError(f"{short[0]} has only {number - 1} examples", hint="the files must hold the same examples")
            yield Example(dict(zip(columns, values, strict=True)), first, number)

    def _rows(self, root: DataRoot, name: str) -> Iterator[Any]:
        try:
            with opened(root.resolve(name), member_of(name)) as file:
                dtype, shape = _header(file, name)
                frame = (*shape[1:], 1) if len(shape) == 3 and self.has_channel else shape[1:]
                size = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
                for start in range(0, shape[0], BLOCK_EXAMPLES):
                    count = min(BLOCK_EXAMPLES, shape[0] - start)
                    data = file.read(count * size)
                    if len(data) != count * size:
                        raise EOFError(f"it ends within example {start + len(data) // size + 1} of {shape[0]}")
                    yield from np.frombuffer(data, dtype).astype(dtype.newbyteorder("=")).reshape(count, *frame)
        except READ_ERRORS as error:
            raise UserError(f"{name}: cannot be read: {error}", hint="the file is damaged or cut short; fetch it again") from error


def _header(file: IO[bytes], name: str) -> tuple[Any, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or not magic[3]:
        raise UserError(f"{name}: is not an IDX file", hint="name the file as it was published, such as train-images-idx3-ubyte.gz")
    sizes = file.read(4 * magic[3])
    return np.dtype(DTYPES[magic[2]]), tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
