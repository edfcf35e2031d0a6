"""A server on a thread of its own, and raw conversations with it."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading

from seqcfg.serving.limits import Limits
from seqcfg.serving.server import Server


def upper(texts):
    """A model whose answers are easy to tell."""
    return [{"text": text.upper(), "scores": float(len(text))} for text in texts]


@contextlib.contextmanager
def serving(model=upper, limits=None, **settings):
    """Yields (port, server); the server ends in order with the block."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    server, found = Server(model, "toy", {"step": 3}, limits or Limits(), **settings), []

    async def begin():
        found.append(await server.start("127.0.0.1", 0))
        started.set()

    def work():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0], server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def ask(port, path, body=None, headers=None, method=None):
    """(status, body) of one request; JSON where it is JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method or ("POST" if data is not None else "GET"), path, data, headers or {})
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, json.loads(content) if "json" in reply.headers["Content-Type"] else content.decode()


def raw(port, data, seconds=20.0):
    """What comes back for these bytes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


def metric(port, name):
    """The value of a line of /metrics, 0 where there is none."""
    lines = ask(port, "/metrics")[1].splitlines()
    return float(next((line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"{name} ")), 0))
