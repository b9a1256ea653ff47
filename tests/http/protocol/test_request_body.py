"""Bodies: read whole or not at all, and never more of them than was asked for."""

import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from davbridge.http.errors import IncompleteBodyError, MalformedBodyError
from davbridge.http.protocol.request_body import ChunkedBody, KnownLengthBody
from davbridge.http.protocol.streams import SocketReader
from tests.support.proc import resident
from tests.support.timer import Timer
from tests.support.waiting import FOREVER, PATIENCE, until
from tests.support.wire import Answer, RawClient, serving

HOST = b"Host: a\r\n"
CHUNKED = b"PUT /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"


def nothing() -> None:
    """An invitation for bodies that nobody waits with."""


def put(length: int, *fields: bytes) -> bytes:
    lines = b"".join(field + b"\r\n" for field in (b"Content-Length: %d" % length, *fields))
    return b"PUT /k HTTP/1.1\r\n" + HOST + lines + b"\r\n"


class Recorder:
    """An application that reads bodies and answers with their digest, and keeps what it saw."""

    def __init__(self, block: int = 65536) -> None:
        self.block = block
        self.requests: list[str] = []
        self.errors: list[OSError] = []
        self.failed = threading.Event()
        self.taken = 0
        """Bytes of the latest body."""

    def has_taken(self, count: int) -> bool:
        return self.taken == count

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']}")
        digest, length = hashlib.sha256(), 0
        try:
            while block := environ["wsgi.input"].read(self.block):
                assert len(block) <= self.block
                digest.update(block)
                length += len(block)
                self.taken = length
        except OSError as error:
            self.errors.append(error)
            self.failed.set()
            raise
        return respond(start_response, f"{length} {digest.hexdigest()}")


def respond(start_response: Any, text: str, status: str = "200 OK") -> list[bytes]:
    start_response(status, [("Content-Length", str(len(text)))])
    return [text.encode()]


