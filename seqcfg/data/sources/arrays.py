"""NumPy arrays: examples that other programs have written as .npy files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError
from seqcfg.lazy import np


class NumpyArrays(Source, type="numpy"):
    """Arrays whose first axis counts examples; or values of all examples one after the other, with n + 1 offsets."""

    fields: dict[Name, DataPath] = param(doc="Field name -> .npy file.")
    offsets: dict[Name, DataPath] = param(
        factory=dict, doc="Field name -> .npy file of n + 1 whole numbers: example i is values[offsets[i]:offsets[i + 1]]."
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        for name in self.offsets:
            if name not in self.fields:
                yield "offsets", f"there is no field {name!r} that offsets could cut", f"fields: {', '.join(self.fields)}"

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return [*self.fields.values(), *self.offsets.values()]

    def field_names(self) -> tuple[str, ...]:
        """The fields that have a file."""
        return tuple(self.fields)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per row; raises UserError if a file is damaged, holds Python objects, or has another number of rows."""
        values = {name: _open(root, path) for name, path in self.fields.items()}
        offsets = {name: self._bounds(root, name, values[name]) for name in self.offsets}
        counts = {path: len(offsets[name]) - 1 if name in offsets else len(values[name]) for name, path in self.fields.items()}
        if len(set(counts.values())) != 1:
            told = ", ".join(f"{path} has {count}" for path, count in counts.items())
            raise UserError(f"arrays must hold the same examples: {told}", hint="row n of each must belong to example n")
        first, count = next(iter(counts.items()))
        for row in range(count):
            fields = {
                name: np.array(array[offsets[name][row] : offsets[name][row + 1]] if name in offsets else array[row])
                for name, array in values.items()
            }
            yield Example(fields, first, row + 1)

    def _bounds(self, root: DataRoot, name: str, values: Any) -> Any:
        bounds = np.asarray(_open(root, self.offsets[name]))
        if bounds.ndim != 1 or not len(bounds) or (np.diff(bounds) < 0).any() or bounds[0] < 0 or bounds[-1] > len(values):
            raise UserError(
                f"{self.offsets[name]}: is not a list of offsets into {self.fields[name]} ({len(values)} values)",
                hint="n + 1 whole numbers that never fall, from 0 to the number of values",
            )
        return bounds


def _open(root: DataRoot, path: str) -> Any:
    try:
        return np.load(root.resolve(path), mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: is not a .npy file of numbers: {error}", hint="write it with numpy.save") from error
