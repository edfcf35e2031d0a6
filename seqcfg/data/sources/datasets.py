"""Data sets that other libraries have prepared: TensorFlow Datasets and Hugging Face datasets, from folders on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name
from seqcfg.data.example import Example
from seqcfg.data.extras import extra
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.nested import is_text, value_at
from seqcfg.errors import UserError


class PreparedDataset(Source):
    """A folder below the data root, one of its splits, and which of its features become fields."""

    path: DataPath = param(doc="The data set's folder below the data root. Nothing is fetched.")
    split: Name = param(default="train", doc="Which of its splits is read.")
    fields: dict[Name, str] = param(doc="Field name -> feature of the data set; dots lead into nested features.")

    def paths(self) -> list[str]:
        """All files of the folder."""
        return [f"{self.path}/**/*"]

    def field_names(self) -> tuple[str, ...]:
        """The fields that are filled from features."""
        return tuple(self.fields)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per record, in the order of the files; a record that lacks a feature is an example with a problem."""
        folder = str(root.place(self.path))
        for number, record in enumerate(self.records(folder), 1):
            found = {field: _plain(value_at(record, key)) for field, key in self.fields.items()}
            missing = [key for field, key in self.fields.items() if found[field] is None]
            problem = f"has no {missing[0]!r}" if missing else ""
            if not problem and any(isinstance(value, str) and not is_text(value) for value in found.values()):
                problem = "holds half a surrogate pair or a NUL"
            yield Example({} if problem else found, f"{self.path}[{self.split}]", number, problem)

    def records(self, folder: str) -> Iterator[dict[str, Any]]:
        """The records of the split, as nested mappings."""
        raise TypeError(f"{type(self).__name__} defines no records")


class TensorFlowDataset(PreparedDataset, type="tfds"):
    """A data set of TensorFlow Datasets, from the folder of one version (such as `mnist/3.0.1`), files in order."""

    def records(self, folder: str) -> Iterator[dict[str, Any]]:
        """Raises UserError if the folder holds no prepared data set, or not this split."""
        library = extra("tensorflow_datasets", "a source of type tfds")
        try:
            builder = library.builder_from_directory(folder)
            config = library.ReadConfig(interleave_cycle_length=1)
            records = library.as_numpy(builder.as_dataset(split=self.split, shuffle_files=False, read_config=config))
        except (ValueError, OSError, KeyError) as error:
            raise self._refusal(error) from error
        yield from records

    def _refusal(self, error: Exception) -> UserError:
        return UserError(
            f"{self.path}: no split {self.split!r} of TensorFlow Datasets can be read: {error}", hint="name a version's folder"
        )


class HuggingFaceDataset(PreparedDataset, type="huggingface"):
    """A data set of the library `datasets`, from a folder that its `save_to_disk` wrote."""

    def records(self, folder: str) -> Iterator[dict[str, Any]]:
        """Raises UserError if the folder holds no saved data set, or not this split."""
        library = extra("datasets", "a source of type huggingface")
        try:
            saved = library.load_from_disk(folder)
        except (FileNotFoundError, ValueError, OSError) as error:
            raise UserError(f"{self.path}: is no data set that `datasets` saved: {error}", hint="write it with save_to_disk") from error
        if isinstance(saved, dict):
            if self.split not in saved:
                raise UserError(f"{self.path}: has no split {self.split!r}", hint=f"it has {', '.join(saved)}")
            saved = saved[self.split]
        yield from saved


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