def reject(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that reads no body."""
    return respond(start_response, "no", "401 Unauthorized")


def digest_of(data: bytes) -> bytes:
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()


@pytest.mark.parametrize("block", [1000, 65536, 1 << 20])
def test_a_body_of_known_length_arrives_whole(block: int) -> None:
    data = os.urandom(700_001)
    with serving(Recorder(block)) as server, RawClient(server.port) as client:
        assert client.ask(put(len(data)) + data).body == digest_of(data)
        assert client.ask(GET).status == 200


@pytest.mark.parametrize("block", [1000, 65536, 1 << 20])
@pytest.mark.parametrize("chunk", [1, 7000, 300_000])
def test_a_chunked_body_arrives_whole(chunk: int, block: int) -> None:
    """RFC 9112 §7.1."""
    data = os.urandom(3000 if chunk == 1 else 700_001)
    pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    with serving(Recorder(block)) as server, RawClient(server.port) as client:
        assert client.ask(CHUNKED + coded + b"0\r\n\r\n").body == digest_of(data)
        assert client.ask(GET).status == 200


def test_sizes_in_either_case_extensions_and_trailers_are_understood_and_dropped() -> None:
    """RFC 9112 §7.1.1, §7.1.2."""
    coded = (
        b"00A;name=value\r\n0123456789\r\n0a ; x\r\n0123456789\r\n000;e\r\nX-Sum: 1\r\nY: \r\n\r\n"
    )
    app = Recorder()
    with serving(app) as server, RawClient(server.port) as client:
        assert client.ask(CHUNKED + coded).body == digest_of(b"0123456789" * 2)
        client.ask(GET)
    assert app.requests == ["PUT /c", "GET /next"]


def test_pipelined_requests_after_a_chunked_body_are_answered_in_turn() -> None:
    """RFC 9112 §9.3.2."""
    app = Recorder()
    with serving(app) as server, RawClient(server.port) as client:
        client.send(
            CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + GET + CHUNKED + b"0\r\n\r\n" + put(2) + b"hi"
        )
        bodies = [client.answer().body for _ in range(4)]
    assert bodies == [digest_of(b"abc"), digest_of(b""), digest_of(b""), digest_of(b"hi")]
    assert app.requests == ["PUT /c", "GET /next", "PUT /c", "PUT /k"]


BAD_CHUNKS = {
    "negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "leading blank": b" 5\r\nhello\r\n0\r\n\r\n",
    "trailing blank": b"5 \r\nhello\r\n0\r\n\r\n",
    "no digits": b"\r\nhello\r\n0\r\n\r\n",
    "letters": b"xyz\r\nhello\r\n0\r\n\r\n",
    "bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "too large a size": b"F" * 17 + b"\r\nhello\r\n0\r\n\r\n",
    "longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
    "bare LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "endless extension": b"5;" + b"x" * 2000 + b"\r\nhello\r\n0\r\n\r\n",
    "many extensions": b"".join(b"1;%b\r\na\r\n" % (b"x" * 900) for _ in range(20)) + b"0\r\n\r\n",
    "endless trailer": b"0\r\n" + b"X: y\r\n" * 3000 + b"\r\n",
    "malformed trailer": b"0\r\nnonsense\r\n\r\n",
}


@pytest.mark.parametrize("coded", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_a_malformed_chunked_body_gets_400_and_ends_the_connection(coded: bytes) -> None:
    """RFC 9112 §7.1."""
    app = Recorder()
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(CHUNKED + coded + GET)
        assert (answer.status, answer.closes) == (400, True)
    assert isinstance(app.errors[0], MalformedBodyError)
    assert app.requests == ["PUT /c"]


UNFINISHED = {
    "known length": put(10) + b"hello",
    "known length, no byte": put(10),
    "chunked, in a chunk": CHUNKED + b"a\r\nhello",
    "chunked, before a chunk's end": CHUNKED + b"5\r\nhello",
    "chunked, in a size": CHUNKED + b"5\r\nhello\r\n5",
    "chunked, between chunks": CHUNKED + b"5\r\nhello\r\n",
    "chunked, before the last line": CHUNKED + b"5\r\nhello\r\n0\r\n",
}


@pytest.mark.parametrize("way", [RawClient.finish_sending, RawClient.reset], ids=["FIN", "RST"])
@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_body_that_ends_early_raises(data: bytes, way: Callable[[RawClient], None]) -> None:
    """RFC 9112 §8."""
    app = Recorder()
    with serving(app) as server, RawClient(server.port) as client:
        client.send(data)
        time.sleep(0.05)
        way(client)
        assert app.failed.wait(PATIENCE)
    assert isinstance(app.errors[0], IncompleteBodyError)


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_body_that_stalls_raises_after_the_timeout(data: bytes) -> None:
    app = Recorder()
    with serving(app, timeout=0.3) as server, RawClient(server.port) as client:
        answer = client.ask(data)
        assert (answer.status, answer.closes) == (408, True)
    assert isinstance(app.errors[0], IncompleteBodyError)


def test_a_body_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davbridge.http.protocol.client_timeout.MIN_RATE", 100)
    with serving(Recorder(), timeout=0.5) as server, RawClient(server.port) as client:
        client.send(put(1000))

        def is_answered() -> bool:
            """Sends on otherwise: ten bytes a second."""
            if not client.is_silent(0.1):
                return True
            client.send(b"x")
            return False

        until(is_answered)
        assert client.answer().status == 408


def test_a_slow_but_steady_body_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes five times the timeout: a piece every ten seconds, which is worth 25."""
    timer = Timer()
    clock = SimpleNamespace(monotonic=timer)
    monkeypatch.setattr("davbridge.http.protocol.client_timeout.time", clock)
    monkeypatch.setattr("davbridge.http.protocol.client_timeout.MIN_RATE", 1)
    app = Recorder(block=25)
    with serving(app, timeout=80.0) as server, RawClient(server.port) as client:
        client.send(put(1000))
        for number in range(40):
            until(partial(app.has_taken, 25 * number))
            timer.advance(10)
            client.send(b"x" * 25)
        assert client.answer().body == digest_of(b"x" * 1000)


def test_a_broken_body_stays_broken() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"zz\r\n5\r\nhello\r\n0\r\n\r\n")
        body = ChunkedBody(SocketReader(ours), nothing)
        for _ in range(2):
            with pytest.raises(MalformedBodyError):
                body.read(10)
        assert body.is_broken


