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
from types import SimpleNamespace
from typing import Any, ClassVar
from wsgiref.types import WSGIApplication

import pytest

from davbridge.http.connections.connection import Connection
from davbridge.http.connections.lingering_close import LingeringCloser
from davbridge.http.connections.manager import ConnectionManager
from tests.support.timer import Timer
from tests.support.waiting import FOREVER, PATIENCE, until
from tests.support.wire import RawClient, serving

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"hi"]


def test_more_silent_connections_than_threads_hold_none_of_them() -> None:
    with serving(hello, threads=2) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(RawClient(server.port)) for _ in range(20)]
        assert stack.enter_context(RawClient(server.port)).ask(GET).status == 200
        assert all(client.is_silent(0.001) for client in silent)


def test_more_heads_than_threads_that_do_not_come_to_their_end_hold_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.protocol.request_reader.HEAD_SECONDS", FOREVER)
    with serving(hello, threads=2) as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(RawClient(server.port)) for _ in range(20)]
        for client in slow:
            client.send(GET[:-3])
        assert stack.enter_context(RawClient(server.port)).ask(GET).status == 200
        for client in slow:
            assert client.ask(GET[-3:]).status == 200


def test_far_more_than_ten_idle_connections_are_kept() -> None:
    with serving(hello, threads=2) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port)) for _ in range(100)]
        for _ in range(2):
            assert not any(client.ask(GET).closes for client in clients)


def test_idle_connections_make_room_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.connections.manager.MAX_IDLE_CONNECTIONS", 4)
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


def test_an_idle_connection_is_closed_after_the_timeout_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead = 0.0
    clock = SimpleNamespace(time=lambda: time.time() + ahead, sleep=time.sleep)
    monkeypatch.setattr("cheroot.connections.time", clock)
    looks: list[float] = []
    expire = ConnectionManager._expire

    def counted(watch: ConnectionManager, threshold: float) -> None:
        looks.append(threshold)
        expire(watch, threshold)

    monkeypatch.setattr(ConnectionManager, "_expire", counted)
    with serving(hello) as server, RawClient(server.port) as client:
        watch = server._core._connections
        assert client.ask(GET).status == 200
        until(lambda: len(watch._idle()) == 1)
        seen = len(looks)
        ahead = FOREVER / 2
        until(lambda: len(looks) > seen + 2)
        assert client.ask(GET).status == 200
        until(lambda: len(watch._idle()) == 1)
        ahead += FOREVER + 1
        assert client.at_end()


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


