"""Many clients at once, well-behaved and not: every answer is right, nothing breaks, and no memory is kept."""

import collections
import concurrent.futures
import contextlib
import gc
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.decoding.decoder import Decoder
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run
from tests.serving.loads import metric, serving

CLIENTS, KEPT_BYTES = 32, 4 << 20
PAGES = Path("/proc/self/statm")
needs_statm = pytest.mark.skipif(not PAGES.exists(), reason="the system does not tell what a process holds in memory")


def resident_bytes(process="self"):
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load(client, requests):
    """What `client(number, turns)` notes, by how often, for all clients at once."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        found = list(pool.map(client, range(CLIENTS), CLIENTS * [range(requests // CLIENTS)]))
    return sum(found, collections.Counter())


class Asking:
    """A client of one model, on one connection until that is closed."""

    def __init__(self, port, path):
        self._port, self._path, self._connection = port, path, None

    def post(self, body, path=""):
        """(status, what was told)."""
        self._connection = self._connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        self._connection.request("POST", path or self._path, body)
        reply = self._connection.getresponse()
        told = json.loads(reply.read())
        if reply.will_close:
            self.close()
        return reply.status, told

    def give_up(self, body):
        """Asks, and goes away before the answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            connection.request("POST", self._path, body)

    def close(self):
        if self._connection:
            self._connection.close()
        self._connection = None


@needs_statm
@pytest.mark.parametrize("requests", [640, pytest.param(10_048, marks=pytest.mark.slow)])
def test_many_clients_at_once_all_get_their_own_answer_and_leave_nothing_behind(requests):
    def client(number, turns):
        asking, found = Asking(port, "/v1/models/toy:predict"), collections.Counter()
        for turn in turns:
            text = f"text {number} {turn}"
            found[asking.post(json.dumps({"instances": [text]})) == (200, {"predictions": [answer_of(text)]})] += 1
        asking.close()
        return found

    held = []
    with serving() as (port, server):
        for _ in range(2):
            assert load(client, requests // 2) == {True: requests // 2}
            gc.collect()
            held.append(resident_bytes())
        assert metric(port, "seqcfg_texts_total") == requests
        assert metric(port, "seqcfg_batch_texts_count") < requests, "nothing was decoded together"
    assert not server._connections
    assert held[1] - held[0] < KEPT_BYTES


def answer_of(text):
    return {"text": text.upper(), "scores": float(len(text))}


@contextlib.contextmanager
def command(run):
    """(port, process) of `seqcfg serve`."""
    arguments = [sys.executable, "-m", "seqcfg", "serve", str(run), "--port", "0"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield int(re.search(r":(\d+)/", process.stdout.readline())[1]), process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


HOSTILE = {  # what is posted, and the status that it deserves
    3: (b'{"instances": ["one"', 400),  # malformed
    5: (b'{"instances": ["\xff"]}', 400),  # invalid UTF-8
    7: (b" " * ((1 << 20) + 1), 413),  # oversized
    9: (b'{"instances": [NaN]}', 400),
    11: (b"[" * 10_000, 400),  # deep
}


@pytest.mark.slow
@needs_statm
def test_ten_thousand_requests_some_hostile_are_answered_as_decode_answers_and_no_memory_is_kept(tmp_path):
    requests, run = 10_048, make_run(tmp_path)
    trained = open_run(run)
    recipe = trained.experiment.recipe
    lines = ["one", "twenty-one", "three hundred", "", "Ünicode", "six six six six six six six six six six"]
    found = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(lines)
    wanted = dict(zip(lines, (one.text for one in found), strict=True))

    def client(number, turns):
        asking, noted = Asking(port, "/v1/models/small:predict"), collections.Counter()
        for turn in turns:
            body, status = HOSTILE.get((number + turn) % 64, (None, 0))
            line = lines[(number + 3 * turn) % len(lines)]
            good = json.dumps({"instances": [line]}).encode()
            if body is not None:
                noted["refused" if asking.post(body)[0] == status else "wrongly refused"] += 1
            elif (number + turn) % 64 == 13:
                asking.give_up(good)
                noted["given up"] += 1
            else:
                found, told = asking.post(good)
                noted["right" if found == 200 and told["predictions"][0]["text"] == wanted[line] else "wrong"] += 1
        asking.close()
        return noted

    with command(run) as (port, process), contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(50)]
        for connection in slow:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n")  # and never more
        noted, held = collections.Counter(), []
        for _ in range(2):
            noted += load(client, requests // 2)
            held.append(resident_bytes(process.pid))
        print(f"{dict(noted)}, resident MiB after each half: {[round(one / 2**20, 1) for one in held]}")
        assert sum(noted.values()) == requests and set(noted) == {"right", "refused", "given up"}
        assert all(connection.recv(100).startswith(b"HTTP/1.1 408 ") for connection in slow)
        assert metric(port, 'seqcfg_requests_total{code="400"}') + metric(port, 'seqcfg_requests_total{code="413"}') == noted["refused"]
        assert metric(port, "seqcfg_problems_total") == 0
    assert held[1] - held[0] < KEPT_BYTES
