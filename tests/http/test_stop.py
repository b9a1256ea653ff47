"""Stopping: idle connections at once, requests under way within a time, then all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from davbridge.config import ServerSettings
from davbridge.http.server import HttpServer
from tests.support.waiting import FOREVER, PATIENCE, until
from tests.support.wire import RawClient

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Gate:
    """An application whose requests end when they are let."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.failure: BaseException | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.entered.set()
        try:
            if environ["REQUEST_URI"] == "/upload":
                environ["wsgi.input"].read()
            else:
                self.open.wait(FOREVER)
        except OSError as error:
            self.failure = error
            raise
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]


class Running:
    """A server in a thread of its own. Where a test doesn't say otherwise, it has all the time in
    the world to stop: if it stops at all, there was nothing to wait for."""

    def __init__(self, app: Any, **settings: Any) -> None:
        defaults = {"port": 0, "threads": 4, "timeout": FOREVER, "shutdown_timeout": FOREVER}
        self.server = HttpServer(app, ServerSettings(**(defaults | settings)))
        self.server.prepare()
        self.thread = threading.Thread(target=self.server.serve, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def running(app: Any, **settings: Any) -> Iterator[Running]:
    running = Running(app, **settings)
    try:
        yield running
    finally:
        running.stop()


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"hi"]


def test_an_idle_server_waits_for_nothing_when_it_stops_and_closes_idle_connections() -> None:
    with (
        running(hello) as run,
        RawClient(run.server.port) as used,
        RawClient(run.server.port) as silent,
    ):
        assert used.ask(GET).status == 200
        run.stop()
        assert used.at_end()
        assert silent.at_end()


def test_an_incomplete_request_does_not_delay_the_end() -> None:
    unread = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    with running(hello) as run, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(run.server.port)) for _ in range(50)]
        for client in clients[:25]:
            client.send(GET[:-3])
        for client in clients[25:]:
            assert client.ask(unread).status == 200
        run.stop()
        assert all(client.at_end() for client in clients)


def test_nothing_is_accepted_from_the_stop_on_while_a_request_ends() -> None:
    gate = Gate()
    with running(gate) as run, RawClient(run.server.port) as client:
        client.send(GET)
        assert gate.entered.wait(PATIENCE)
        run.server.stop()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", run.server.port), 0.5).close()
        gate.open.set()
        answer = client.answer()
        assert (answer.body, answer.closes) == (b"done", True)


def test_an_upload_under_way_is_finished() -> None:
    gate = Gate()
    with running(gate) as run, RawClient(run.server.port) as client:
        client.send(b"PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        assert gate.entered.wait(PATIENCE)
        run.server.stop()
        time.sleep(0.2)
        answer = client.ask(b"world")
        assert (answer.body, answer.closes) == (b"done", True)
        run.stop()


@pytest.fixture
def time_to_unwind(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, what was cut comes to its end."""
    monkeypatch.setattr("davbridge.http.workers.pool.ABORT_SECONDS", PATIENCE / 2)


@pytest.mark.usefixtures("time_to_unwind")
def test_an_upload_that_stalls_is_cut_after_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with running(gate, shutdown_timeout=0.5) as run, RawClient(run.server.port) as client:
        client.send(b"PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        assert gate.entered.wait(PATIENCE)
        run.stop()
        assert isinstance(gate.failure, ConnectionError)
        assert client.at_end()
    assert "left behind" not in caplog.text


@pytest.mark.usefixtures("time_to_unwind")
def test_a_download_that_nobody_reads_is_cut_after_the_timeout() -> None:
    closed = threading.Event()

    def endless(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 262_144
        finally:
            closed.set()

    with running(endless, shutdown_timeout=0.5) as run, RawClient(run.server.port) as client:
        client.send(GET)
        client.socket.recv(1)
        run.stop()
    assert closed.is_set()


def test_a_request_that_never_ends_is_left_behind_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.http.workers.pool.ABORT_SECONDS", 0.2)
    gate = Gate()
    with running(gate, shutdown_timeout=0.3) as run, RawClient(run.server.port) as client:
        client.send(GET)
        assert gate.entered.wait(PATIENCE)
        run.stop()
        assert client.at_end()
    assert "1 requests did not end in time" in caplog.text
    gate.open.set()


STUCK = """
import socket, threading, time
from davbridge.config import ServerSettings
from davbridge.http.workers import pool
from davbridge.http.server import HttpServer

pool.ABORT_SECONDS = 0.1
entered = threading.Event()

def app(environ, start_response):
    entered.set()
    time.sleep(60)

server = HttpServer(app, ServerSettings(port=0, shutdown_timeout=0.1))
server.prepare()
client = socket.create_connection(("127.0.0.1", server.port))
client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
threading.Thread(target=lambda: (entered.wait(), server.stop())).start()
server.serve()
"""


def test_a_request_that_never_ends_does_not_keep_the_process() -> None:
    subprocess.run([sys.executable, "-c", STUCK], check=True, timeout=PATIENCE)


def test_requests_that_wait_for_a_thread_are_served_before_the_end() -> None:
    gate = Gate()
    with running(gate) as run, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(run.server.port)) for _ in range(8)]
        for client in clients:
            client.send(GET)
        until(lambda: len(run.server._core.pool._ready) == 4)
        run.server.stop()
        gate.open.set()
        assert [client.answer().body for client in clients] == [b"done"] * 8


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="sends itself a signal of POSIX")
def test_stop_works_from_a_signal_handler_and_twice() -> None:
    server = HttpServer(hello, ServerSettings(port=0, threads=2, shutdown_timeout=FOREVER))
    server.prepare()
    stops: list[int] = []

    def stop_twice(number: int, _: object) -> None:
        stops.append(number)
        server.stop()
        server.stop()

    before = signal.signal(signal.SIGUSR1, stop_twice)
    try:
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        server.serve()  # in the main thread, where handlers run
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert stops == [signal.SIGUSR1]


@pytest.mark.parametrize("is_prepared", [True, False])
def test_a_server_that_was_stopped_before_it_serves_accepts_nobody(is_prepared: bool) -> None:
    server = HttpServer(hello, ServerSettings(port=0, threads=2, shutdown_timeout=FOREVER))
    if is_prepared:
        server.prepare()
        server.stop()
    else:
        server.stop()
        server.prepare()
    server.serve()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port)).close()


def test_no_thread_is_left_when_serve_has_returned() -> None:
    before = threading.active_count()
    with running(hello) as run, RawClient(run.server.port) as client:
        client.ask(GET)
        assert threading.active_count() > before
    assert threading.active_count() == before
