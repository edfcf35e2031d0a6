"""TFRecord files of tf.Example messages, as Lingvo, Tensor2Tensor and TensorFlow Datasets write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name
from seqcfg.data import tf_record
from seqcfg.data.example import Example
from seqcfg.data.lines import CUT, READ_ERRORS
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.parallel_text import as_list
from seqcfg.data.unpack import member_of, opened
from seqcfg.errors import UserError
from seqcfg.lazy import np


class RecordFeature(Record):
    """How a feature of the records becomes a field."""

    key: str = param(doc="Name of the feature in the records.")
    text: bool = param(default=False, doc="Whether bytes are text in UTF-8; otherwise they stay bytes.")
    shape: list[int] | None = param(
        default=None, doc="Shape of one example's numbers, -1 for the axis that varies; null keeps the list flat."
    )


class TFRecords(Source, type="tf_record"):
    """Records of tf.Example, plain or packed. Each record is checked with its CRC-32C; a damaged one is skipped and counted.

    A feature with one number becomes that number unless it has a shape; a feature of bytes must have one value.
    """

    path: DataPath | list[DataPath] = param(doc="File or files to read, in order; patterns and shards (train@8) are allowed.")
    fields: dict[Name, RecordFeature] = param(doc="Field name -> feature of the records.")

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return as_list(self.path)

    def field_names(self) -> tuple[str, ...]:
        """The fields that are filled from features."""
        return tuple(self.fields)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per record; a damaged record becomes an example with a problem."""
        for name in root.expand(self.paths()):
            number = 0
            try:
                with opened(root.resolve(name), member_of(name)) as file:
                    for record in tf_record.read_records(file):
                        number = record.number
                        yield self._example(name, record)
            except READ_ERRORS as error:
                if number and isinstance(error, EOFError):
                    yield Example({}, name, number + 1, CUT)
                    continue
                raise UserError(f"{name}: cannot be read: {error}", hint="the file is damaged or cut short; fetch it again") from error

    def _example(self, name: str, record: tf_record.Record) -> Example:
        if record.problem:
            return Example({}, name, record.number, record.problem)
        try:
            given = tf_record.parse_example(record.data)
            return Example({field: _value(given, feature) for field, feature in self.fields.items()}, name, record.number)
        except ValueError as error:
            return Example({}, name, record.number, f"not a tf.Example as described: {error}")


def _value(given: dict[str, list[Any]], feature: RecordFeature) -> Any:
    if feature.key not in given:
        raise ValueError(f"has no {feature.key!r}; it has {', '.join(sorted(given))}")
    values = given[feature.key]
    if values and isinstance(values[0], bytes):
        if len(values) != 1:
            raise ValueError(f"{feature.key!r} holds {len(values)} strings instead of one")
        return values[0].decode("utf-8") if feature.text else values[0]
    array = np.asarray(values, np.float32 if values and isinstance(values[0], float) else np.int64)
    if feature.shape is not None:
        return array.reshape(feature.shape)
    return array[0] if len(array) == 1 else array
