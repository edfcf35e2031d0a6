"""One connection: requests in, answers out. HTTP/1.1 is read and written by h11; sizes and times are ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

from seqcfg.data.extras import extra
from seqcfg.serving.http import HttpError, Request, Response
from seqcfg.serving.limits import Limits

h11 = extra("h11", "a server")

METHODS = ("GET", "HEAD", "POST")
MAX_HEADERS = 64
HEAD_BLOCK, BODY_BLOCK = 4096, 65_536  # bytes read at once
LINGER_SECONDS, LINGER_BLOCKS = 0.5, 64


class Conversation:
    """Request after request of one connection, each answered before the next is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits):
        self._reader, self._writer, self._limits = reader, writer, limits
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._is_first, self._has_body = True, True

    @property
    def has_left(self) -> bool:
        """Whether the other side has closed, and nothing of it is unread."""
        return self._reader.at_eof()

    async def request(self) -> Request | None:
        """The next request, or None where the other side has closed or been silent for too long. Raises HttpError."""
        if not self._protocol.trailing_data[0]:
            patience = self._limits.read_seconds if self._is_first else self._limits.idle_seconds
            try:
                self._protocol.receive_data(await asyncio.wait_for(self._reader.read(HEAD_BLOCK), patience))
            except asyncio.TimeoutError:
                return None
        self._is_first = False
        head = await self._in_time(self._next(HEAD_BLOCK))
        if isinstance(head, h11.ConnectionClosed):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        self._has_body = head.method != b"HEAD"  # an answer
        self._check(head, headers)
        if self._protocol.they_are_waiting_for_100_continue:
            self._writer.write(self._protocol.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue")))
        body = await self._in_time(self._body())
        return Request(head.method.decode(), head.target.decode().partition("?")[0], headers, body)

    async def send(self, response: Response, keeps_alive: bool = True) -> bool:
        """Writes an answer; returns whether another request may follow. A reader that takes nothing holds nobody up."""
        headers = {
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            **response.headers,
            **({} if keeps_alive else {"Connection": "close"}),
        }
        reason = HTTPStatus(response.status).phrase
        events = [h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason)]
        events += [h11.Data(data=response.body)] if response.body and self._has_body else []
        self._writer.write(b"".join(map(self._protocol.send, [*events, h11.EndOfMessage()])))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._writer.drain(), self._limits.read_seconds)
        if self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        return True

    async def let_go(self) -> None:
        """Closes our side and reads on for a moment: closing with input unread would take back the answer from who still sends."""
        self._writer.write_eof()
        with contextlib.suppress(asyncio.TimeoutError):
            for _ in range(LINGER_BLOCKS):
                if not await asyncio.wait_for(self._reader.read(BODY_BLOCK), LINGER_SECONDS):
                    return

    def _check(self, head: Any, headers: dict[str, str]) -> None:
        """Raises HttpError for a head that is well formed, and not answered here."""
        if head.http_version not in (b"1.0", b"1.1"):
            raise HttpError(505, "HTTP/1.1 is spoken here")
        if (method := head.method.decode()) not in METHODS:
            raise HttpError(405, f"there is no {method[:20]} here", headers={"Allow": ", ".join(METHODS)})
        if sum(len(name) + len(value) for name, value in head.headers) > self._limits.head_bytes:  # which came whole in its last block
            raise self._too_long()
        if len(head.headers) > MAX_HEADERS:
            raise HttpError(400, "there are too many headers")
        if "transfer-encoding" in headers:
            raise HttpError(411, "send Content-Length instead of Transfer-Encoding")
        if int(headers.get("content-length", 0)) > self._limits.body_bytes:
            raise HttpError(413, f"a request may have {self._limits.body_bytes} bytes")

    def _too_long(self) -> HttpError:
        return HttpError(431, f"the head of a request may have {self._limits.head_bytes} bytes")

    async def _body(self) -> bytes:
        parts = []
        while isinstance(event := await self._next(BODY_BLOCK), h11.Data):
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _next(self, block: int) -> Any:
        """The next event of the protocol, for which as much is read as it takes."""
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                self._protocol.receive_data(await self._reader.read(block))
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:
                raise self._too_long() from error
            raise HttpError(error.error_status_hint, f"this is no HTTP request: {str(error)[:100]}") from error
        return event

    async def _in_time(self, reading: Awaitable[Any]) -> Any:
        try:
            return await asyncio.wait_for(reading, self._limits.read_seconds)
        except asyncio.TimeoutError as error:
            raise HttpError(408, f"a request must be sent within {self._limits.read_seconds:g} seconds") from error
