"""Streams of lines: as many texts as lines whatever they hold, in blocks of bounded size, as they come."""

import gzip
import io
import os
import sys

import pytest

from seqcfg.data import line_stream
from seqcfg.data.line_stream import LineStream, blocks, rows_of
from seqcfg.errors import UserError


def texts(tmp_path, content, name="file"):
    (tmp_path / name).write_bytes(content)
    stream = LineStream(str(tmp_path / name))
    return list(stream.texts()), stream


def test_what_is_no_text_becomes_a_sign_and_the_number_of_lines_stays(tmp_path):
    found, stream = texts(tmp_path, b"one\n\n\xff\xfeb\nn\0l\n  \nlast \xe2\x80\xa8 line\r\n\xef\xbf\xbd")
    assert found == ["one", "", "\ufffd\ufffdb", "n\ufffdl", "  ", "last \u2028 line", "\ufffd"]
    assert (stream.num_bad, stream.bad) == (2, [3, 4])
    assert "2 lines held NUL or bytes that are not UTF-8, now U+FFFD: line 3, 4" in stream.remarks()[0]


def test_a_byte_order_mark_and_a_missing_last_line_end_change_nothing(tmp_path):
    assert texts(tmp_path, b"\xef\xbb\xbfa\nb")[0] == ["a", "b"] == texts(tmp_path, b"a\r\nb\r\n")[0]
    assert texts(tmp_path, b"")[0] == [] and texts(tmp_path, b"\n")[0] == [""]


def test_a_line_without_end_is_cut_at_a_character_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(line_stream, "MAX_LINE_BYTES", 7)
    found, stream = texts(tmp_path, "äöüäöü\nshort\n".encode() + b"x" * 50)
    assert found == ["äöü", "short", "xxxxxx"]
    assert stream.num_cut == 2 and stream.num_bad == 0 and "2 lines were longer" in stream.remarks()[0]


def test_packed_files_are_unpacked_and_damaged_ones_name_the_line(tmp_path):
    packed = gzip.compress(b"".join(b"%d\n" % number for number in range(50_000)))
    assert len(texts(tmp_path, packed, "lines.gz")[0]) == 50_000
    with pytest.raises(UserError, match=r"lines.gz:\d+: cannot be read"):
        texts(tmp_path, packed[: len(packed) // 2], "lines.gz")
    with pytest.raises(UserError, match="there is no such file"):
        LineStream(str(tmp_path / "none"))


def test_lines_are_counted_where_that_is_cheap(tmp_path):
    for content, lines in ((b"", 0), (b"a", 1), (b"a\n", 1), (b"a\n\nb", 3)):
        assert texts(tmp_path, content)[1].total() == lines
    assert texts(tmp_path, gzip.compress(b"a\n"), "f.gz")[1].total() == 0 == LineStream("-").total()


def test_blocks_begin_small_grow_and_keep_the_order():
    sizes = [len(block) for block in blocks(("a",) for _ in range(30_000))]
    assert sizes[:4] == [64, 128, 256, 512] and max(sizes) == line_stream.MAX_BLOCK and sum(sizes) == 30_000
    rows = [(str(number),) for number in range(1000)]
    assert [row for block in blocks(iter(rows)) for row in block] == rows


def test_padding_to_a_long_line_is_bounded(monkeypatch):
    monkeypatch.setattr(line_stream, "MAX_PADDED", 100)
    rows = [("a" * size,) for size in (1, 2, 3, 90, 1, 1, 1, 500, 2)]
    found = [[len(row[0]) for row in block] for block in blocks(iter(rows))]
    assert found == [[1, 2, 3], [90], [1, 1, 1], [500], [2]]
    assert all(len(block) * max(block) <= 100 or len(block) == 1 for block in found)


def test_a_hundred_thousand_lines_are_never_held_together():
    held = most = 0

    def lines():
        nonlocal held, most
        for number in range(100_000):
            held += 1
            most = max(most, held)
            yield (f"line {number}",)

    total = 0
    for block in blocks(lines()):
        total += len(block)
        held -= len(block)
        assert len(block) <= line_stream.MAX_BLOCK
    assert total == 100_000 and most <= line_stream.MAX_BLOCK + 1


def test_parallel_streams_of_different_length_are_refused_by_name(tmp_path):
    (tmp_path / "a").write_text("1\n2\n3\n")
    (tmp_path / "b").write_text("x\ny\n")
    streams = [LineStream(str(tmp_path / name)) for name in "ab"]
    rows = rows_of(streams)
    assert [next(rows), next(rows)] == [("1", "x"), ("2", "y")]
    with pytest.raises(UserError, match="b has 2 lines, and the other side has more"):
        next(rows)


def test_standard_input_is_answered_while_the_writer_waits(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as end:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(end))
        os.write(writing, b"first\nsec")
        found = blocks(rows_of([LineStream("-")]))
        assert next(found) == [("first",)]  # no end of file, no full block: the writer waits for its answer
        os.write(writing, b"ond\n\nlast")
        os.close(writing)
        assert [row for block in found for row in block] == [("second",), ("",), ("last",)]


def test_an_endless_line_on_standard_input_takes_bounded_memory(monkeypatch):
    monkeypatch.setattr(line_stream, "MAX_LINE_BYTES", 1000)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as end:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(end))
        os.write(writing, b"a" * 30_000 + b"\nnext\n" + b"b" * 20_000)
        os.close(writing)
        stream = LineStream("-")
        assert [len(text) for text in stream.texts() if text is not None] == [999, 4, 999]
        assert stream.num_cut == 2
