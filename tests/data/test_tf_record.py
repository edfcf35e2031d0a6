import io
import random

import numpy as np
import pytest

from seqcfg.data.crc32c import ALL_ONES, _remainder, crc32c
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.tf_record import RecordFeature, TFRecords
from seqcfg.data.tf_record import example_class, parse_example, read_records, write_record


def example(**features):
    """A serialised tf.Example."""
    message = example_class()()
    for name, values in features.items():
        kind = {bytes: "bytes_list", float: "float_list", int: "int64_list"}[type(values[0])]
        getattr(message.features.feature[name], kind).value.extend(values)
    return message.SerializeToString()


def shard(count=60):
    file, draw = io.BytesIO(), random.Random(0)
    records = [example(text=[b"text %d" % n], ids=[draw.randrange(100) for _ in range(n % 9 + 1)]) for n in range(count)]
    for record in records:
        write_record(file, record)
    return file.getvalue(), records


def test_the_checksum_is_that_of_the_standard():
    """RFC 3720, B.4: 32 bytes of zeros, of ones, rising; and the check value of the catalogues."""
    assert crc32c(b"123456789") == 0xE3069283
    assert [crc32c(bytes(32)), crc32c(b"\xff" * 32), crc32c(bytes(range(32)))] == [0x8A9136AA, 0x62A8AB43, 0x46DD794E]


@pytest.mark.parametrize("size", [1 << 16, (1 << 16) + 1, 100_003, 262_144 + 77])
def test_lanes_side_by_side_give_the_checksum_of_one(size):
    data = random.Random(size).randbytes(size)
    assert crc32c(data) == _remainder(data, ALL_ONES) ^ ALL_ONES


def test_tensorflow_writes_what_is_read_and_reads_what_is_written(tmp_path):
    tf = pytest.importorskip("tensorflow")
    data, records = shard(5)
    (tmp_path / "ours").write_bytes(data)
    assert [one.numpy() for one in tf.data.TFRecordDataset(str(tmp_path / "ours"))] == records
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in records:
            writer.write(record)
    assert (tmp_path / "theirs").read_bytes() == data
    theirs = tf.train.Example.FromString(records[3])
    assert list(theirs.features.feature["ids"].int64_list.value) == parse_example(records[3])["ids"]


def test_of_300_flipped_bits_none_gives_a_wrong_record():
    """S3 of the reliability list: a damaged record is a problem; what is read is what was written, at its own place."""
    data, records = shard()
    draw = random.Random(1)
    for _ in range(300):
        damaged = bytearray(data)
        place = draw.randrange(8 * len(data))
        damaged[place // 8] ^= 1 << place % 8
        found = list(read_records(io.BytesIO(bytes(damaged))))
        assert any(record.problem for record in found)
        assert all(record.data == records[record.number - 1] for record in found if not record.problem)
        assert sum(not record.problem for record in found) == len(records) - 1 or "cannot be found" in found[-1].problem


def test_a_file_that_is_cut_says_so():
    data, records = shard(3)
    for size in range(1, len(data)):
        found = list(read_records(io.BytesIO(data[:size])))
        is_at_the_end_of_a_record = not found[-1].problem
        whole = [record.data for record in found if not record.problem]
        assert whole == records[: len(whole)]
        assert is_at_the_end_of_a_record == (size in (sum(16 + len(one) for one in records[:n]) for n in (1, 2, 3)))


def test_an_absurd_length_asks_for_no_memory():
    from seqcfg.data.crc32c import masked

    size = (1 << 62).to_bytes(8, "little")
    found = list(read_records(io.BytesIO(size + masked(crc32c(size)).to_bytes(4, "little") + b"x")))
    assert found[0].problem


def test_features_become_fields(tmp_path):
    file = io.BytesIO()
    write_record(file, example(t=["gr\u00fcn".encode()], n=[7], f=[0.5, 1.5, 2.5, 3.5]))
    write_record(file, example(t=[b"\xff"], n=[7], f=[0.5]))
    write_record(file, example(t=[b"x"], n=[7], f=[0.5, 1.0, 2.0]))
    write_record(file, b"no message")
    (tmp_path / "x.tfrecord").write_bytes(file.getvalue())
    source = TFRecords(
        path="x.tfrecord",
        fields={
            "text": RecordFeature(key="t", text=True),
            "label": RecordFeature(key="n"),
            "frames": RecordFeature(key="f", shape=[-1, 2]),
        },
    )
    first, *others = source.examples(DataRoot(tmp_path, tmp_path / "cache"))
    assert (first.fields["text"], first.fields["label"]) == ("grün", 7)
    np.testing.assert_array_equal(first.fields["frames"], [[0.5, 1.5], [2.5, 3.5]])
    assert [one.place for one in others if one.problem] == ["x.tfrecord:2", "x.tfrecord:3", "x.tfrecord:4"]
