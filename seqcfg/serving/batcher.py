"""Texts of many requests, decoded together: a model is several times faster on ten sentences than ten times on one."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import time
from collections.abc import Callable
from typing import Any

from seqcfg.serving.http import HttpError
from seqcfg.serving.metrics import Metrics

Answer = dict[str, Any]


class Batcher:
    """Feeds a model that answers lists of texts, on a thread of its own, one batch at a time, first come first served.

    A batch takes what waits, at most `batch_size` texts; the first text of an idle server waits `wait_seconds` for others.
    A text whose request was given up is not decoded, unless its batch is under way.
    """

    def __init__(self, model: Callable[[list[str]], list[Answer]], batch_size: int, wait_seconds: float, waiting: int, metrics: Metrics):
        self._model, self._batch_size, self._wait, self._most, self._metrics = model, batch_size, wait_seconds, waiting, metrics
        self._queue: collections.deque[tuple[str, asyncio.Future[Answer]]] = collections.deque()
        self._arrived = asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="model")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Ends the work; what still waits is given up."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)
        for _, future in self._queue:
            future.cancel()

    async def answer(self, texts: list[str]) -> list[Answer]:
        """One answer per text. Raises HttpError 429 where too many texts wait."""
        if len(self._queue) + len(texts) > self._most:
            raise HttpError(429, "too many texts are waiting", headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer]] = [loop.create_future() for _ in texts]
        self._queue.extend(zip(texts, futures, strict=True))
        self._metrics.set("waiting_texts", len(self._queue))
        self._arrived.set()
        try:
            return list(await asyncio.gather(*futures))
        finally:
            for future in futures:
                future.cancel()

    async def _work(self) -> None:
        while True:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                await asyncio.sleep(self._wait)
            batch = self._next()
            if not batch:
                continue
            begun = time.monotonic()
            texts = [text for text, _ in batch]
            try:
                answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._model, texts)
            except Exception as error:  # noqa: BLE001 -- the server goes on; whoever asked is told, and the log has the trace
                self._metrics.problem(error)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(HttpError(500, "the model failed on this request"))
                continue
            self._metrics.observe("batch_texts", len(texts))
            self._metrics.observe("batch_seconds", time.monotonic() - begun)
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def _next(self) -> list[tuple[str, asyncio.Future[Answer]]]:
        batch: list[tuple[str, asyncio.Future[Answer]]] = []
        while self._queue and len(batch) < self._batch_size:
            text, future = self._queue.popleft()
            if not future.done():  # cancelled by a client that went away
                batch.append((text, future))
        self._metrics.set("waiting_texts", len(self._queue))
        return batch
