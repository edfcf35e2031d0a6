"""HTTP/1.1 (RFC 9112) as far as a small server needs it, strict about what it reads: every odd request has a status code."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from http import HTTPStatus
from typing import Any

from seqcfg.serving.limits import Limits

METHODS = ("GET", "HEAD", "POST")
MAX_HEADERS = 64


class HttpError(Exception):
    """Answered with this status."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


@dataclasses.dataclass(frozen=True)
class Request:
    """Header names are in lower case; path is without query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keeps_alive: bool


@dataclasses.dataclass(frozen=True)
class Response:
    """headers are those besides length, type and connection."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(status, json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), headers=headers or {})


def refusal(error: HttpError) -> Response:
    """An error as TensorFlow Serving words it."""
    return as_json({"error": error.message}, error.status, error.headers)


async def read_request(reader: asyncio.StreamReader, limits: Limits, is_first: bool) -> Request | None:
    """The next request, or None where the other side has closed or been silent for too long. Raises HttpError."""
    try:
        first = await asyncio.wait_for(reader.read(1), limits.read_seconds if is_first else limits.idle_seconds)
    except asyncio.TimeoutError:
        return None
    if not first:
        return None
    head = await _in_time(_head(reader, first), limits)
    if len(head) > limits.head_bytes:
        raise HttpError(431, f"the head of a request may have {limits.head_bytes} bytes")
    method, path, version, headers = parse_head(head)
    size = _length(headers, limits)
    if headers.get("expect"):
        raise HttpError(417, "send the body at once, without Expect")
    body = await _in_time(reader.readexactly(size), limits) if size else b""
    keeps_alive = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Request(method, path.partition("?")[0], headers, body, keeps_alive)


def parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    """(method, target, version, headers) of everything up to the empty line; raises HttpError 400, 405 or 505."""
    try:
        lines = head.decode("ascii").split("\r\n")
        method, target, version = lines[0].split(" ")
    except ValueError as error:  # UnicodeDecodeError, too
        raise HttpError(400, "this is no HTTP request") from error
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        raise HttpError(505, "HTTP/1.1 is spoken here")
    if method not in METHODS:
        raise HttpError(405, f"there is no {method[:20]} here", headers={"Allow": ", ".join(METHODS)})
    headers: dict[str, str] = {}
    if len(lines) > MAX_HEADERS + 3:
        raise HttpError(400, "there are too many headers")
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError(400, "a header is malformed")
        if name.lower() in ("content-length", "host") and name.lower() in headers:
            raise HttpError(400, f"{name} is given twice")
        headers[name.lower()] = value.strip()
    return method, target, version, headers


def encoded(response: Response, keeps_alive: bool, is_head: bool = False) -> bytes:
    """What goes over the wire."""
    headers = {
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Connection": "keep-alive" if keeps_alive else "close",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        **response.headers,
    }
    head = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    return head.encode("ascii") + (b"" if is_head else response.body)


def _length(headers: dict[str, str], limits: Limits) -> int:
    if "transfer-encoding" in headers:
        raise HttpError(411, "send Content-Length instead of Transfer-Encoding")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise HttpError(400, "Content-Length is no number")
    if int(text) > limits.body_bytes:
        raise HttpError(413, f"a request may have {limits.body_bytes} bytes")
    return int(text)


async def _head(reader: asyncio.StreamReader, first: bytes) -> bytes:
    try:
        return first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise HttpError(431, "the head of a request is too long") from error


async def _in_time(reading: Any, limits: Limits) -> Any:
    try:
        return await asyncio.wait_for(reading, limits.read_seconds)
    except asyncio.TimeoutError as error:
        raise HttpError(408, f"a request must be sent within {limits.read_seconds:g} seconds") from error
    except asyncio.IncompleteReadError as error:
        raise HttpError(400, "the connection ended within a request") from error
