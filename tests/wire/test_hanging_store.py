"""Whatever the store does, and however many requests wait, who needs no store is answered.

The whole bridge in this process, over a real store, behind a proxy that holds what it is told to.
Nothing is measured: what is held is held until the answers are there.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from davbridge import app
from davbridge.config import (
    AccessSettings,
    CacheSettings,
    DriveSettings,
    S3Settings,
    ServerSettings,
    Settings,
)
from davbridge.dav import idempotency
from davbridge.http.connections.manager import max_idle_connections
from davbridge.http.middleware.readiness import PATH as READY
from davbridge.http.workers import admission
from davbridge.http.workers.admission import Limits
from davbridge.tree import path_locks
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import Fault, Request, S3Proxy, Stall, s3_proxy
from tests.support.wire import Answer, RawClient

LOCKINFO = (
    b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype></D:lockinfo>"
)

THREADS = 4

LIMITS = Limits.of(THREADS, max_idle_connections())

PATIENCE = 60.0
"""Seconds after which a test fails."""

UNAFFECTED = (
    (f"GET {READY}", 200),
    ("OPTIONS /", 200),
    ("PROPFIND /", 207),
    ("PROPFIND /f0", 207),
    ("GET /absent", 404),
    ("LOCK /f1", 200),
)
"""What needs no store, once the listing is known."""


@dataclass
class Gate:
    """A rule of the proxy: it holds the requests that it is told to."""

    holds: Callable[[Request], bool] = lambda _: False
    stalls_after: int = 0
    """Bytes of the answer's body that come before it is held; 0: the request is."""
    held: list[str] = field(default_factory=list)
    """Targets, in the order of their coming."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _is_open: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request) -> Fault | None:
        if not self.holds(request):
            return None
        with self._changed:
            self.held.append(request.target)
            self._changed.notify_all()
        if self.stalls_after:
            return Stall(self.stalls_after, self._is_open)
        assert self._is_open.wait(10 * PATIENCE)
        return None

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.held) >= count, PATIENCE), self.held

    def open(self) -> None:
        self._is_open.set()


class Running(NamedTuple):
    port: int
    gate: Gate
    serving: threading.Thread
    stop: Callable[[], None]
    """Returns when it has stopped."""


def is_download(request: Request) -> bool:
    return request.method == "GET" and "/f" in request.target


def is_listing(request: Request) -> bool:
    """Of the folder; what the bridge itself lists beside isn't held."""
    return request.method == "GET" and "prefix=s%2F" in request.target


def is_copy(request: Request) -> bool:
    return "x-amz-copy-source" in request.headers


@pytest.fixture(scope="module")
def filled(seaweedfs: Endpoint) -> Iterator[Bucket]:
    """With three files on top, and a folder of three."""
    with fresh_bucket(seaweedfs) as bucket:
        for number in range(3):
            bucket.put(f"f{number}", f"file {number}".encode())
            bucket.put(f"s/m{number}", b"member")
        yield bucket


@pytest.fixture
def proxy(filled: Bucket) -> Iterator[S3Proxy]:
    with s3_proxy(filled.endpoint.url) as proxy:
        yield proxy


