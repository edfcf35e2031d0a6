"""TFRecord files: framed records with checksums, read without TensorFlow; and the tf.Example messages in them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from seqcfg.data.crc32c import crc32c, masked

HEADER_BYTES, FOOTER_BYTES = 12, 4  # length and its checksum before the data, the checksum of the data behind it
MAX_RECORD_BYTES = 1 << 30


class Record(NamedTuple):
    """A record's bytes, its number in the file counted from 1, and "" or why it cannot be used."""

    data: bytes
    number: int
    problem: str = ""


def read_records(file: IO[bytes]) -> Iterator[Record]:
    """The records of a file in order. One whose data fails its checksum is a problem, and reading goes on behind it.

    Behind a damaged length nothing can be found: that is the last record, and its problem says so.
    """
    number = 0
    while header := _read(file, HEADER_BYTES):
        number += 1
        size = int.from_bytes(header[:8], "little")
        if len(header) < HEADER_BYTES:
            yield Record(b"", number, "the file ends within a record")
            return
        if masked(crc32c(header[:8])) != int.from_bytes(header[8:], "little") or size > MAX_RECORD_BYTES:
            yield Record(b"", number, "its length fails its checksum, and what follows cannot be found")
            return
        data, footer = _read(file, size), _read(file, FOOTER_BYTES)
        if len(data) < size or len(footer) < FOOTER_BYTES:
            yield Record(b"", number, "the file ends within a record")
            return
        is_whole = masked(crc32c(data)) == int.from_bytes(footer, "little")
        yield Record(data, number) if is_whole else Record(b"", number, "its data fails its checksum")


def write_record(file: IO[bytes], data: bytes) -> None:
    """Appends one record."""
    size = len(data).to_bytes(8, "little")
    file.write(size + masked(crc32c(size)).to_bytes(4, "little") + data + masked(crc32c(data)).to_bytes(4, "little"))


def parse_example(data: bytes) -> dict[str, list[Any]]:
    """{name: list of bytes, floats or ints} of a serialised tf.Example; raises ValueError if it is none."""
    from google.protobuf.message import DecodeError

    message = example_class()()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    found = {}
    for name, feature in message.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else []
    return found


@functools.cache
def example_class() -> Any:
    """The message class of tensorflow.Example, made from its published definition (tensorflow/core/example/*.proto)."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")

    def add(parent: Any, name: str, number: int, kind: Any, of: str = "", repeated: bool = False, **rest: Any) -> None:
        label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        parent.field.add(name=name, number=number, type=kind, label=label, type_name=f".tensorflow.{of}" if of else None, **rest)

    lists = {"BytesList": field.TYPE_BYTES, "FloatList": field.TYPE_FLOAT, "Int64List": field.TYPE_INT64}
    for name, kind in lists.items():
        add(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (key, name) in enumerate(zip(("bytes_list", "float_list", "int64_list"), lists, strict=True), 1):
        add(feature, key, number, field.TYPE_MESSAGE, name, oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, field.TYPE_STRING)
    add(entry, "value", 2, field.TYPE_MESSAGE, "Feature")
    add(features, "feature", 1, field.TYPE_MESSAGE, "Features.FeatureEntry", repeated=True)
    add(file.message_type.add(name="Example"), "features", 1, field.TYPE_MESSAGE, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def _read(file: IO[bytes], size: int) -> bytes:
    """`size` bytes, or fewer at the end of the file; never asks for more memory than there is to read."""
    blocks, left = [], size
    while left and (block := file.read(min(left, 1 << 20))):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)
