"""Connections: what costs a thread, what is kept, and what is let go."""

import contextlib
import errno
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar
from wsgiref.types import WSGIApplication

import pytest

from davbridge.http.connection import Connection
from davbridge.http.linger import Lingerer
from tests.support.wire import RawClient, serving

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"hi"]


def test_silent_connections_hold_no_thread() -> None:
    with serving(hello, threads=2) as server, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(RawClient(server.port))
        begin = time.monotonic()
        assert stack.enter_context(RawClient(server.port)).ask(GET).status == 200
        assert time.monotonic() - begin < 1


def test_heads_that_do_not_come_to_their_end_hold_no_thread() -> None:
    with serving(hello, threads=2) as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(RawClient(server.port)) for _ in range(20)]
        for client in slow:
            client.send(GET[:-3])
        begin = time.monotonic()
        assert stack.enter_context(RawClient(server.port)).ask(GET).status == 200
        assert time.monotonic() - begin < 5
        for client in slow:
            assert client.ask(GET[-3:]).status == 200


def test_far_more_than_ten_idle_connections_are_kept() -> None:
    with serving(hello, threads=2) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port)) for _ in range(100)]
        for _ in range(2):
            assert not any(client.ask(GET).closes for client in clients)


def test_beyond_the_limit_the_connections_that_say_nothing_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.watch.MAX_WATCHED", 4)
    with serving(hello) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(RawClient(server.port)) for _ in range(3)]
        unfinished = stack.enter_context(RawClient(server.port))
        unfinished.send(GET[:-3])
        asking = [stack.enter_context(RawClient(server.port)) for _ in range(3)]
        for client in asking:
            assert not client.ask(GET).closes
        assert unfinished.at_end()
        assert silent[0].at_end()
        assert silent[1].at_end()
        for client in (silent[2], *asking):
            assert client.ask(GET).status == 200


def test_an_idle_connection_is_closed_after_the_timeout_without_a_word() -> None:
    with serving(hello, timeout=0.5) as server, RawClient(server.port) as client:
        assert client.ask(GET).status == 200
        begin = time.monotonic()
        assert client.at_end()
        assert 0.4 < time.monotonic() - begin < 3


def test_a_client_that_closes_is_forgotten() -> None:
    with serving(hello, threads=1) as server:
        for _ in range(20):
            with RawClient(server.port) as client:
                assert client.ask(GET).status == 200
            with RawClient(server.port):
                pass
        with RawClient(server.port) as client:
            assert client.ask(GET).status == 200


