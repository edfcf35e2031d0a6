"""Packed corpora that are cut short: what was read is kept, the loss is located, counted and held against the limit."""

import bz2
import gzip
import io
import lzma
import random
import zlib

import pytest

from seqcfg.data import tf_record
from seqcfg.data.feature import Feature
from seqcfg.data.prepare import prepare
from seqcfg.data.root import DataRoot
from seqcfg.data.selection import Counts, SplitRules, usable
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.sources.text import TextLines
from seqcfg.data.sources.tf_record import RecordFeature, TFRecords
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.errors import UserError
from tests.data.small import make_experiment

LINES = [f"{number} {random.Random(number).getrandbits(400):x}" for number in range(3000)]
TEXT = "".join(f"{line}\n" for line in LINES).encode()
PACKED = gzip.compress(TEXT, mtime=0)


def write(folder, name, content):
    (folder / name).write_bytes(content)


def read(folder, source):
    return list(source.examples(DataRoot(folder)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_every_line_that_a_cut_file_still_holds_is_read(tmp_path, share):
    cut = PACKED[: int(share * len(PACKED))]
    write(tmp_path, "x.gz", cut)
    *kept, last = read(tmp_path, TextLines(path="x.gz"))
    whole = zlib.decompressobj(31).decompress(cut).count(b"\n")
    assert [one.fields["text"] for one in kept] == LINES[:whole]
    assert last.place == f"x.gz:{whole + 1}" and last.problem == "the packed file is cut short, and what follows is lost"


@pytest.mark.parametrize(("suffix", "pack"), [("xz", lzma.compress), ("bz2", bz2.compress)])
def test_so_it_is_with_other_packers(tmp_path, suffix, pack):
    packed = pack(TEXT * 20)
    write(tmp_path, f"x.{suffix}", packed[: len(packed) // 2])
    *kept, last = read(tmp_path, TextLines(path=f"x.{suffix}"))
    assert len(kept) > 1000 and [one.fields["text"] for one in kept] == (LINES * 20)[: len(kept)] and last.problem


def test_a_file_that_fails_its_checksum_is_refused_whole_since_its_lines_may_be_wrong(tmp_path):
    write(tmp_path, "x.gz", PACKED[:-6] + bytes([PACKED[-6] ^ 1]) + PACKED[-5:])
    with pytest.raises(UserError, match=r"x\.gz:3001: cannot be read: CRC check failed"):
        read(tmp_path, TextLines(path="x.gz"))


def test_a_file_of_which_nothing_can_be_read_is_an_error(tmp_path):
    write(tmp_path, "x.gz", b"not packed at all")
    with pytest.raises(UserError, match=r"x\.gz:1: cannot be read"):
        read(tmp_path, TextLines(path="x.gz"))


def test_a_cut_side_of_parallel_text_loses_the_partners_of_its_lost_lines_and_no_other(tmp_path):
    write(tmp_path, "a.gz", PACKED[: len(PACKED) // 2])
    write(tmp_path, "b", TEXT)
    examples = read(tmp_path, ParallelText(source="a.gz", target="b"))
    kept = [one for one in examples if not one.problem]
    assert [one.fields for one in kept] == [{"source": line, "target": line} for line in LINES[: len(kept)]]
    assert 1000 < len(kept) < 2000 and len(examples) == 3000
    assert examples[len(kept)].place == f"a.gz:{len(kept) + 1}"
    assert examples[-1].place == "b:3000" and examples[-1].problem == "its partner is lost with the rest of a.gz"


def test_a_loss_within_the_limit_is_counted_and_one_beyond_it_refused(tmp_path):
    write(tmp_path, "x.gz", PACKED[:-100])
    source = {"train": TextLines(path="x.gz", field="source")}
    experiment = make_experiment(source, {"shared": Bytes()}, {"source": Feature("source", "shared")}, max_bad_examples=1)
    prepared = prepare(experiment, data_root=tmp_path, cache_root=tmp_path / "cache")
    counts = prepared.manifest["splits"]["train"]["counts"]
    assert counts["bad"] == 1 and 2900 < counts["kept"] < 3000 and counts["dropped"][0].startswith(f"x.gz:{counts['kept'] + 1}: ")
    with pytest.raises(UserError, match=r"more than 0 damaged examples.*\n.*x\.gz:\d+: the packed file is cut short"):
        list(usable(TextLines(path="x.gz").examples(DataRoot(tmp_path)), {"text"}, SplitRules("train", True, 0), Counts()))


def test_records_of_a_cut_packed_file_are_kept(tmp_path):
    plain, example = io.BytesIO(), tf_record.example_class()
    for line in LINES:
        message = example()
        message.features.feature["t"].bytes_list.value.append(line.encode())
        tf_record.write_record(plain, message.SerializeToString())
    packed = gzip.compress(plain.getvalue())
    write(tmp_path, "x.gz", packed[: len(packed) // 2])
    *kept, last = read(tmp_path, TFRecords(path="x.gz", fields={"text": RecordFeature(key="t", text=True)}))
    assert [one.fields["text"] for one in kept] == LINES[: len(kept)] and len(kept) > 1000
    assert last.place == f"x.gz:{len(kept) + 1}" and last.problem
