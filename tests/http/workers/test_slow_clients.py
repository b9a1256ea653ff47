"""Any number of slow clients keeps out nobody who is quick."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

import pytest

from davbridge.http import server as server_module
from davbridge.http.workers.admission import Limits
from davbridge.store.memory import MemoryStore
from davbridge.waiting import store_wait
from tests.support.bridge import Bridge, running_bridge
from tests.support.contract import keys
from tests.support.intercepted import InterceptedStore
from tests.support.wire import RawClient

T = TypeVar("T")

WATCHED = 60

THREADS = 2

MOMENT = 0.1
"""Seconds: longer than a client may keep its thread without its being counted."""


class AskedStore(InterceptedStore):
    """A store that is waited for."""

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        with store_wait():
            return call()


@pytest.fixture
def bucket() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bridge(bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    monkeypatch.setattr(server_module, "max_idle_connections", lambda: WATCHED)
    with running_bridge(AskedStore(bucket), threads=THREADS) as bridge:
        yield bridge


def put(name: str, length: int, body: bytes) -> bytes:
    head = f"PUT /{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


def test_uploads_that_are_slow_give_way_to_others(bridge: Bridge, bucket: MemoryStore) -> None:
    crowd = 2 * Limits.of(THREADS, WATCHED).requests
    with ExitStack() as slow:
        for number in range(crowd):
            client = slow.enter_context(RawClient(bridge.port))
            client.send(put(f"slow{number}", 800 << 30, b"x"))
            time.sleep(0.03)  # it is waited for, as all are in the end
        with RawClient(bridge.port) as quick:
            assert quick.ask(put("small", 3, b"abc")).status == 201
            quick.send(put("large", 200_000, b"x" * 100_000))
            time.sleep(MOMENT)
            assert quick.ask(b"x" * 100_000).status == 201
            assert quick.ask(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200
    assert keys(bucket) == ["large", "small"]
