"""Who serves which connection, when."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from davbridge.http import workers
from davbridge.http.workers import WorkerPool

PATIENCE = 10.0
"""Seconds after which a test gives up."""


class Visitor:
    """A connection with so many requests; ``on_request`` is each one's application."""

    def __init__(self, name: str, log: list[tuple[str, int]], requests: int = 1) -> None:
        self.name = name
        self.left = requests
        self.on_request: Callable[[], object] = lambda: None
        self.pause: Callable[[], object] = lambda: None
        """What it does between two requests, while a thread stays with it."""
        self.done = threading.Event()
        self.is_closed = False
        self._log = log

    def has_request(self) -> bool:
        return self.left > 0

    def await_request(self, seconds: float) -> bool:
        self.pause()
        return self.has_request()

    def communicate(self) -> bool:
        self._log.append((self.name, threading.get_ident()))
        self.left -= 1
        self.on_request()
        if not self.left:
            self.done.set()
        return True

    def cut(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


class Hall:
    """A pool of three threads, those that it has served, and those that it has parked."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.parked: list[workers.Connection] = []
        self.pool = WorkerPool(3, self.parked.append)

    def visitor(self, name: str, requests: int = 1) -> Visitor:
        return Visitor(name, self.log, requests)

    @contextmanager
    def open(self, *waiting: Visitor) -> Iterator[None]:
        """All of ``waiting`` can be read before the first is served."""
        for each in waiting:
            self.pool.put(each)
        self.pool.start()
        try:
            yield
        finally:
            self.pool.stop(PATIENCE)


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def endless_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, no leader is too slow."""
    monkeypatch.setattr(workers, "PATIENCE", PATIENCE)


@pytest.mark.usefixtures("endless_patience")
def test_one_thread_serves_all_that_wait_for_nothing_by_turns(hall: Hall) -> None:
    visitors = [hall.visitor(name, requests=10) for name in "abc"]
    with hall.open(*visitors):
        assert all(visitor.done.wait(PATIENCE) for visitor in visitors)
    assert [name for name, _ in hall.log] == list("abc" * 10)
    assert len({thread for _, thread in hall.log}) == 1


@pytest.mark.usefixtures("endless_patience")
def test_a_client_that_asks_one_thing_after_another_keeps_its_thread(hall: Hall) -> None:
    visitor = hall.visitor("a", requests=10)
    visitor.on_request = hall.pool.let_go
    with hall.open(visitor):
        assert visitor.done.wait(PATIENCE)
    assert len({thread for _, thread in hall.log}) == 1
    assert hall.parked == [visitor]


@pytest.mark.usefixtures("endless_patience")
def test_threads_that_stay_with_a_client_are_few_and_hold_up_nobody(hall: Hall) -> None:
    first, second = hall.visitor("first", requests=2), hall.visitor("second")
    others = [hall.visitor(name) for name in "abc"]

    def talk_on() -> None:
        for one in (second, *others):
            hall.pool.put(one)
        assert all(one.done.wait(PATIENCE) for one in (second, *others))

    first.pause = talk_on
    for each in (second, *others):
        each.pause = pytest.fail  # of three threads, one stays
    with hall.open(first):
        assert first.done.wait(PATIENCE)
    assert set(hall.parked) == {first, second, *others}


@pytest.mark.usefixtures("endless_patience")
def test_who_has_nothing_more_to_say_is_parked_once(hall: Hall) -> None:
    visitors = [hall.visitor(name, requests=3) for name in "ab"]
    with hall.open(*visitors):
        assert all(visitor.done.wait(PATIENCE) for visitor in visitors)
    assert sorted(map(id, hall.parked)) == sorted(map(id, visitors))


@pytest.mark.usefixtures("endless_patience")
def test_a_thread_that_lets_go_holds_up_nobody(hall: Hall) -> None:
    slow, next_one = hall.visitor("slow"), hall.visitor("next")

    def wait() -> None:
        hall.pool.let_go()
        next_one.done.wait(PATIENCE)

    slow.on_request = wait
    with hall.open(slow, next_one):
        assert next_one.done.wait(PATIENCE / 2)
    assert len({thread for _, thread in hall.log}) == 2


@pytest.mark.usefixtures("endless_patience")
def test_at_the_end_nobody_is_left_waiting_for_a_turn(hall: Hall) -> None:
    gate = threading.Event()
    slow, last = hall.visitor("slow"), hall.visitor("last")
    slow.on_request = lambda: gate.wait(PATIENCE)
    with hall.open(slow, last):
        opening = threading.Timer(0.2, gate.set)
        opening.start()
        begin = time.monotonic()
    assert time.monotonic() - begin < PATIENCE / 2
    assert last.done.is_set()
    opening.join()


def test_a_thread_that_waits_without_a_word_is_passed_over(hall: Hall) -> None:
    slow = [hall.visitor("slow"), hall.visitor("slow")]
    last = hall.visitor("last")
    for each in slow:
        each.on_request = lambda: last.done.wait(PATIENCE)
    with hall.open(*slow, last):
        assert last.done.wait(PATIENCE / 2)
    assert len({thread for _, thread in hall.log}) == 3


def test_as_many_wait_at_once_as_there_are_threads_and_the_rest_follow(hall: Hall) -> None:
    barrier = threading.Barrier(3)
    visitors = [hall.visitor(str(number)) for number in range(12)]
    for each in visitors:
        each.on_request = lambda: barrier.wait(PATIENCE)
    with hall.open(*visitors):
        assert all(visitor.done.wait(PATIENCE) for visitor in visitors)
    assert not any(visitor.is_closed for visitor in visitors)


def test_a_connection_that_cannot_be_parked_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(connection: workers.Connection) -> None:
        raise ValueError("the selector is closed")

    visitor = Visitor("a", [])
    pool = WorkerPool(1, refuse)
    pool.put(visitor)
    pool.start()
    pool.stop(PATIENCE)
    assert visitor.is_closed
    assert "could not be served" in caplog.text
