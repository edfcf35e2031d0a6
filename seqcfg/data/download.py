"""Downloads that are resumed, verified and never trusted."""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import ipaddress
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from seqcfg.data.hashes import BLOCK_BYTES, file_sha256
from seqcfg.data.progress import Progress, silent
from seqcfg.data.remote import RemoteFile
from seqcfg.errors import UserError
from seqcfg.runs.durable import sync_folder, write_file

ATTEMPTS = 6  # of which each that brings nothing new counts; waits grow from 1 to 16 seconds
TIMEOUT_SECONDS = 60
MAX_BYTES = 64 << 30  # for files whose size is not known
RECORD = "recorded.json"
BROKEN = (OSError, http.client.HTTPException)


def download(remote: RemoteFile, file: Path, progress: Progress = silent, wait: Callable[[float], None] = time.sleep) -> None:
    """Fetches a file under its final name once size and checksum are right; continues a partial download.

    A place that fails, or sends something else than was published, is followed by the next mirror. Raises the first
    place's UserError if all fail; of what was wrong nothing is kept.
    """
    problems = []
    for url in (remote.url, *remote.mirrors):
        try:
            return _download(dataclasses.replace(remote, url=url), file, progress, wait)
        except UserError as problem:
            problems.append(problem)
    raise problems[0]


def _download(remote: RemoteFile, file: Path, progress: Progress, wait: Callable[[float], None]) -> None:
    if urllib.parse.urlsplit(remote.url).scheme not in ("http", "https"):
        raise UserError(f"{remote.url}: only http and https are fetched")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".part")
    if not remote.digest:
        partial.unlink(missing_ok=True)  # without a checksum nobody would notice two halves that do not belong together
    failures = 0
    while True:
        before = _size(partial)
        try:
            if _receive(remote, partial, lambda done, total: progress(remote.name, done, total)):
                break
            problem: object = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise UserError(
                    f"{remote.url}: the server answers {error.code} {error.reason}", hint="look whether the file has moved"
                ) from error
            problem = error
        except BROKEN as error:
            if getattr(error, "filename", None):  # the disk's fault, not the network's
                raise
            problem = error
        failures = 0 if _size(partial) > before else failures + 1
        if failures == ATTEMPTS:
            raise UserError(
                f"{remote.url}: {problem} ({ATTEMPTS} times)", hint="run the command again later; it continues where it stopped"
            )
        wait(float(2 ** min(failures, 4)))
    _accept(remote, partial, file)


def _receive(remote: RemoteFile, partial: Path, progress: Callable[[int, int], None]) -> bool:
    """One request; appends to `partial` and tells whether the file is complete."""
    start = _size(partial)
    if remote.bytes and start >= remote.bytes:
        return True
    request = urllib.request.Request(remote.url, headers={"User-Agent": "seqcfg", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with _opener().open(request, timeout=TIMEOUT_SECONDS) as response:
        continues = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        start = start if continues else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else remote.bytes
        with open(partial, "ab" if continues else "wb") as file:
            received = start + _copy(
                response, file, (remote.bytes or MAX_BYTES) - start, remote, lambda done: progress(start + done, total)
            )
            file.flush()
            os.fsync(file.fileno())
    return received >= total if total else True


def _copy(response: Any, file: IO[bytes], limit: int, remote: RemoteFile, progress: Callable[[int], None]) -> int:
    done = 0
    while block := response.read(BLOCK_BYTES):
        done += len(block)
        if done > limit:
            file.truncate(0)
            raise UserError(
                f"{remote.url}: sends more than the {remote.bytes or MAX_BYTES} bytes it should have", hint="the file was replaced"
            )
        file.write(block)
        progress(done)
    return done


def _accept(remote: RemoteFile, partial: Path, file: Path) -> None:
    recorded = _recorded(file.parent).get(remote.url, "")
    expected = remote.digest or recorded
    found = digest_of(partial, expected.partition(":")[0] or "sha256")
    size = _size(partial)
    if (remote.bytes and size != remote.bytes) or (expected and found != expected):
        partial.unlink()
        raise UserError(
            f"{remote.url}: has {size} bytes and {found}, should be {remote.bytes or '?'} bytes and {expected or '?'}",
            hint="the file was changed or damaged on its way; what was received has been thrown away",
        )
    if not remote.digest and not recorded:
        write_file(file.parent / RECORD, json.dumps(_recorded(file.parent) | {remote.url: found}, indent=1, sort_keys=True))
    os.replace(partial, file)
    sync_folder(file.parent)


def digest_of(file: Path, algorithm: str) -> str:
    """`sha256:...` or `md5:...` of a file."""
    if algorithm == "sha256":
        return f"sha256:{file_sha256(file)}"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(file, "rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http, nor from a public host to a private address."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise UserError(f"{req.full_url}: redirects to {newurl}, which is not encrypted", hint="the address may have been taken over")
        if _is_private(newurl) and not _is_private(req.full_url):
            raise UserError(f"{req.full_url}: redirects to {newurl}, a private address", hint="the address may have been taken over")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_private(url: str) -> bool:
    """Whether a host's addresses, or one of them, lie in a network that is not public; unknown hosts will fail by themselves."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return any(not ipaddress.ip_address(str(address).partition("%")[0]).is_global for address in found)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoDowngrade)


def _recorded(folder: Path) -> dict[str, str]:
    file = folder / RECORD
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
