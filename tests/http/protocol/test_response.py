"""Responses: framed so that a short one never looks whole, and nothing can be injected."""

import contextlib
import logging
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.slow import KERNEL_HOLDS
from tests.support.timer import Timer
from tests.support.waiting import until
from tests.support.wire import RawClient, serving

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


class Blocks:
    """An application that sends what it was given, and remembers whether it was closed."""

    def __init__(
        self, *blocks: bytes | Exception, status: str = "200 OK", headers: Any = ()
    ) -> None:
        self.blocks = blocks
        self.status = status
        self.headers = list(headers)
        self.closed = 0
        self.given = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> "Blocks":
        start_response(self.status, self.headers)
        return self

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks:
            if isinstance(block, Exception):
                raise block
            self.given += 1
            yield block

    def close(self) -> None:
        self.closed += 1


def length(number: int) -> tuple[str, str]:
    return ("Content-Length", str(number))


def test_blocks_without_a_length_are_chunked_and_the_connection_is_kept() -> None:
    """RFC 9112 §7.1, §9.3."""
    app = Blocks(b"one ", b"", b"two")
    with serving(app) as server, RawClient(server.port) as client:
        for _ in range(2):
            answer = client.ask(GET)
            assert answer.fields["transfer-encoding"] == "chunked"
            assert (answer.body, answer.closes) == (b"one two", False)
    assert app.closed == 2


def test_connection_fields_of_the_application_are_dropped() -> None:
    hop_by_hop = [
        ("Connection", "close"),
        ("Keep-Alive", "timeout=1"),
        ("Transfer-Encoding", "gzip"),
        ("Server", "Microsoft-IIS/10.0"),
    ]
    with serving(Blocks(b"x", headers=hop_by_hop)) as server, RawClient(server.port) as client:
        answer = client.ask(GET)
        assert not answer.closes
        assert "keep-alive" not in answer.fields
        assert answer.fields["transfer-encoding"] == "chunked"
        assert answer.fields["server"] == "davbridge"
        assert client.ask(GET).status == 200