def test_an_application_that_wants_to_exit_ends_no_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def leave(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise SystemExit

    with serving(leave, threads=1) as server:
        for _ in range(3):
            with RawClient(server.port) as client:
                client.send(GET)
                assert client.at_end()
    assert caplog.text.count("could not be served") == 3


def test_the_client_s_address_and_the_server_s_reach_the_application() -> None:
    seen: dict[str, Any] = {}

    def remember(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return hello(environ, start_response)

    with serving(remember) as server, RawClient(server.port) as client:
        client.ask(GET)
        assert seen["REMOTE_ADDR"] == "127.0.0.1"
        assert seen["REMOTE_PORT"] == str(client.socket.getsockname()[1])
        assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("127.0.0.1", str(server.port))
    assert seen["wsgi.url_scheme"] == "http"


def test_small_answers_leave_without_delay() -> None:
    """Nagle's algorithm and delayed acknowledgements would make 40 ms of each."""
    with serving(hello) as server, RawClient(server.port) as client:
        begin = time.monotonic()
        for _ in range(50):
            client.ask(GET)
        assert time.monotonic() - begin < 1


def test_a_server_out_of_file_descriptors_takes_those_of_idle_connections(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("davbridge.http.watch.SHORT_IDLE_SECONDS", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(hello) as server, RawClient(server.port) as idle, contextlib.ExitStack() as stack:
        idle.ask(GET)
        # Descriptors are given lowest first: the server finds none free below this one.
        waiting = stack.enter_context(socket.socket())
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        try:
            waiting.settimeout(5)
            waiting.connect(("127.0.0.1", server.port))
            waiting.sendall(GET)
            assert waiting.recv(12) == b"HTTP/1.1 200"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert idle.at_end()
    assert "can't be accepted" in caplog.text


@pytest.fixture
def tcp_pair() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        theirs.settimeout(5)
        with ours, theirs:
            yield ours, theirs


def detached(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=sock.detach())


def test_a_left_connection_takes_what_comes_until_the_client_closes(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    lingerer = Lingerer()
    lingerer.start()
    taken = detached(ours)
    lingerer.take(taken)
    assert theirs.recv(1) == b""
    for _ in range(50):
        theirs.sendall(b"x" * 100_000)
    theirs.close()
    end = time.monotonic() + 5
    while taken.fileno() >= 0 and time.monotonic() < end:
        time.sleep(0.01)
    assert taken.fileno() < 0
    lingerer.stop(0)


def test_a_left_connection_is_closed_in_the_end_whatever_the_client_does(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    lingerer = Lingerer(seconds=0.2)
    lingerer.start()
    lingerer.take(detached(ours))
    begin = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - begin < 5:
            theirs.sendall(b"x")
            time.sleep(0.02)
    assert 0.1 < time.monotonic() - begin < 3
    lingerer.stop(0)


class Unreachable(socket.socket):
    """Its client's network has gone: the system gives up after a while."""

    def recv_into(self, *_: Any) -> int:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


def test_a_left_connection_that_times_out_is_closed_and_others_are_left_as_well(
    tcp_pair: Any,
) -> None:
    ours, theirs = tcp_pair
    lingerer = Lingerer()
    lingerer.start()
    taken = Unreachable(fileno=ours.detach())
    lingerer.take(taken)
    theirs.sendall(b"x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        another = socket.create_connection(listener.getsockname())
        lingerer.take(another)
        listener.accept()[0].close()
    end = time.monotonic() + 5
    while (taken.fileno() >= 0 or another.fileno() >= 0) and time.monotonic() < end:
        time.sleep(0.01)
    assert (taken.fileno(), another.fileno()) == (-1, -1)
    lingerer.stop(0)


def test_the_lingerer_stops_early_where_nobody_is_left(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    lingerer = Lingerer()
    lingerer.start()
    lingerer.take(detached(ours))
    threading.Timer(0.2, theirs.close).start()
    begin = time.monotonic()
    lingerer.stop(10)
    assert time.monotonic() - begin < 3


def test_too_many_left_connections_are_closed_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.linger.MAX_SOCKETS", 2)
    lingerer = Lingerer()
    lingerer.start()
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        taken = []
        for _ in range(4):
            ours = socket.create_connection(listener.getsockname())
            stack.enter_context(listener.accept()[0])
            taken.append(ours)
            lingerer.take(ours)
            time.sleep(0.05)
        assert [sock.fileno() < 0 for sock in taken] == [True, True, False, False]
        lingerer.stop(0)
    assert all(sock.fileno() < 0 for sock in taken)


def test_what_is_left_after_the_lingerer_stopped_is_closed_at_once(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    lingerer = Lingerer()
    lingerer.start()
    lingerer.stop(0)
    taken = detached(ours)
    lingerer.take(taken)
    assert taken.fileno() < 0
    assert theirs.recv(1) == b""


class CountedSocket(socket.socket):
    """Its system calls by name."""

    calls: ClassVar[Counter[str]] = Counter()

    def recv(self, *args: Any) -> bytes:
        self.calls["recv"] += 1
        return super().recv(*args)

    def send(self, *args: Any) -> int:
        self.calls["send"] += 1
        return super().send(*args)

    def settimeout(self, value: float | None) -> None:
        self.calls["settimeout"] += 1
        super().settimeout(value)


@dataclass
class OneConnection:
    """What a connection needs of the server."""

    app: WSGIApplication
    tls: None = None
    lingerer: Lingerer = field(default_factory=Lingerer)
    can_add_keepalive_connection: bool = True
    let_go: Callable[[], None] = lambda: None
    waiting_for: Callable[[object], contextlib.AbstractContextManager[object]] = (
        contextlib.nullcontext
    )


def test_a_small_request_is_received_at_once_and_its_answer_sent_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as theirs,
        CountedSocket(fileno=listener.accept()[0].detach()) as counted,
    ):
        connection = Connection(OneConnection(hello), counted)
        for _ in range(2):
            theirs.send(GET)
            select.select([counted], [], [], 5)
            counted.calls.clear()
            assert connection.has_request()
            assert connection.communicate()
            assert theirs.recv(4096).endswith(b"\r\n\r\nhi")
            assert counted.calls == {"recv": 1, "send": 1}
        assert not connection.has_request()


def test_a_request_is_awaited_for_as_long_as_it_was_said_and_found_when_it_comes() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as theirs,
        listener.accept()[0] as ours,
    ):
        connection = Connection(OneConnection(hello), ours)
        begin = time.monotonic()
        assert not connection.await_request(0.05)
        assert 0.04 < time.monotonic() - begin < 5
        talk = threading.Timer(0.05, theirs.send, [GET])
        talk.start()
        assert connection.await_request(10)
        talk.join()
        assert connection.communicate()
        assert theirs.recv(4096).endswith(b"\r\n\r\nhi")
        theirs.close()
        assert connection.await_request(10), "the end is something to hear of, too"
