"""Clients on slow lines, many more of them than there are threads: who asks beside them doesn't
notice, and all of them get done."""

import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest

from davbridge.http.protocol.request_body import READ_BYTES
from davbridge.store.buffers.budget import LARGE_SHARE, UNIT
from tests.support.buckets import Bucket
from tests.support.drive import Home
from tests.support.proc import cost_of
from tests.support.served import Served, served
from tests.support.slow import KERNEL_HOLDS, Crowd, Download, SlowClient, Upload, connected
from tests.support.waiting import until
from tests.support.wire import RawClient

THREADS = 4

SLOW = 40
"""Of either kind."""

PAUSE = 0.1
"""Seconds between two pieces."""

UPLOADED = 64 * 1024
MORE = 4 * 1024
"""The first upload, and how much longer each other is: they don't end all at once."""
DOWNLOADED = KERNEL_HOLDS + 1024 * 1024

PROPFIND = b"PROPFIND %s HTTP/1.1\r\nHost: localhost\r\nDepth: 0\r\n\r\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def server(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("davbridge")
    with served(bucket, folder, settings=f"[server]\nthreads = {THREADS}\n") as server:
        yield server


def body_of(number: int, size: int) -> bytes:
    """Each another, and no piece of it like another one."""
    return b"".join(b"%08d%08d" % (number, place) for place in range(size // 16))


def uploaded(number: int) -> bytes:
    return body_of(number, UPLOADED + number * MORE)


def slow_clients(home: Home) -> Iterator[SlowClient]:
    body = body_of(0, DOWNLOADED)
    home.bucket.put("down", body)
    for number in range(SLOW):
        yield Download(connected(home.server.port), f"{home.path}down", body, 128 * 1024)
        path, own = f"{home.path}up{number}", uploaded(number)
        yield Upload(connected(home.server.port), path, own, 4 * 1024)


def test_slow_bodies_that_each_hold_a_thread_hold_up_nobody_and_come_whole(home: Home) -> None:
    crowd = Crowd(list(slow_clients(home)), PAUSE, is_held=True)
    with crowd, RawClient(home.server.port) as client:
        until(lambda: cost_of(home.server.pid).threads > 2 * SLOW)
        for _ in range(100):
            assert client.ask(PROPFIND % home.path.encode()).status == 207
        assert crowd.rounds == 0
        crowd.go_on()
        while not crowd.is_done:
            assert client.ask(PROPFIND % home.path.encode()).status == 207
        assert crowd.failures == []
    for number in range(SLOW):
        assert home.bucket.get(f"up{number}").body == uploaded(number)
    until(lambda: cost_of(home.server.pid).threads < SLOW)  # they end with what they were for


def begin_upload(port: int, path: str, length: int, sent: int) -> socket.socket:
    """A PUT of ``length`` bytes, of which so many are sent at once, as the server takes them."""
    sock = connected(port)
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    sock.sendall(head.encode() + bytes(sent))
    return sock


def test_uploads_that_wait_for_memory_hold_up_nobody(home: Home) -> None:
    """Some lack a byte of a part each, so that there is none for the others."""
    holding = {f"holds{number}": UNIT - 1 for number in range(LARGE_SHARE // UNIT)}
    waiting = {f"waits{number}": 2 * READ_BYTES for number in range(2 * THREADS)}
    with contextlib.ExitStack() as stack, RawClient(home.server.port) as client:
        for name, sent in {**holding, **waiting}.items():
            path = f"{home.path}{name}"
            stack.enter_context(begin_upload(home.server.port, path, 2 * UNIT, sent))
        for _ in range(100):
            assert client.ask(PROPFIND % home.path.encode()).status == 207
    until(lambda: cost_of(home.server.pid).threads < SLOW)


def test_slow_uploads_keep_no_quick_one_out_whatever_they_announce(home: Home) -> None:
    """Two that announce 800 GiB, and many ordinary ones, which have all sent little so far."""
    lengths = 2 * [800 * 1024**3] + 22 * [90 * 1024**2]
    body = body_of(1, 16 * 1024**2)
    with contextlib.ExitStack() as stack, RawClient(home.server.port) as client:
        slow = [
            stack.enter_context(
                begin_upload(home.server.port, f"{home.path}slow{number}", length, 300_000)
            )
            for number, length in enumerate(lengths)
        ]
        for round_ in range(3):
            for sock in slow:
                sock.sendall(bytes(1500))
            put = f"PUT {home.path}quick{round_} HTTP/1.1\r\nHost: localhost\r\n"
            put += f"Content-Length: {len(body)}\r\n\r\n"
            assert client.ask(put.encode() + body).status == 201
        for sock in slow:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):  # nobody was refused
                sock.recv(1)
    assert home.bucket.get("quick2").body == body
    until(lambda: cost_of(home.server.pid).threads < SLOW)
