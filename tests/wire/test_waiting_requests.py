"""Requests that wait for others' work hold up nobody, however many of them there are."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import pytest

from davbridge.dav import idempotency
from davbridge.http.protocol.exchange import Disposition, Exchange
from davbridge.store.memory import MemoryStore
from tests.support.bridge import Bridge, running_bridge
from tests.support.intercepted import InterceptedStore
from tests.support.objects import put
from tests.support.waiting import FOREVER, PATIENCE, until

T = TypeVar("T")

Asked = tuple[str, str, dict[str, str]]

THREADS = 3


class HeldCopies(InterceptedStore):
    """Copies nothing until it may."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        super().__init__(self.memory)
        self.may_copy = threading.Event()
        self.is_asked = threading.Event()
        """Whether it is to copy anything."""

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name == "copy_object":
            self.is_asked.set()
            assert self.may_copy.wait(FOREVER)
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


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of all requests that a thread has taken up."""
    served: list[str] = []
    perform = Exchange.perform

    def noted(exchange: Exchange) -> Disposition:
        served.append(exchange._head.method.decode())
        return perform(exchange)

    monkeypatch.setattr(Exchange, "perform", noted)
    return served


class Waiting(NamedTuple):
    """A bridge whose store copies nothing yet."""

    bridge: Bridge
    store: HeldCopies
    served: list[str]

    @contextmanager
    def requests(self, first: Asked, *others: Asked) -> Iterator[list[Future[int]]]:
        """All under way; none can get on while others are answered."""
        with ThreadPoolExecutor(1 + len(others)) as pool:
            futures = [self._begin(pool, first)]
            assert self.store.is_asked.wait(PATIENCE)
            futures += [self._begin(pool, each) for each in others]
            until(lambda: len(self.served) == len(futures))
            for _ in range(5):
                assert ask(self.bridge, "PROPFIND", "/", depth="1") == 207
            assert not any(future.done() for future in futures)
            self.store.may_copy.set()
            yield futures

    def _begin(self, pool: ThreadPoolExecutor, asked: Asked) -> Future[int]:
        method, target, headers = asked
        return pool.submit(ask, self.bridge, method, target, **headers)


@pytest.fixture
def waiting(bridge: Bridge, store: HeldCopies, served: list[str]) -> Waiting:
    return Waiting(bridge, store, served)


def test_requests_on_a_tree_that_is_being_moved_do_not_hold_up_others(waiting: Waiting) -> None:
    move = ("MOVE", "/s0/", {"destination": "/t/"})
    others: list[Asked] = [("DELETE", f"/s0/{number % 3}", {}) for number in range(3 * THREADS)]
    with waiting.requests(move, *others) as futures:
        assert [future.result(PATIENCE) for future in futures] == [201] + [404] * len(others)


def test_copies_of_many_trees_at_once_do_not_hold_up_others(waiting: Waiting) -> None:
    copies = [("COPY", f"/s{tree}/", {"destination": f"/t{tree}/"}) for tree in range(2 * THREADS)]
    with waiting.requests(*copies) as futures:
        assert [future.result(PATIENCE) for future in futures] == [201] * len(copies)


def test_clients_that_ask_again_and_again_do_not_hold_up_others(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "JOIN_AFTER_SECONDS", 0.0)
    copy = ("COPY", "/s0/", {"destination": "/t/"})
    with waiting.requests(*[copy] * (3 * THREADS)) as futures:
        assert {future.result(PATIENCE) for future in futures} == {201}
