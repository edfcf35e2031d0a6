import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest

from seqcfg.data.archive import Limits, extract, extract_folder
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


def zipped(folder, entries, **settings):
    file = folder / "made.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **settings) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return file


def test_members_of_zip_archives_are_written_like_those_of_tar_archives(tmp_path):
    file = zipped(tmp_path, [("../evil", b"x"), ("a/one", b"1"), ("b", b"2")])
    extract(file, {"a/one": tmp_path / "out"})
    assert (tmp_path / "out").read_bytes() == b"1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.zip", "out"]
    with pytest.raises(UserError, match="has no member c"):
        extract(file, {"c": tmp_path / "c"})


def test_links_and_damage_in_zip_archives_are_refused(tmp_path):
    link = zipfile.ZipInfo("one")
    link.external_attr = 0o120777 << 16
    with pytest.raises(UserError, match="one is not a regular file"):
        extract(zipped(tmp_path, [(link, "/etc/passwd")]), {"one": tmp_path / "out"})
    file = zipped(tmp_path, [("one", bytes(range(256)) * 400)])
    whole = file.read_bytes()
    for damaged in (whole[:-30], whole[:200] + b"????" + whole[204:], whole[:100]):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match="is damaged"):
            extract(file, {"one": tmp_path / "out"})
        assert not (tmp_path / "out").exists()


def test_bombs_in_zip_archives_are_stopped_early_whatever_they_claim(tmp_path):
    file = zipped(tmp_path, [("one", bytes(40 << 20))], compresslevel=9)
    content = bytearray(file.read_bytes())
    place = content.find(b"PK\1\2")
    content[place + 24 : place + 28] = struct.pack("<I", 10)  # claims to hold ten bytes
    for claim in (file.read_bytes(), bytes(content)):
        file.write_bytes(claim)
        tracemalloc.start()
        with pytest.raises(UserError, match="unpacks to far more|is damaged"):
            extract(file, {"one": tmp_path / "out"})
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
        tracemalloc.stop()
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["short", "long"])
def test_a_million_names_are_refused_before_they_are_read(form, tmp_path):
    file = zipped(tmp_path, [("one", b"1")])
    content = file.read_bytes()
    place = content.rfind(b"PK\5\6")
    end = bytearray(content[place:])
    if form == "short":
        end[8:12] = struct.pack("<HH", 60_000, 60_000)
        file.write_bytes(content[:place] + end)
    else:
        end[8:12] = b"\xff" * 4
        long = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 10**6, 10**6, 46 * 10**6, 0)
        locator = b"PK\6\7" + struct.pack("<IQI", 0, place, 1)
        file.write_bytes(content[:place] + long + locator + end)
    with pytest.raises(UserError, match="more than 20000 entries"):
        extract(file, {"one": tmp_path / "out"})


def test_an_archive_in_an_archive_is_a_file_like_any_other(tmp_path):
    """So that neither a nested bomb nor a quine is ever unpacked by itself."""
    inner = gzip.compress(bytes(10 << 20))
    extract(archive(tmp_path, [("bomb.gz", inner)], "w"), {"bomb.gz": tmp_path / "bomb.gz"})
    assert (tmp_path / "bomb.gz").stat().st_size == len(inner)


def test_a_folder_appears_whole_with_the_files_below_the_prefix(tmp_path):
    file = archive(tmp_path, [("top/a/1.txt", b"1"), ("./top/2.txt", b"2"), ("other/3.txt", b"3")])
    extract_folder(file, "top/", tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"a/1.txt": b"1", "2.txt": b"2"}


@pytest.mark.parametrize("name", ["top/../../evil", "top//etc/passwd", "top/a\\b", "top/C:evil", "top/" + "x" * 500])
def test_names_that_lead_elsewhere_are_refused_and_leave_nothing(name, tmp_path):
    with pytest.raises(UserError, match="has no place in a corpus"):
        extract_folder(archive(tmp_path, [("top/good", b"1"), (name, b"x")]), "top/", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.tgz"]


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_folder_are_refused_and_leave_nothing(type, tmp_path):
    with pytest.raises(UserError, match="is not a regular file"):
        extract_folder(archive(tmp_path, [("top/good", b"1"), ("top/link", type.decode())]), "top/", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.tgz"]


def test_an_archive_of_a_folder_is_unpacked_when_it_is_fetched(tmp_path, monkeypatch):
    root = DataRoot(tmp_path / "data", tmp_path / "cache")
    (tmp_path / "data" / "downloads").mkdir(parents=True)
    archive(tmp_path, [("in/x/a", b"1")]).rename(tmp_path / "data" / "downloads" / "made.tgz")
    item = Item(RemoteFile("http://127.0.0.1:9/made.tgz", 0, ""), "small/part", prefix="in/")
    monkeypatch.setitem(CORPORA, "small", Corpus("x", "y", (item,)))
    assert list(fetch("small", root))[1:] == ["  small/part"]
    assert (tmp_path / "data" / "small" / "part" / "x" / "a").read_bytes() == b"1"
