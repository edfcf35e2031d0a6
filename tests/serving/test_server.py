"""A server answers what is right, refuses what is wrong with the right status, and goes on whatever is done to it."""

import concurrent.futures
import http.client
import json
import socket
import threading

import pytest

from seqcfg.serving.limits import Limits
from seqcfg.serving.server import is_loopback
from tests.serving.loads import ask, metric, raw, serving, upper

PREDICT = "/v1/models/toy:predict"


@pytest.fixture(scope="module")
def port():
    with serving(limits=Limits(body_bytes=5000, texts=4)) as (port, _):
        yield port


def test_rows_and_columns_are_answered_in_the_form_of_tensorflow_serving(port):
    rows = [{"text": "ÄB", "scores": 2.0}, {"text": "", "scores": 0.0}]
    assert ask(port, PREDICT, {"instances": ["äb", ""]}) == (200, {"predictions": rows})
    assert ask(port, PREDICT, {"instances": [{"text": "äb"}, {"text": ""}]}) == (200, {"predictions": rows})
    columns = {"outputs": {"text": ["ÄB", ""], "scores": [2.0, 0.0]}}
    assert ask(port, PREDICT, {"inputs": {"text": ["äb", ""]}, "signature_name": "serving_default"}) == (200, columns)
    assert ask(port, "/v1/models/toy/versions/1:predict", {"inputs": "a"})[1] == {"outputs": {"text": ["A"], "scores": [1.0]}}