@pytest.mark.parametrize("data", [CHUNKED + b"zz\r\n" + GET, put(10) + b"hello"])
def test_an_application_that_swallows_the_error_still_loses_the_connection(data: bytes) -> None:
    def swallow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError:
            return respond(start_response, "swallowed")
        return respond(start_response, "whole")

    with serving(swallow, timeout=0.3) as server, RawClient(server.port) as client:
        answer = client.ask(data)
        assert (answer.body, answer.closes) == (b"swallowed", True)
        client.finish_sending()
        assert client.at_end()


def test_a_body_can_be_read_by_lines_as_wsgi_promises() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"a\nbc\n\nd rest")
        body = KnownLengthBody(SocketReader(ours), nothing, 7)
        assert body.readline() == b"a\n"
        assert list(body) == [b"bc\n", b"\n", b"d"]
        assert body.read() == b""


def test_nothing_is_taken_from_the_socket_beyond_what_was_asked_for_and_one_buffer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 100_000)
        body = KnownLengthBody(SocketReader(ours), nothing, 100_000)
        assert len(body.read(10)) == 10
        assert len(ours.recv(100_000, socket.MSG_PEEK)) >= 100_000 - 65536


def test_more_chunked_puts_on_open_connections_than_threads_hold_none_of_them() -> None:
    with serving(Recorder(), threads=2) as server:
        clients = [RawClient(server.port) for _ in range(5)]
        for client in clients:
            assert client.ask(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n").status == 200
        with RawClient(server.port) as other:
            assert other.ask(GET).status == 200
        for client in clients:
            assert client.is_silent(0.05)
            assert client.ask(GET).status == 200
            client.close()


def test_a_short_unread_body_is_read_away_and_the_connection_kept() -> None:
    with serving(reject) as server, RawClient(server.port) as client:
        for _ in range(3):
            answer = client.ask(put(100_000) + b"x" * 100_000)
            assert (answer.status, answer.closes) == (401, False)


def test_an_unread_body_in_chunks_that_is_empty_keeps_the_connection() -> None:
    """RFC 9112 §9.3: proxies send an empty body like this to methods that take none."""
    with serving(reject) as server, RawClient(server.port) as client:
        for _ in range(3):
            answer = client.ask(CHUNKED + b"0\r\n\r\n")
            assert (answer.status, answer.closes) == (401, False)
        client.send(CHUNKED + b"0\r\n\r\n" + GET)
        assert [client.answer().closes for _ in range(2)] == [False, False]


@pytest.mark.parametrize(
    "body", [b"", b"0", b"0\r\n", b"0\r\nA: b\r\n\r\n", b"00\r\n\r\n", b"1\r\na\r\n0\r\n\r\n"]
)
def test_an_unread_body_in_chunks_whose_end_is_not_there_closes_the_connection(body: bytes) -> None:
    """It isn't waited for, and nothing of it can be taken for a request."""
    with serving(reject) as server, RawClient(server.port) as client:
        answer = client.ask(CHUNKED + body)
        assert (answer.status, answer.closes) == (401, True)


def test_an_unread_body_that_does_not_come_holds_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davbridge.http.protocol.request_reader.SKIP_SECONDS", FOREVER)
    with serving(reject, threads=1) as server, RawClient(server.port) as client:
        assert client.ask(put(100_000)).status == 401
        with RawClient(server.port) as other:
            assert other.ask(GET).status == 401
        assert client.ask(b"x" * 100_000 + GET).status == 401


def test_an_unread_body_that_never_comes_is_waited_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.protocol.request_reader.SKIP_SECONDS", 0.2)
    with serving(reject, threads=1) as server, RawClient(server.port) as client:
        assert client.ask(put(100_000)).status == 401
        with RawClient(server.port) as other:
            assert other.ask(GET).status == 401
        assert client.at_end()


@pytest.mark.parametrize(
    "data", [put(8 << 20) + b"x" * 1000, CHUNKED + b"5\r\nhello\r\n"], ids=["long", "chunked"]
)
def test_a_long_unread_body_is_announced_to_close_the_connection(data: bytes) -> None:
    app = Recorder()

    def reject_first(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return (app if app.requests else reject)(environ, start_response)

    with serving(reject_first) as server, RawClient(server.port) as client:
        answer = client.ask(data + GET)
        assert (answer.status, answer.closes) == (401, True)
        client.finish_sending()
        assert client.at_end()
    assert app.requests == []


def test_a_partly_read_body_is_finished_by_the_server() -> None:
    def read_some(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return respond(start_response, environ["wsgi.input"].read(3).decode())

    with serving(read_some) as server, RawClient(server.port) as client:
        assert client.ask(put(5) + b"hello").body == b"hel"
        assert client.ask(put(5) + b"world").body == b"wor"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_rejected_upload_of_400_mb_gets_its_answer_and_takes_no_memory() -> None:
    size, block = 400 * 1000 * 1000, b"x" * 1000 * 1000
    with serving(reject, threads=1) as server, RawClient(server.port) as client:
        before, most = resident(os.getpid()), 0
        client.send(put(size))
        for _ in range(size // len(block)):
            client.send(block)  # all of it before the answer is read, as Finder and Windows do
            most = max(most, resident(os.getpid()))
        answer = client.answer()
        assert (answer.status, answer.closes) == (401, True)
        assert most - before < 8 * 1000 * 1000
        with RawClient(server.port) as other:  # the only thread is free
            assert other.ask(GET).status == 401


def expecting(length: int, value: bytes = b"100-continue") -> bytes:
    return put(length, b"Expect: " + value)


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue"])
def test_a_body_that_is_wanted_is_invited_once(value: bytes) -> None:
    """RFC 9110 §10.1.1."""
    with serving(Recorder(block=2)) as server, RawClient(server.port) as client:
        assert client.ask(expecting(5, value)).status == 100
        assert client.ask(b"hello").body == digest_of(b"hello")
        assert client.ask(GET).status == 200


def test_a_chunked_body_is_invited_as_well() -> None:
    head = CHUNKED[:-2] + b"Expect: 100-continue\r\n\r\n"
    with serving(Recorder()) as server, RawClient(server.port) as client:
        assert client.ask(head).status == 100
        assert client.ask(b"5\r\nhello\r\n0\r\n\r\n").body == digest_of(b"hello")


@pytest.mark.parametrize("body", [b"", b"hello"], ids=["held back", "sent all the same"])
def test_a_body_that_is_not_wanted_is_never_invited(body: bytes) -> None:
    """RFC 9110 §10.1.1."""
    with serving(reject) as server, RawClient(server.port) as client:
        answer = client.ask(expecting(5) + body)
        assert (answer.status, answer.closes) == (401, True)
        assert client.at_end()


def test_a_client_of_http_1_0_or_without_a_body_is_never_invited() -> None:
    """RFC 9110 §10.1.1."""
    http10 = b"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
    with serving(Recorder()) as server:
        with RawClient(server.port) as client:
            assert client.ask(expecting(0)).status == 200
        with RawClient(server.port) as client:
            assert client.ask(http10).status == 200


def test_a_body_read_after_the_answer_began_is_not_invited() -> None:
    def late(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"first "
        yield environ["wsgi.input"].read()

    with serving(late) as server, RawClient(server.port) as client:
        answer: Answer = client.ask(expecting(5) + b"hello")
        assert (answer.status, answer.body) == (200, b"first hello")
