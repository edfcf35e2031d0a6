import hashlib
import http.server
import re
import threading
import urllib.request

import pytest

from seqcfg.data import corpora
from seqcfg.data.corpora import CORPORA, Corpus, Item
from seqcfg.data.download import ATTEMPTS, _is_private, _NoDowngrade, download
from seqcfg.data.fetch import fetch
from seqcfg.data.remote import RemoteFile
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `breaks` lists after how many bytes each of the first answers ends, with the length it promised."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks, self.ranges, self.knows_ranges, self.status, self.content = [], [], True, 200, CONTENT


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(wanted[6:-1]) if wanted and server.knows_ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.end_headers()
        end = start + server.breaks.pop(0) if server.breaks else len(server.content)
        self.wfile.write(server.content[start:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def remote(server, size=SIZE, digest=SHA256, name="file.bin"):
    return RemoteFile(f"http://127.0.0.1:{server.server_port}/{name}", size, digest)


def waits():
    asked = []
    return asked, asked.append


def test_a_file_appears_whole_under_its_name(server, tmp_path):
    seen = []
    download(remote(server), tmp_path / "sub" / "file", lambda *state: seen.append(state))
    assert (tmp_path / "sub" / "file").read_bytes() == CONTENT
    assert [file.name for file in (tmp_path / "sub").iterdir()] == ["file"]
    assert seen[-1] == ("file.bin", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("size", [len(CONTENT), 0])
def test_a_broken_connection_is_taken_up_where_it_broke(size, server, tmp_path):
    server.breaks = [300_000, 200_000]
    asked, wait = waits()
    download(remote(server, size), tmp_path / "file", wait=wait)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=500000-"]
    assert len(asked) == 2


def test_a_partial_file_of_an_earlier_run_is_continued(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    download(remote(server, digest=MD5), tmp_path / "file")
    assert server.ranges == ["bytes=1000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server, tmp_path):
    server.knows_ranges, server.breaks = False, [300_000]
    download(remote(server), tmp_path / "file", wait=waits()[1])
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("digest", ["sha256:" + 64 * "0", "md5:" + 32 * "0"])
def test_a_wrong_checksum_is_refused_and_nothing_is_kept(digest, server, tmp_path):
    with pytest.raises(UserError, match=r"should be .* bytes and (sha256|md5):"):
        download(remote(server, digest=digest), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_another_size_than_published_is_refused(size, server, tmp_path):
    with pytest.raises(UserError):
        download(remote(server, size), tmp_path / "file", wait=waits()[1])
    assert not (tmp_path / "file").exists()


def test_a_connection_that_brings_nothing_is_given_up_after_some_tries(server, tmp_path):
    server.breaks = [1000] + [0] * 50
    asked, wait = waits()
    with pytest.raises(UserError, match=r"the connection ended early \(6 times\)"):
        download(remote(server), tmp_path / "file", wait=wait)
    assert len(asked) == ATTEMPTS
    assert (tmp_path / "file.part").stat().st_size == 1000
    server.breaks = []
    download(remote(server), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, ATTEMPTS)])
def test_the_servers_refusal_is_told_and_only_passing_ones_are_tried_again(status, tries, server, tmp_path):
    server.status = status
    with pytest.raises(UserError, match=str(status)):
        download(remote(server), tmp_path / "file", wait=waits()[1])
    assert len(server.ranges) == tries


def test_an_unreachable_server_is_an_error_with_its_address(tmp_path):
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/x"):
        download(RemoteFile("http://127.0.0.1:9/x"), tmp_path / "file", wait=waits()[1])


def test_a_checksum_that_is_not_published_is_recorded_and_compared_later(server, tmp_path):
    download(remote(server, 0, ""), tmp_path / "file")
    (tmp_path / "file").unlink()
    download(remote(server, 0, ""), tmp_path / "file")
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(UserError, match="was changed or damaged"):
        download(remote(server, 0, ""), tmp_path / "file2")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_only_http_is_fetched(url, tmp_path):
    with pytest.raises(UserError, match="only http and https"):
        download(RemoteFile(url), tmp_path / "file")


def test_a_redirect_may_not_drop_encryption():
    import urllib.request

    request = urllib.request.Request("https://127.0.0.1/x")
    with pytest.raises(UserError, match="not encrypted"):
        _NoDowngrade().redirect_request(request, None, 302, "Found", {}, "http://127.0.0.1/x")


def test_a_corpus_is_fetched_once(server, tmp_path, monkeypatch):
    items = (Item(remote(server), "small/one.bin"), Item(remote(server, name="other.bin"), "small/two.bin"))
    monkeypatch.setitem(corpora.CORPORA, "small", Corpus("a small corpus", "free", items))
    root = DataRoot(tmp_path / "data", tmp_path / "cache")
    lines = list(fetch("small", root))
    assert lines[0] == "small: a small corpus. Licence: free"
    assert (tmp_path / "data" / "small" / "two.bin").read_bytes() == CONTENT
    assert len(list(fetch("small", root))) == 1
    assert len(server.ranges) == 2


def test_an_unknown_corpus_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UserError, match="no corpus called 'wmt14_enrf'") as refusal:
        list(fetch("wmt14_enrf", DataRoot(tmp_path)))
    assert "wmt14_enfr" in refusal.value.problems[0].hint


def test_every_public_file_has_a_checksum_and_a_place():
    paths = {}
    for corpus in CORPORA.values():
        for item in corpus.items:
            if item.remote.digest:
                algorithm, _, digest = item.remote.digest.partition(":")
                assert len(digest) == {"sha256": 64, "md5": 32}[algorithm]
                assert int(digest, 16)
            elif not re.search(
                r"/archive/[0-9a-f]{40}\.tar\.gz$", item.remote.url
            ):  # packed anew now and then; the commit fixes what it holds
                assert item.remote.url.endswith("iwslt14/de-en.tgz"), "nobody has published a digest of it"
            assert item.remote.url.startswith(("https://", "http://"))
            for path in item.paths:
                assert paths.setdefault(path, item.remote) == item.remote


def test_the_shares_of_wmt_are_those_of_the_task():
    english_french = [path for item in CORPORA["wmt14_enfr"].items for path in item.paths]
    assert "wmt14/undoc.2000.fr-en.en" in english_french
    assert "wmt14/giga-fren.release2.fixed.fr.gz" in english_french
    assert {path for item in CORPORA["wmt14_ende"].items for path in item.paths} == {
        "wmt14/europarl-v7.de-en.de", "wmt14/europarl-v7.de-en.en", "wmt14/commoncrawl.de-en.de", "wmt14/commoncrawl.de-en.en",
        "wmt14/news-commentary-v9.de-en.de", "wmt14/news-commentary-v9.de-en.en", "wmt14/newstest2013.de", "wmt14/newstest2013.en",
        "wmt14/newstest2014-deen-src.en.sgm", "wmt14/newstest2014-deen-ref.de.sgm",
    }  # fmt: skip


def test_a_mirror_is_asked_where_the_first_place_fails_or_serves_something_else(server, tmp_path):
    here = remote(server)
    gone = RemoteFile("http://127.0.0.1:9/file.bin", SIZE, SHA256, (here.url,))
    download(gone, tmp_path / "a", wait=lambda seconds: None)
    assert (tmp_path / "a").read_bytes() == CONTENT
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9"):
        download(gone, tmp_path / "b", wait=lambda seconds: None)
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "b.part").exists()


def test_a_corpus_that_must_be_fetched_by_hand_says_where(tmp_path):
    with pytest.raises(UserError, match="terms do not allow") as refusal:
        list(fetch("kitti", DataRoot(tmp_path)))
    assert "cvlibs.net" in refusal.value.problems[0].hint


@pytest.mark.parametrize(
    "target", ["https://127.0.0.1/x", "https://10.1.2.3/x", "https://[::1]/x", "https://169.254.169.254/x", "https://localhost/x"]
)
def test_a_redirect_from_a_public_host_to_a_private_address_is_refused(target, monkeypatch):
    monkeypatch.setattr("seqcfg.data.download._is_private", lambda url, original=_is_private: "example" not in url and original(url))
    request = urllib.request.Request("https://corpora.example/x")
    with pytest.raises(UserError, match="a private address"):
        _NoDowngrade().redirect_request(request, None, 302, "Found", {}, target)
