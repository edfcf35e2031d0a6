import math

import pytest

from seqcfg.errors import UserError
from seqcfg.runs.records import Records, read


def test_records_come_back_in_order_and_by_kind(tmp_path):
    path = tmp_path / "records.jsonl"
    with Records(path) as records:
        records.append(1, "train", loss=2.5)
        records.append(1, "validation", bleu=31.25, split="validation")
        records.append(2, "train", loss=2.0)
    assert [r["loss"] for r in read(path, "train")] == [2.5, 2.0]
    assert read(path)[1] == {"step": 1, "kind": "validation", "bleu": 31.25, "split": "validation"}


def test_a_torn_last_line_is_not_read_and_is_mended_before_the_next_record(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"step": 1, "kind": "train", "loss": 1.0}\n{"step": 2, "kind": "tr')
    assert [r["step"] for r in read(path)] == [1]
    with Records(path) as records:
        records.append(2, "train", loss=0.5)
    assert [r["loss"] for r in read(path)] == [1.0, 0.5]


def test_every_prefix_of_the_file_can_be_read_and_continued(tmp_path):
    path = tmp_path / "records.jsonl"
    with Records(path) as records:
        for step in range(1, 4):
            records.append(step, "train", text="é\u2028x")
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        steps = [r["step"] for r in read(path)]
        assert steps == list(range(1, content[:size].count(b"\n") + 1))
        with Records(path) as records:
            records.append(9, "event")
        assert [r["step"] for r in read(path)] == [*steps, 9]


def test_resuming_leaves_no_step_twice(tmp_path):
    path = tmp_path / "records.jsonl"
    with Records(path) as records:
        for step in range(1, 8):
            records.append(step, "train", loss=float(step))
    with Records(path) as records:
        assert records.truncate_after(4) == 3
        assert records.truncate_after(4) == 0
        records.append(5, "train", loss=50.0)
    assert [(r["step"], r["loss"]) for r in read(path)] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 50.0)]


def test_numbers_that_json_lacks_survive(tmp_path):
    with Records(tmp_path / "r") as records:
        records.append(1, "train", loss=math.nan, norm=-math.inf, parts={"a": math.inf})
        records.append(2, "train", loss=1.0)
        records.truncate_after(1)
    record = read(tmp_path / "r")[0]
    assert math.isnan(record["loss"]) and record["norm"] == -math.inf and record["parts"] == {"a": "inf"}


def test_array_scalars_become_numbers(tmp_path):
    import numpy as np

    with Records(tmp_path / "r") as records:
        records.append(np.int64(3), "train", loss=np.float32(0.5), count=np.int32(7))
    assert read(tmp_path / "r") == [{"step": 3, "kind": "train", "loss": 0.5, "count": 7}]


@pytest.mark.parametrize(
    "line", [b"oops", b"[]", b'{"kind": "train"}', b'{"step": "1", "kind": "train"}', b'{"step": 1, "kind": "x"}', b"\xff"]
)
def test_a_foreign_line_is_named(tmp_path, line):
    (tmp_path / "r").write_bytes(b'{"step": 1, "kind": "train"}\n' + line + b"\n")
    with pytest.raises(UserError, match="r:2: not a record"):
        read(tmp_path / "r")


def test_no_file_means_no_records_and_an_unknown_kind_is_refused(tmp_path):
    assert read(tmp_path / "none") == []
    with Records(tmp_path / "r") as records, pytest.raises(ValueError, match="none of train, validation, event"):
        records.append(1, "other")


class FullDisk:
    """A file that takes `room` more bytes."""

    def __init__(self, file, room):
        self._file, self.room = file, room

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, content):
        if not self.room:
            raise OSError(28, "No space left on device")
        taken, self.room = content[: self.room], max(0, self.room - len(content))
        return self._file.write(taken)


def test_a_full_disk_tears_no_line_and_what_found_no_room_is_written_later(tmp_path):
    with Records(tmp_path / "r.jsonl") as curve:
        curve.append(1, "train", loss=1.0)
        curve._file = disk = FullDisk(curve._file, room=20)
        curve.append(2, "train", loss=2.0)
        curve.append(3, "train", loss=3.0)
        assert [record["step"] for record in read(tmp_path / "r.jsonl")] == [1]
        disk.room = 10_000
        curve.append(4, "train", loss=4.0)
    assert [record["step"] for record in read(tmp_path / "r.jsonl")] == [1, 2, 3, 4]