def test_a_server_out_of_file_descriptors_takes_those_of_idle_connections(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("davbridge.http.connections.manager.IDLE_SECONDS_WHEN_SCARCE", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(hello) as server, RawClient(server.port) as idle, contextlib.ExitStack() as stack:
        idle.ask(GET)
        # Descriptors are given lowest first: the server finds none free below this one.
        waiting = stack.enter_context(socket.socket())
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        try:
            waiting.settimeout(PATIENCE)
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
        theirs.settimeout(PATIENCE)
        with ours, theirs:
            yield ours, theirs


def detached(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=sock.detach())


def test_a_left_connection_takes_what_comes_until_the_client_closes(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    closer = LingeringCloser()
    closer.start()
    taken = detached(ours)
    closer.close_later(taken)
    assert theirs.recv(1) == b""
    for _ in range(50):
        theirs.sendall(b"x" * 100_000)
    theirs.close()
    until(lambda: taken.fileno() < 0)
    closer.stop(0)


def test_a_left_connection_is_closed_in_the_end_whatever_the_client_does(
    tcp_pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tcp_pair
    timer = Timer()
    clock = SimpleNamespace(monotonic=timer)
    monkeypatch.setattr("davbridge.http.connections.lingering_close.time", clock)
    closer = LingeringCloser(seconds=30)
    closer.start()
    taken = Counted(fileno=ours.detach())
    closer.close_later(taken)

    def send_and_look() -> bool:
        with contextlib.suppress(ConnectionError):
            theirs.sendall(b"x")
        return taken.fileno() < 0

    until(lambda: send_and_look() or taken.received > 0)
    timer.advance(29)
    seen = taken.received
    until(lambda: send_and_look() or taken.received > seen + 5)
    assert taken.fileno() >= 0
    timer.advance(1)
    until(send_and_look)
    closer.stop(0)


class Counted(socket.socket):
    """How often it was received from."""

    received = 0

    def recv_into(self, *args: Any) -> int:
        self.received += 1
        return super().recv_into(*args)


class Unreachable(socket.socket):
    """Its client's network has gone: the system gives up after a while."""

    def recv_into(self, *_: Any) -> int:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


def test_a_left_connection_that_times_out_is_closed_and_others_are_left_as_well(
    tcp_pair: Any,
) -> None:
    ours, theirs = tcp_pair
    closer = LingeringCloser()
    closer.start()
    taken = Unreachable(fileno=ours.detach())
    closer.close_later(taken)
    theirs.sendall(b"x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        another = socket.create_connection(listener.getsockname())
        closer.close_later(another)
        listener.accept()[0].close()
    until(lambda: (taken.fileno(), another.fileno()) == (-1, -1))
    closer.stop(0)


def test_the_lingering_closer_stops_before_its_time_where_nobody_is_left(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    closer = LingeringCloser(FOREVER)
    closer.start()
    closer.close_later(detached(ours))
    stopping = threading.Thread(target=closer.stop, args=[FOREVER], daemon=True)
    stopping.start()
    until(lambda: closer._stop_at is not None)
    assert stopping.is_alive()
    theirs.close()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()


def test_too_many_left_connections_are_closed_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.connections.lingering_close.MAX_SOCKETS", 2)
    closer = LingeringCloser()
    closer.start()
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        taken = []
        for _ in range(4):
            ours = socket.create_connection(listener.getsockname())
            stack.enter_context(listener.accept()[0])
            taken.append(ours)
            closer.close_later(ours)
        until(lambda: [sock.fileno() < 0 for sock in taken] == [True, True, False, False])
        closer.stop(0)
    assert all(sock.fileno() < 0 for sock in taken)


def test_a_connection_left_after_the_closer_stopped_is_closed_at_once(tcp_pair: Any) -> None:
    ours, theirs = tcp_pair
    closer = LingeringCloser()
    closer.start()
    closer.stop(0)
    taken = detached(ours)
    closer.close_later(taken)
    assert taken.fileno() < 0
    assert theirs.recv(1) == b""


class CountedSocket(socket.socket):
    """Its system calls by name."""

    calls: ClassVar[Counter[str]] = Counter()
    waits: ClassVar[list[float]] = []
    """The timeouts that it was given."""

    def recv(self, *args: Any) -> bytes:
        self.calls["recv"] += 1
        return super().recv(*args)

    def send(self, *args: Any) -> int:
        self.calls["send"] += 1
        return super().send(*args)

    def settimeout(self, value: float | None) -> None:
        self.calls["settimeout"] += 1
        if value:
            self.waits.append(value)
        super().settimeout(value)


@dataclass
class OneConnection:
    """What a connection needs of the server."""

    app: WSGIApplication
    tls: None = None
    closer: LingeringCloser = field(default_factory=LingeringCloser)
    may_keep_alive: bool = True
    release_leadership: Callable[[], None] = lambda: None
    client_wait: Callable[[object], contextlib.AbstractContextManager[object]] = (
        contextlib.nullcontext
    )


def test_a_small_request_is_received_in_one_call_and_its_answer_sent_in_one() -> None:
    """And without Nagle's algorithm, as delayed acknowledgements would make 40 ms of each."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as theirs,
        CountedSocket(fileno=listener.accept()[0].detach()) as counted,
    ):
        connection = Connection(OneConnection(hello), counted)
        assert counted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for _ in range(2):
            theirs.send(GET)
            select.select([counted], [], [], PATIENCE)
            counted.calls.clear()
            assert connection.has_request()
            assert connection.serve_request()
            assert theirs.recv(4096).endswith(b"\r\n\r\nhi")
            assert counted.calls == {"recv": 1, "send": 1}
        assert not connection.has_request()


def test_a_request_is_awaited_for_as_long_as_it_was_said_and_found_when_it_comes() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as theirs,
        CountedSocket(fileno=listener.accept()[0].detach()) as counted,
    ):
        connection = Connection(OneConnection(hello), counted)
        counted.waits.clear()
        assert not connection.wait_for_request(0.05)
        assert counted.waits == [0.05]
        talk = threading.Timer(0.05, theirs.send, [GET])
        talk.start()
        assert connection.wait_for_request(PATIENCE)
        talk.join()
        assert connection.serve_request()
        assert theirs.recv(4096).endswith(b"\r\n\r\nhi")
        theirs.close()
        assert connection.wait_for_request(PATIENCE), "the end is something to hear of, too"
