import gzip
import io
import tarfile

import pytest

from seqcfg.data.archive import Limits, extract
from seqcfg.data.corpora import CORPORA, Corpus, Item
from seqcfg.data.fetch import fetch
from seqcfg.data.remote import RemoteFile
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError


def archive(folder, entries, mode="w:gz"):
    """A tar file of (name, content, or the type of an entry without content as a str)."""
    file = folder / "made.tgz"
    with tarfile.open(file, mode) as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content.encode(), "/etc/passwd"
                tar.addfile(info)
    return file


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_only_the_named_members_are_written_and_only_where_told(mode, tmp_path):
    file = archive(tmp_path, [("../../evil", b"x"), ("/tmp/evil", b"x"), ("./a/one", b"1"), ("a/two", b"2"), ("rest", b"3")], mode)
    extract(file, {"a/one": tmp_path / "out" / "x", "a/two": tmp_path / "out" / "y"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"x": b"1", "y": b"2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.tgz", "out"]


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_devices_and_folders_are_refused_as_members(type, tmp_path):
    with pytest.raises(UserError, match="one is not a regular file"):
        extract(archive(tmp_path, [("one", type.decode())]), {"one": tmp_path / "out"})
    assert not (tmp_path / "out").exists()


def test_a_missing_member_is_named(tmp_path):
    with pytest.raises(UserError, match="has no member two"):
        extract(archive(tmp_path, [("one", b"1")]), {"one": tmp_path / "one", "two": tmp_path / "two"})


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"\x1f\x8b" + data[:50], lambda data: b"text" * 500])
def test_damaged_archives_are_refused_and_leave_no_file(damage, tmp_path):
    file = archive(tmp_path, [("one", bytes(range(256)) * 800)])
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError, match="is damaged|has no member"):
        extract(file, {"one": tmp_path / "out"})
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.part").exists()


def test_a_bomb_is_stopped_early(tmp_path):
    file = archive(tmp_path, [("one", bytes(40 << 20))])
    assert file.stat().st_size < 100_000
    with pytest.raises(UserError, match="unpacks to far more"):
        extract(file, {"one": tmp_path / "out"})
    assert not (tmp_path / "out").exists()


def test_the_caps_on_bytes_and_entries_hold(tmp_path):
    file = archive(tmp_path, [(f"n{number}", b"x") for number in range(30)] + [("one", b"1")])
    with pytest.raises(UserError, match="more than 20 entries"):
        extract(file, {"one": tmp_path / "out"}, Limits(entries=20))
    with pytest.raises(UserError, match="unpacks to far more"):
        extract(file, {"one": tmp_path / "out"}, Limits(bytes=5000))
    extract(file, {"one": tmp_path / "out"})
    assert (tmp_path / "out").read_bytes() == b"1"


def test_an_archive_that_was_fetched_before_is_used_again(tmp_path, monkeypatch):
    root = DataRoot(tmp_path / "data", tmp_path / "cache")
    (tmp_path / "data" / "downloads").mkdir(parents=True)
    archive(tmp_path, [("in/a", b"1")]).rename(tmp_path / "data" / "downloads" / "made.tgz")
    item = Item(RemoteFile("http://127.0.0.1:9/made.tgz", 0, ""), members=(("in/a", "small/a"),))
    monkeypatch.setitem(CORPORA, "small", Corpus("x", "y", (item,)))
    assert list(fetch("small", root))[1:] == ["  small/a"]
    assert (tmp_path / "data" / "small" / "a").read_bytes() == b"1"


def test_a_packed_member_stays_packed(tmp_path):
    inner = gzip.compress(b"line\n")
    extract(archive(tmp_path, [("x.gz", inner)], "w"), {"x.gz": tmp_path / "x.gz"})
    assert gzip.decompress((tmp_path / "x.gz").read_bytes()) == b"line\n"