@pytest.fixture
def running(filled: Bucket, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(admission, "QUEUE_SECONDS", 10 * PATIENCE)
    with bridge(filled, proxy) as running:
        yield running


@contextmanager
def bridge(bucket: Bucket, proxy: S3Proxy) -> Iterator[Running]:
    settings = Settings(
        s3=S3Settings(
            bucket.name,
            endpoint_url=proxy.url,
            region=bucket.endpoint.region,
            access_key=bucket.endpoint.access_key,
            secret_key=bucket.endpoint.secret_key,
            read_timeout=10 * PATIENCE,
        ),
        drive=DriveSettings(publish_quota=False),
        cache=CacheSettings(ttl=3600.0, negative_ttl=3600.0),
        access=AccessSettings(anonymous=True),
        server=ServerSettings(port=0, threads=THREADS, timeout=PATIENCE, shutdown_timeout=2.0),
    )
    gate = proxy.rule = Gate()
    with app.listening(settings, on_failure=pytest.fail) as served:
        thread = threading.Thread(target=served.serve)
        thread.start()

        def stop() -> None:
            served.stop()
            thread.join(PATIENCE)

        try:
            port = int(served.url.rstrip("/").rpartition(":")[2])
            require_unaffected(port)  # which has the listing kept
            yield Running(port, gate, thread, stop)
        finally:
            gate.open()
            stop()
            assert not thread.is_alive()


def message(request: str) -> bytes:
    """Its method and target, and more header fields on lines of their own."""
    line, *fields = request.split("\n")
    body = LOCKINFO if line.startswith("LOCK ") else b""
    length = f"Content-Length: {len(body)}"
    return (
        "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", length, *fields, "\r\n"]).encode()
        + body
    )


def asked(port: int, request: str) -> Answer:
    with crowd(port, [request]) as (client,):
        return client.answer(is_head=request.startswith("HEAD"))


def require_unaffected(port: int) -> None:
    for request, status in UNAFFECTED:
        answer = asked(port, f"{request}\nDepth: 0")
        assert answer.status == status, (request, answer)
        if token := answer.fields.get("lock-token"):
            assert asked(port, f"UNLOCK /f1\nLock-Token: {token}").status == 204


@contextmanager
def crowd(port: int, requests: Sequence[str]) -> Iterator[list[RawClient]]:
    """Each is sent on a connection of its own, before any is answered."""
    with ExitStack() as open_ones:
        clients = []
        for request in requests:
            client = RawClient(port)
            open_ones.callback(client.close)
            client.socket.settimeout(PATIENCE)
            client.send(message(request))
            clients.append(client)
        yield clients


def unanswered(clients: Sequence[RawClient]) -> int:
    return sum(not has_come(client.socket) for client in clients)


def has_come(sock: socket.socket) -> bool:
    sock.settimeout(0)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        sock.settimeout(PATIENCE)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def threads() -> int:
    """The server's: what copies, or sweeps, has other names."""
    names = [each.name.removeprefix("davbridge-") for each in threading.enumerate()]
    return sum(name.isdecimal() for name in names)


def test_a_store_that_holds_more_requests_than_there_are_threads_holds_up_no_other(
    running: Running,
) -> None:
    running.gate.holds = is_download
    downloads = 3 * THREADS
    with crowd(running.port, ["GET /f0"] * downloads) as clients:
        running.gate.wait_for(downloads)
        require_unaffected(running.port)
        assert unanswered(clients) == downloads
        running.gate.open()
        assert [client.answer().body for client in clients] == [b"file 0"] * downloads
    assert len(running.gate.held) == downloads


def test_a_bounded_number_of_requests_ask_a_store_that_hangs_and_the_others_follow(
    running: Running,
) -> None:
    before = threads()
    running.gate.holds = is_download
    downloads = LIMITS.store + 60
    with crowd(running.port, [f"GET /f{number % 3}" for number in range(downloads)]) as clients:
        running.gate.wait_for(LIMITS.store)
        for _ in range(5):
            require_unaffected(running.port)
        assert len(running.gate.held) == LIMITS.store
        assert unanswered(clients) == downloads
        assert threads() <= before + downloads + THREADS + 1
        running.gate.open()
        bodies = [client.answer().body for client in clients]
    assert bodies == [f"file {number % 3}".encode() for number in range(downloads)]
    assert len(running.gate.held) == downloads  # each has asked once