def test_every_answer_has_date_server_and_nosniff() -> None:
    """RFC 9110 §6.6.1."""
    own = [("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("X-Content-Type-Options", "nosniff")]
    for headers in ([], own):
        with serving(Blocks(headers=headers)) as server, RawClient(server.port) as client:
            client.send(GET + b"nonsense\r\n")
            for answer in (client.answer(), client.answer()):
                assert answer.fields["server"] == "davbridge"
                assert answer.fields["x-content-type-options"] == "nosniff"
                assert answer.fields["date"].endswith("GMT")


def test_an_empty_answer_has_length_zero() -> None:
    with serving(Blocks(status="201 Created")) as server, RawClient(server.port) as client:
        for _ in range(2):
            assert client.ask(GET).fields["content-length"] == "0"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_that_has_no_body_gets_none(status: str) -> None:
    """RFC 9112 §6.3."""
    app = Blocks(b"ignored", status=status, headers=[length(7)])
    with serving(app) as server, RawClient(server.port) as client:
        for _ in range(2):
            answer = client.ask(GET)
            assert "transfer-encoding" not in answer.fields
            assert ("content-length" in answer.fields) is (status[:3] == "304")


def test_head_gets_the_fields_and_no_byte_of_the_body() -> None:
    """RFC 9110 §9.3.2."""
    app = Blocks(*[b"x" * 1000] * 1000, headers=[length(1_000_000)])
    with serving(app) as server, RawClient(server.port) as client:
        for _ in range(2):
            assert client.ask(HEAD, is_head=True).fields["content-length"] == "1000000"
    assert app.given == 2
    assert app.closed == 2


def test_head_without_a_length_keeps_the_connection() -> None:
    with serving(Blocks(b"x")) as server, RawClient(server.port) as client:
        for _ in range(2):
            answer = client.ask(HEAD, is_head=True)
            assert "content-length" not in answer.fields
            assert not answer.closes


def test_http_1_0_gets_no_chunks_and_its_connection_ends_the_body() -> None:
    """RFC 9112 §6.1, §6.3."""
    with serving(Blocks(b"one ", b"two")) as server, RawClient(server.port) as client:
        answer = client.ask(GET_10)
        assert "transfer-encoding" not in answer.fields
        assert (answer.body, answer.closes) == (b"one two", True)


def test_http_1_0_can_keep_a_connection_where_the_length_is_known() -> None:
    keep = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    with serving(Blocks(b"x", headers=[length(1)])) as server, RawClient(server.port) as client:
        for _ in range(2):
            assert client.ask(keep).fields["connection"] == "keep-alive"


def test_a_client_that_asks_to_close_is_closed() -> None:
    """RFC 9112 §9.6."""
    with serving(Blocks(b"x")) as server, RawClient(server.port) as client:
        answer = client.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.closes
        assert client.at_end()


INJECTIONS: dict[str, tuple[str, tuple[str, str]]] = {
    "CRLF in a value": ("200 OK", ("X", "a\r\nSet-Cookie: b")),
    "LF in a value": ("200 OK", ("X", "a\nb")),
    "NUL in a value": ("200 OK", ("X", "a\0b")),
    "CRLF in a name": ("200 OK", ("X\r\nY", "a")),
    "blank in a name": ("200 OK", ("X ", "a")),
    "beyond latin-1": ("200 OK", ("X", "€")),
    "CRLF in the status": ("200 OK\r\nX: y", ("X", "a")),
    "no status": ("OK", ("X", "a")),
    "bad length": ("200 OK", ("Content-Length", "+1")),
}


@pytest.mark.parametrize(("status", "header"), INJECTIONS.values(), ids=INJECTIONS.keys())
def test_a_field_that_would_break_the_head_becomes_a_500(
    status: str, header: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    app = Blocks(b"x", status=status, headers=[header])
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(GET)
    assert (answer.status, answer.closes) == (500, True)
    assert "set-cookie" not in answer.fields
    assert "the application failed" in caplog.text


def broken_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    raise RuntimeError("before anything")


def silent_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return [b"x"]


def text_app(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])
    return ["x"]


@pytest.mark.parametrize(
    "app",
    [
        broken_app,
        silent_app,
        text_app,
        Blocks(RuntimeError("before the first block")),
        Blocks(ConnectionError("to somebody else")),
        Blocks(b"too long", headers=[length(3)]),
        Blocks(headers=[length(3)]),
        Blocks(headers=[length(3), length(3)]),
    ],
    ids=[
        "raises",
        "no start_response",
        "text",
        "first block",
        "connection",
        "long",
        "short",
        "two lengths",
    ],
)
def test_a_failure_before_the_first_byte_is_a_500(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(GET)
        assert (answer.status, answer.closes) == (500, True)
        assert answer.body == b"the server failed at this request\n"
        assert client.at_end()
    assert "the application failed" in caplog.text
    if isinstance(app, Blocks) and len(app.headers) < 2:
        assert app.closed == 1


@pytest.mark.parametrize(
    ("app", "request_"),
    [
        (Blocks(b"abc", RuntimeError("midway"), headers=[length(6)]), GET),
        (Blocks(b"abc", RuntimeError("midway")), GET),
        (Blocks(b"abc", RuntimeError("midway")), GET_10),
        (Blocks(b"abc", headers=[length(6)]), GET),
        (Blocks(b"abc", b"", headers=[length(6)]), GET_10),
    ],
    ids=["length", "chunked", "HTTP/1.0", "short", "short HTTP/1.0"],
)
def test_an_answer_that_fails_midway_never_looks_whole(
    app: Blocks, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9112 §8."""
    with serving(app) as server, RawClient(server.port) as client:
        with pytest.raises(ConnectionError):
            client.ask(request_)
        assert client.at_end()
    assert app.closed == 1
    assert "the application failed" in caplog.text


def test_bytes_beyond_the_promised_length_are_never_sent(caplog: pytest.LogCaptureFixture) -> None:
    app = Blocks(b"abc", b"HTTP/1.1 200 OK\r\n\r\n", headers=[length(3)])
    with serving(app) as server, RawClient(server.port) as client:
        assert client.ask(GET).body == b"abc"
        assert client.at_end()
    assert "more bytes than its Content-Length" in caplog.text


def test_an_error_page_may_replace_what_was_not_sent_yet() -> None:
    def second_thoughts(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [length(1)])
        try:
            raise KeyError("no")
        except KeyError as error:
            info = (KeyError, error, error.__traceback__)
            start_response("503 Service Unavailable", [length(5)], info)
        return [b"later"]

    with serving(second_thoughts) as server, RawClient(server.port) as client:
        answer = client.ask(GET)
        assert (answer.status, answer.body, answer.closes) == (503, b"later", False)


def test_the_write_callable_sends_in_order_with_the_blocks() -> None:
    def writer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"written ")
        return [b"returned"]

    with serving(writer) as server, RawClient(server.port) as client:
        assert client.ask(GET).body == b"written returned"


def test_a_client_that_vanishes_closes_the_blocks_and_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Blocks(*[b"x" * 1_000_000] * 200)
    with serving(app) as server:
        with RawClient(server.port) as client:
            client.send(GET)
            client.socket.recv(1000)
        until(lambda: app.closed > 0)
    assert app.closed == 1
    assert app.given < 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.skipif(sys.platform != "linux", reason="clamps the window as Linux does")
def test_a_reader_that_is_slower_than_any_network_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davbridge.http.protocol.client_timeout.MIN_RATE", 100 * 1024 * 1024)
    app = Blocks(*[b"x" * 1_000_000] * 100)
    with serving(app, timeout=0.5) as server, RawClient(server.port) as client:
        client.send(GET)

        def is_cut() -> bool:
            """Reads on otherwise, slowly."""
            time.sleep(0.1)
            with contextlib.suppress(ConnectionError):
                client.socket.recv(10_000)
            return app.closed > 0

        until(is_cut)


@pytest.mark.skipif(sys.platform != "linux", reason="clamps the window as Linux does")
def test_a_slow_but_steady_reader_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its whole answer takes twice the timeout; what the kernel holds of it takes less, so that no
    step of the server does."""
    size, timeout, timer = 4 * KERNEL_HOLDS, 80.0, Timer()
    clock = SimpleNamespace(monotonic=timer)
    monkeypatch.setattr("davbridge.http.protocol.client_timeout.time", clock)
    app = Blocks(b"x" * size, headers=[length(size)])
    with serving(app, timeout=timeout) as server, RawClient(server.port) as client:
        # The kernel takes no more than this for us.
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 65536)
        client.send(GET)
        received = 0
        while received < size:
            piece = client.socket.recv(150_000)
            assert piece, f"cut after {received} bytes"
            received += len(piece)
            timer.advance(2 * timeout * len(piece) / size)
