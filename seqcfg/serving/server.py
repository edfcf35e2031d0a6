"""The server: connections, who may ask, where a request goes, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import signal
import time
from collections.abc import Callable
from typing import Any

from seqcfg.serving.batcher import Batcher
from seqcfg.serving.conversation import Conversation
from seqcfg.serving.http import HttpError, Request, Response, as_json, refusal
from seqcfg.serving.limits import Limits
from seqcfg.serving.metrics import Metrics
from seqcfg.serving.page import POLICY
from seqcfg.serving.predict import TEXTS, answer, parse

LOOK_SECONDS = 0.05  # how often it is seen whether who asked is still there
OPEN_PATHS = ("/healthz", "/readyz", "/")  # need no token: they tell nothing about texts


class Server:
    """Answers requests on one model: `model` maps what `reader` reads (Texts or Sounds) to {"text", "scores"} each; `about`: metadata."""

    def __init__(
        self, model: Callable[[list[str]], list[dict[str, Any]]], name: str, about: dict[str, Any], limits: Limits, *, version: int = 1,
        token: str = "", batch_size: int = 32, wait_seconds: float = 0.002, reader: Any = TEXTS,
    ):  # fmt: skip
        self._name, self._about, self._limits, self._version, self._token = name, about, limits, version, token
        self._reader = reader
        self.metrics = Metrics()
        self._batcher = Batcher(model, batch_size, wait_seconds, limits.waiting, self.metrics)
        self._connections: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()  # of these, those that wait for a request
        self._is_ending = False
        self._server: Any = None
        self._is_loopback = True

    async def start(self, host: str, port: int) -> int:
        """Begins to listen and returns the port, which is chosen by the system where 0 is asked for."""
        self._is_loopback = is_loopback(host)
        self._batcher.start()
        self._server = await asyncio.start_server(self._accept, host, port, limit=self._limits.head_bytes)
        return self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Takes no more requests, gives those under way `drain_seconds`, and ends."""
        self._is_ending = True
        self._server.close()
        for task in self._idle:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=self._limits.drain_seconds)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._batcher.stop()

    async def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Serves until SIGTERM or SIGINT."""
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        ready(await self.start(host, port))
        await ended.wait()
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        self._connections.add(task)
        self.metrics.set("connections", len(self._connections))
        conversation = Conversation(reader, writer, self._limits)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                if len(self._connections) > self._limits.connections:
                    await self._send(conversation, refusal(HttpError(503, "too many connections")), False)
                else:
                    await self._converse(conversation, task)
        finally:
            self._connections.discard(task)
            self.metrics.set("connections", len(self._connections))
            writer.close()

    async def _converse(self, conversation: Conversation, task: asyncio.Task[None]) -> None:
        """Request after request of one connection."""
        goes_on = True
        while goes_on and not self._is_ending:
            self._idle.add(task)
            try:
                request = await conversation.request()
            except HttpError as error:
                await self._send(conversation, refusal(error), False)
                await conversation.let_go()
                return
            finally:
                self._idle.discard(task)
            if request is None:
                return
            begun = time.monotonic()
            response = await self._answered(request, conversation)
            if response is None:  # who asked has gone
                self.metrics.count("requests_total", label='{code="499"}')
                return
            self.metrics.observe("request_seconds", time.monotonic() - begun)
            goes_on = await self._send(conversation, response, not self._is_ending)

    async def _send(self, conversation: Conversation, response: Response, keeps_alive: bool) -> bool:
        self.metrics.count("requests_total", label=f'{{code="{response.status}"}}')
        return await conversation.send(response, keeps_alive)

    async def _answered(self, request: Request, conversation: Conversation) -> Response | None:
        """The answer, or None where the client closes before there is one."""
        work = asyncio.ensure_future(self._route(request))
        end = time.monotonic() + self._limits.answer_seconds
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=LOOK_SECONDS)
                if work.done():
                    break
                if conversation.has_left:
                    return None
                if time.monotonic() > end:
                    return refusal(HttpError(503, f"no answer within {self._limits.answer_seconds:g} seconds"))
            return work.result()
        except HttpError as error:
            return refusal(error)
        finally:
            work.cancel()

    async def _route(self, request: Request) -> Response:
        self._admit(request)
        path, base = request.path, f"/v1/models/{self._name}"
        versioned = f"{base}/versions/{self._version}"
        if path in (f"{base}:predict", f"{versioned}:predict"):
            return await self._predict(request)
        if request.method == "POST":
            raise HttpError(405 if path in OPEN_PATHS else 404, f"nothing is posted to {path[:100]}; try {base}:predict")
        if path in ("/healthz", "/readyz"):
            is_well = path == "/healthz" or not self._is_ending
            return as_json({"status": "ok" if is_well else "ending"}, 200 if is_well else 503)
        if path == "/metrics":
            return Response(200, self.metrics.text().encode(), "text/plain; version=0.0.4; charset=utf-8")
        if path == "/":
            page = self._reader.page.replace("{model}", self._name).encode()
            return Response(200, page, "text/html; charset=utf-8", {"Content-Security-Policy": POLICY})
        if path in (base, versioned):
            status = {"error_code": "OK", "error_message": ""}
            return as_json({"model_version_status": [{"version": str(self._version), "state": "AVAILABLE", "status": status}]})
        if path in (f"{base}/metadata", f"{versioned}/metadata"):
            return as_json({"model_spec": {"name": self._name, "version": str(self._version)}, "metadata": self._about})
        raise HttpError(404, f"there is nothing at {path[:100]}; try {base}")

    def _admit(self, request: Request) -> None:
        """Raises HttpError for strangers: no token, or a page of another site that a browser on this machine shows."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._token and request.path not in OPEN_PATHS and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise HttpError(401, "send Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})
        host = request.headers.get("host", "")
        if self._is_loopback and not self._token and not is_loopback(_name_of(host)):
            raise HttpError(403, "this server answers to localhost alone")
        origin = request.headers.get("origin", "")
        if origin and origin.partition("://")[2] != host:
            raise HttpError(403, "requests of other sites are not answered")

    async def _predict(self, request: Request) -> Response:
        if request.method != "POST":
            raise HttpError(405, "requests are posted", headers={"Allow": "POST"})
        given = (request.body, self._limits.texts, self._reader)
        asked = await asyncio.to_thread(parse, *given) if self._reader.is_slow else parse(*given)
        answers = await self._batcher.answer(asked.texts)
        self.metrics.count("texts_total", len(asked.texts))
        return as_json(answer(asked, answers))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """The host of a Host header, without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
