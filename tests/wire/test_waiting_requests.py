"""Requests that wait for others' work hold up nobody, however many of them there are."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import pytest

from davbridge.dav import repeats
from davbridge.store.memory import MemoryStore
from tests.support.bridge import Bridge, running_bridge
from tests.support.intercepted import InterceptedStore
from tests.support.objects import put

T = TypeVar("T")

Asked = tuple[str, str, dict[str, str]]

THREADS = 3

SLOWEST = 2.0
"""Seconds, on a busy machine. Those that wait do so for as long as the test wants."""


class HeldCopies(InterceptedStore):
    """Copies nothing until it may."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        super().__init__(self.memory)
        self.may_copy = threading.Event()

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name == "copy_object":
            assert self.may_copy.wait(60)
        return super().intercept(name, key, call)


@pytest.fixture
def store() -> HeldCopies:
    store = HeldCopies()
    for tree in range(2 * THREADS):
        put(store.memory, *(f"s{tree}/{number}" for number in range(3)))
    return store


@pytest.fixture
def bridge(store: HeldCopies) -> Iterator[Bridge]:
    with running_bridge(store, threads=THREADS) as bridge:
        yield bridge
        store.may_copy.set()


def ask(bridge: Bridge, method: str, target: str, **headers: str) -> int:
    with bridge.client() as client:
        return client(method, target, headers={}, **headers).status


@contextmanager
def waiting(bridge: Bridge, *asked: Asked) -> Iterator[list[Future[int]]]:
    """Requests under way, none of which can get on."""
    with ThreadPoolExecutor(len(asked)) as pool:
        futures = []
        for method, target, headers in asked:
            futures.append(pool.submit(ask, bridge, method, target, **headers))
            time.sleep(0.05)  # in this order
        time.sleep(0.2)
        assert not any(future.done() for future in futures)
        yield futures


def require_answers(bridge: Bridge) -> None:
    for _ in range(5):
        began_at = time.monotonic()
        assert ask(bridge, "PROPFIND", "/", depth="1") == 207
        assert time.monotonic() - began_at < SLOWEST


def test_requests_on_a_tree_that_is_being_moved_do_not_hold_up_others(
    bridge: Bridge, store: HeldCopies
) -> None:
    move = ("MOVE", "/s0/", {"destination": "/t/"})
    others: list[Asked] = [("DELETE", f"/s0/{number % 3}", {}) for number in range(3 * THREADS)]
    with waiting(bridge, move, *others) as futures:
        require_answers(bridge)
        store.may_copy.set()
        assert [future.result(30) for future in futures] == [201] + [404] * len(others)


def test_copies_of_many_trees_at_once_do_not_hold_up_others(
    bridge: Bridge, store: HeldCopies
) -> None:
    copies = [("COPY", f"/s{tree}/", {"destination": f"/t{tree}/"}) for tree in range(2 * THREADS)]
    with waiting(bridge, *copies) as futures:
        require_answers(bridge)
        store.may_copy.set()
        assert [future.result(30) for future in futures] == [201] * len(copies)


def test_clients_that_ask_again_and_again_do_not_hold_up_others(
    bridge: Bridge, store: HeldCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "PATIENCE", 0.0)
    copy = ("COPY", "/s0/", {"destination": "/t/"})
    with waiting(bridge, *[copy] * (3 * THREADS)) as futures:
        require_answers(bridge)
        store.may_copy.set()
        assert {future.result(30) for future in futures} == {201}