def test_status_metadata_and_health_are_there(port):
    assert ask(port, "/v1/models/toy")[1]["model_version_status"][0]["state"] == "AVAILABLE"
    assert ask(port, "/v1/models/toy/metadata")[1]["metadata"] == {"step": 3}
    assert ask(port, "/healthz") == ask(port, "/readyz") == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"instances": ["a"', 400, "no JSON"),
        (b'{"instances": ["\xff"]}', 400, "not UTF-8"),
        (b'{"instances": [NaN]}', 400, "NaN is no JSON"),
        (b"[" * 4000, 400, "deeply"),
        (b"", 400, "no JSON"),
        (b'"a"', 400, "send"),
        (b"{}", 400, "send"),
        (b'{"instances": [], "inputs": []}', 400, "send"),
        (b'{"instances": []}', 400, "at least one"),
        (b'{"instances": [1]}', 400, "a text is expected"),
        (b'{"instances": [{"txt": "a"}]}', 400, "a text is expected"),
        (b'{"instances": ["a"], "more": 1}', 400, "no field 'more'"),
        (b'{"instances": ["a"], "signature_name": "ids"}', 404, "serving_default alone"),
        (b'{"instances": ["a", "a", "a", "a", "a"]}', 413, "4 texts"),
    ],
)
def test_a_wrong_body_has_its_status_and_says_what_is_wrong(port, body, status, said):
    found, told = ask(port, PREDICT, body)
    assert found == status and said in told["error"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
        (b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
        (b"nonsense\r\n\r\n", 400),
        (b"\xff\xfe\r\n\r\n", 400),
        (b"GET /healthz HTTP/2.0\r\n\r\n", 505),
        (b"PUT /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # without Host (RFC 9112, section 3.2)
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\na : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\na: b\0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 100 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"b" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"b" * 40_000 + b"\r\n\r\n", 431),
        (b"a" * 40_000, 431),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_a_wrong_request_has_its_status(port, data, status):
    assert raw(port, data).startswith(f"HTTP/1.1 {status} ".encode())


def test_who_asks_whether_to_send_a_body_is_told_so(port):
    body = json.dumps({"instances": ["a"]}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert raw(port, head.replace(str(len(body)), "6000").encode()).startswith(b"HTTP/1.1 413 ")


def test_a_head_is_answered_without_body(port):
    assert raw(port, b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")


def test_requests_that_come_at_once_are_answered_in_order(port):
    bodies = [json.dumps({"instances": [text]}).encode() for text in ("a", "b")]
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    data = b"".join(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies)
    found = raw(port, data + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert found.index(b'"A"') < found.index(b'"B"') < found.index(b'"ok"') and found.count(b"HTTP/1.1 200") == 3


def test_what_no_text_file_holds_becomes_the_replacement_sign(port):
    assert ask(port, PREDICT, b'{"instances": ["a\\u0000b\\ud800"]}')[1]["predictions"][0]["text"] == "A\ufffdB\ufffd"


def test_other_sites_and_other_names_for_this_machine_are_refused(port):
    assert ask(port, "/metrics", headers={"Host": "evil.example"})[0] == 403
    assert ask(port, PREDICT, {"instances": ["a"]}, {"Origin": "http://evil.example"})[0] == 403
    assert ask(port, PREDICT, {"instances": ["a"]}, {"Origin": f"http://127.0.0.1:{port}"})[0] == 200


def test_a_token_is_asked_for_everywhere_but_at_the_door():
    with serving(token="secret") as (port, _):
        assert ask(port, "/healthz")[0] == 200 and ask(port, "/")[0] == 200
        for path in ("/metrics", "/v1/models/toy"):
            assert ask(port, path)[0] == ask(port, path, headers={"Authorization": "Bearer secre"})[0] == 401
        assert ask(port, PREDICT, {"instances": ["a"]}, {"Authorization": "Bearer secret"})[0] == 200


def test_a_slow_sender_is_told_so_and_holds_nobody_up():
    with serving(limits=Limits(read_seconds=0.3)) as (port, _):
        slow = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(50)]
        for number, connection in enumerate(slow):
            connection.sendall(
                b"GET / HTTP/1.1\r\n" if number % 2 else b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nab"
            )
        assert ask(port, PREDICT, {"instances": ["a"]})[0] == 200
        for connection in slow:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
            connection.close()


def test_too_many_connections_are_refused():
    with serving(limits=Limits(connections=2)) as (port, _):
        held = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(2)]
        for connection in held:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert is_refused(port)
        for connection in held:
            connection.close()


def is_refused(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return connection.recv(65536).startswith(b"HTTP/1.1 503 ")


class Held:
    """A model that waits until it is let go, and notes what it was given."""

    def __init__(self):
        self.batches, self.entered, self.free = [], threading.Event(), threading.Event()

    def __call__(self, texts):
        self.batches.append(texts)
        self.entered.set()
        assert self.free.wait(20)
        return upper(texts)


def test_texts_that_wait_are_decoded_together_and_too_many_are_refused():
    model = Held()
    with serving(model, Limits(waiting=3), batch_size=8) as (port, _), concurrent.futures.ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, port, PREDICT, {"instances": ["a"]})
        assert model.entered.wait(10)
        others = [pool.submit(ask, port, PREDICT, {"instances": [text]}) for text in "bcd"]
        while metric(port, "seqcfg_waiting_texts") < 3:
            pass
        status, told = ask(port, PREDICT, {"instances": ["e"]})
        assert status == 429 and "waiting" in told["error"]
        model.free.set()
        assert [one.result()[1]["predictions"][0]["text"] for one in [first, *others]] == ["A", "B", "C", "D"]
        assert [len(batch) for batch in model.batches] == [1, 3]


def test_a_request_that_is_given_up_is_not_decoded():
    model = Held()
    with serving(model) as (port, _), concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, port, PREDICT, {"instances": ["a"]})
        assert model.entered.wait(10)
        gone = http.client.HTTPConnection("127.0.0.1", port)
        gone.request("POST", PREDICT, json.dumps({"instances": ["gone"]}))
        while metric(port, "seqcfg_waiting_texts") < 1:
            pass
        gone.close()
        while not metric(port, 'seqcfg_requests_total{code="499"}'):
            pass
        model.free.set()
        assert first.result()[0] == 200 and ask(port, PREDICT, {"instances": ["b"]})[0] == 200
        assert model.batches == [["a"], ["b"]]


def test_a_failing_model_is_an_error_of_that_request_alone(capsys):
    def model(texts):
        if "bad" in texts:
            raise ValueError("the secret of this process")
        return upper(texts)

    with serving(model) as (port, _):
        status, told = ask(port, PREDICT, {"instances": ["bad"]})
        assert status == 500 and "secret" not in json.dumps(told)
        assert ask(port, PREDICT, {"instances": ["good"]})[0] == 200
        assert metric(port, "seqcfg_problems_total") == 1
    assert "the secret of this process" in capsys.readouterr().err


def test_an_answer_that_takes_too_long_is_an_error():
    model = Held()
    with serving(model, Limits(answer_seconds=0.2)) as (port, _):
        assert ask(port, PREDICT, {"instances": ["a"]})[0] == 503
        model.free.set()


def test_an_ending_server_answers_what_is_under_way():
    model = Held()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with serving(model) as (port, _):
            asked = pool.submit(ask, port, PREDICT, {"instances": ["a"]})
            assert model.entered.wait(10)
            threading.Timer(0.2, model.free.set).start()
        assert asked.result()[0] == 200


def test_only_loopback_needs_no_token():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.org")))
