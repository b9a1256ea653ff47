"""Clients on slow lines, many more of them than there are threads: who asks beside them doesn't
notice, and all of them get done."""

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from davbridge.http.body import BLOCK
from davbridge.store.budget import LARGE_SHARE, UNIT
from tests.support.buckets import Bucket
from tests.support.drive import Home
from tests.support.proc import cost_of
from tests.support.served import Served, served
from tests.support.slow import KERNEL_HOLDS, Crowd, Download, SlowClient, Upload, connected
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

SLOWEST = 1.0
"""Seconds, on a busy machine: in turn, a request would wait for as long as uploads take."""

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


def test_slow_bodies_hold_up_nobody_and_come_whole(home: Home) -> None:
    times: list[float] = []
    most = 0
    with Crowd(list(slow_clients(home)), PAUSE) as crowd, RawClient(home.server.port) as client:
        while not crowd.is_done:
            began_at = time.perf_counter()
            assert client.ask(PROPFIND % home.path.encode()).status == 207
            times.append(time.perf_counter() - began_at)
            most = max(most, cost_of(home.server.pid).threads)
            time.sleep(0.01)
        assert crowd.failures == []
    assert most > 2 * SLOW
    assert sorted(times)[len(times) * 99 // 100] < SLOWEST
    for number in range(SLOW):
        assert home.bucket.get(f"up{number}").body == uploaded(number)
    until(lambda: cost_of(home.server.pid).threads < SLOW)  # they end with what they were for


def test_uploads_that_wait_for_memory_hold_up_nobody(home: Home) -> None:
    count = LARGE_SHARE // UNIT + 2 * THREADS
    body = bytes(UNIT + 1)
    slow = [
        Upload(connected(home.server.port), f"{home.path}large{number}", body, 64 * 1024)
        for number in range(count)
    ]
    with Crowd(slow, PAUSE) as crowd, RawClient(home.server.port) as client:
        until(lambda: all(each.sent > 2 * BLOCK for each in slow))
        for _ in range(100):
            began_at = time.perf_counter()
            assert client.ask(PROPFIND % home.path.encode()).status == 207
            assert time.perf_counter() - began_at < 2 * SLOWEST
            time.sleep(0.01)
        assert crowd.failures == []
    until(lambda: cost_of(home.server.pid).threads < SLOW)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