def test_a_request_too_many_for_a_store_that_hangs_is_503_and_takes_no_thread(
    running: Running,
) -> None:
    before = threads()
    running.gate.holds = is_download
    most = LIMITS.store + LIMITS.queue
    with crowd(running.port, ["GET /f0"] * (most + 100)) as clients:
        running.gate.wait_for(LIMITS.store)
        until(lambda: unanswered(clients) <= most)
        require_unaffected(running.port)
        assert unanswered(clients) == most
        assert threads() <= before + most + THREADS + 1
        running.gate.open()
        answers = [client.answer() for client in clients]
    refused = [each for each in answers if each.status == 503]
    assert [each.fields["retry-after"] for each in refused] == ["5"] * 100
    assert [each.body for each in answers if each.status == 200] == [b"file 0"] * most
    assert len(running.gate.held) == most


def test_no_request_waits_for_ever_to_ask_a_store_that_hangs(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "QUEUE_SECONDS", 0.1)
    running.gate.holds = is_download
    with crowd(running.port, ["GET /f0"] * (LIMITS.store + 5)) as clients:
        until(lambda: unanswered(clients) <= LIMITS.store)
        require_unaffected(running.port)
        assert len(running.gate.held) == unanswered(clients) == LIMITS.store
        running.gate.open()
        statuses = sorted(client.answer().status for client in clients)
    assert statuses == [200] * LIMITS.store + [503] * 5


def test_bodies_that_stop_coming_from_the_store_hold_up_no_other(running: Running) -> None:
    downloads = 3 * THREADS
    running.gate.holds = is_download
    running.gate.stalls_after = 3
    with crowd(running.port, ["GET /f0"] * downloads) as clients:
        running.gate.wait_for(downloads)
        require_unaffected(running.port)
        running.gate.open()
        assert [client.answer().body for client in clients] == [b"file 0"] * downloads


def test_requests_that_wait_for_one_answer_of_the_store_hold_up_no_other(
    running: Running,
) -> None:
    running.gate.holds = is_listing
    with crowd(running.port, ["PROPFIND /s/\nDepth: 1"] * 3 * THREADS) as clients:
        running.gate.wait_for(1)
        require_unaffected(running.port)
        assert unanswered(clients) == 3 * THREADS
        running.gate.open()
        assert {client.answer().status for client in clients} == {207}
    assert len(running.gate.held) == 1


def test_requests_that_wait_for_one_move_hold_up_no_other_and_are_bounded(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        idempotency, "JOIN_AFTER_SECONDS", 10 * PATIENCE
    )  # else some join the same DELETE
    before = threads()
    running.gate.holds = is_copy
    deletes = [f"DELETE /s/m{number % 3}" for number in range(560)]
    with crowd(running.port, ["MOVE /s/\nDestination: /t/"]) as (move,):
        running.gate.wait_for(1)
        with crowd(running.port, deletes) as clients:
            until(lambda: unanswered(clients) <= path_locks.MOST_WAITING)
            require_unaffected(running.port)
            assert unanswered(clients) == path_locks.MOST_WAITING
            assert threads() <= before + path_locks.MOST_WAITING + THREADS + 2
            running.gate.open()
            answers = [client.answer() for client in clients]
        assert move.answer().status == 201
    refused = [each for each in answers if each.status == 503]
    assert len(refused) == len(deletes) - path_locks.MOST_WAITING
    assert {each.fields["retry-after"] for each in refused} == {"5"}
    assert {each.status for each in answers} == {404, 503}
    assert asked(running.port, "GET /t/m0").body == b"member"


def test_a_store_that_hangs_does_not_delay_the_end_of_the_server(
    filled: Bucket, proxy: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    with bridge(filled, proxy) as running:
        running.gate.holds = is_download
        with crowd(running.port, ["GET /f0"] * (LIMITS.store + 5)) as clients:
            running.gate.wait_for(LIMITS.store)
            running.stop()
            assert not running.serving.is_alive()
            assert len(running.gate.held) == LIMITS.store
            assert all(client.at_end() for client in clients[: LIMITS.store])
    assert f"{LIMITS.store} requests did not end in time" in caplog.text
