import gzip
import io
import tarfile

import pytest

from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.sources.text import TextLines
from seqcfg.errors import UserError

TEXT = "eins\nzwei\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return DataRoot(tmp_path / "data", tmp_path / "cache")


def texts(root, path):
    return [example.fields["text"] for example in TextLines(path=path).examples(root)]


def put(root, **files):
    for name, text in files.items():
        (root.folder / name.replace("_", ".")).write_text(text)


@pytest.mark.parametrize("frames", [1, 3])
def test_zstandard_reads_like_plain_text_in_any_number_of_frames(root, frames):
    zstandard = pytest.importorskip("zstandard")
    (root.folder / "x.zst").write_bytes(b"".join(zstandard.compress(TEXT.encode()) for _ in range(frames)))
    assert texts(root, "x.zst") == ["eins", "zwei"] * frames


def test_zstandard_that_is_cut_or_damaged_is_refused(root):
    zstandard = pytest.importorskip("zstandard")
    whole = zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(b"%d line\n" % n for n in range(5000)))
    for cut in (whole[:-3], whole[: len(whole) // 2]):
        (root.folder / "x.zst").write_bytes(cut)
        with pytest.raises(UserError, match=r"x\.zst:\d+: cannot be read"):
            list(read_lines(root.folder / "x.zst", "x.zst"))
    (root.folder / "x.zst").write_bytes(whole[:100] + bytes(50) + whole[150:])
    with pytest.raises(UserError, match=r"x\.zst:\d+: cannot be read"):
        texts(root, "x.zst")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_members_of_tar_archives_are_read_in_place(root, mode):
    with tarfile.open(root.folder / "x.tar", mode) as tar:
        for name, content in (("./a/one.txt", TEXT.encode()), ("a/two.gz", gzip.compress(b"drei\n"))):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert texts(root, ["x.tar!a/one.txt", "x.tar!a/two.gz"]) == ["eins", "zwei", "drei"]
    with pytest.raises(UserError, match="no such file"):
        texts(root, "x.tar!a/three")
    cut = (root.folder / "x.tar").read_bytes()[: -700 if mode == "w" else -20]
    (root.folder / "x.tar").write_bytes(cut[:600] if mode == "w" else cut)
    with pytest.raises(UserError, match="cannot be read|no such file"):
        texts(root, "x.tar!a/two.gz")


def test_patterns_and_shards_name_files_in_order(root):
    put(root, **{"x-00000-of-00002_txt": "1\n", "x-00001-of-00002_txt": "2\n", "y_txt": "3\n"})
    assert texts(root, "x-*.txt") == texts(root, "x@2.txt") == ["1", "2"]
    assert root.expand(["x@2.txt", "y.txt"])[-1] == "y.txt"
    with pytest.raises(UserError, match="no file below"):
        texts(root, "z-*.txt")
    with pytest.raises(UserError, match="there is no such file"):
        texts(root, "x@3.txt")


def test_patterns_do_not_lead_out_of_the_data_root(root):
    put(root, a_txt="1\n")
    (root.folder.parent / "secret.txt").write_text("x")
    (root.folder / "leak.txt").symlink_to(root.folder.parent / "secret.txt")
    with pytest.raises(UserError, match="symbolic link"):
        texts(root, "l*.txt")
    with pytest.raises(UserError, match="leads out"):
        texts(root, "../*.txt")


def test_two_patterns_that_fit_different_numbers_of_files_are_not_parallel(root):
    put(root, a1_en="1\n", a2_en="2\n", a1_de="eins\n")
    with pytest.raises(UserError, match="2 files and .* are 1: they"):
        list(ParallelText(source="a*.en", target="a*.de").examples(root))


def test_a_new_shard_changes_the_hashes(root):
    put(root, **{"x-1_txt": "1\n"})
    before = root.hashes_of(root.expand(["x-*.txt"]))
    put(root, **{"x-2_txt": "2\n"})
    assert set(root.hashes_of(root.expand(["x-*.txt"]))) == {*before, "x-2.txt"}


def test_lines_of_a_member_are_numbered(root):
    with tarfile.open(root.folder / "x.tar", "w") as tar:
        info = tarfile.TarInfo("a.txt")
        info.size = len(b"ok\n\xff\n")
        tar.addfile(info, io.BytesIO(b"ok\n\xff\n"))
    assert [(line.number, bool(line.problem)) for line in read_lines(root.folder / "x.tar", "x.tar!a.txt")] == [(1, False), (2, True)]
