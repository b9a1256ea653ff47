"""Who serves which connection, when."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import pytest

from davbridge.errors import UnavailableError
from davbridge.http.workers import admission, threads
from davbridge.http.workers import pool as pool_module
from davbridge.http.workers.admission import Limits
from davbridge.http.workers.pool import ServedConnection, WorkerPool
from davbridge.waiting import bounded_wait, queue_wait, store_wait
from tests.support.waiting import PATIENCE, until

LIMITS = Limits(requests=16, store=6, queue=4)


class FakeConnection:
    """A connection with so many requests; ``on_request`` is each one's application."""

    def __init__(self, name: str, log: list[tuple[str, int]], requests: int = 1) -> None:
        self.name = name
        self.left = requests
        self.is_aborted = threading.Event()
        self.on_request: Callable[[], object] = lambda: None
        self.pause: Callable[[], object] = lambda: None
        """What it does between two requests, while a thread stays with it."""
        self.done = threading.Event()
        self.is_closed = False
        self._log = log

    def has_request(self) -> bool:
        return self.left > 0

    def wait_for_request(self, seconds: float) -> bool:
        self.pause()
        return self.has_request()

    def serve_request(self) -> bool:
        self._log.append((self.name, threading.get_ident()))
        self.left -= 1
        self.on_request()
        if not self.left:
            self.done.set()
        return True

    def abort(self) -> None:
        self.is_aborted.set()

    def close(self) -> None:
        self.is_closed = True


class Harness:
    """A pool of three threads, those that it has served, and those that it has parked. Up to
    sixteen requests may wait."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.parked: list[ServedConnection] = []
        self.pool = WorkerPool(3, self._park, LIMITS)

    def _park(self, connection: ServedConnection) -> None:
        """As the selector does: who can be read is put back."""
        if connection.has_request():
            self.pool.put(connection)
        else:
            self.parked.append(connection)

    def connection(self, name: str, requests: int = 1) -> FakeConnection:
        return FakeConnection(name, self.log, requests)

    def waiting_for(self, gate: threading.Event) -> FakeConnection:
        """One whose thread waits for its client until ``gate`` is set."""
        connection = self.connection("waiting")

        def wait() -> None:
            with queue_wait():
                gate.wait(PATIENCE)

        connection.on_request = wait
        return connection

    def asking(self, gate: threading.Event) -> FakeConnection:
        """One whose thread waits for the store until ``gate`` is set."""
        connection = self.connection("asking")

        def ask() -> None:
            with store_wait():
                gate.wait(PATIENCE)

        connection.on_request = ask
        return connection

    @property
    def threads(self) -> int:
        return len(self.pool._threads.alive())

    @contextmanager
    def open(self, *waiting: FakeConnection) -> Iterator[None]:
        """All of ``waiting`` can be read before the first is served."""
        for each in waiting:
            self.pool.put(each)
        self.pool.start()
        try:
            yield
        finally:
            self.pool.stop(PATIENCE)


@pytest.fixture
def harness() -> Harness:
    return Harness()


@pytest.fixture
def endless_leader_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, no leader is too slow."""
    monkeypatch.setattr(pool_module, "LEADER_SECONDS", PATIENCE)


@pytest.mark.usefixtures("endless_leader_time")
def test_one_thread_serves_all_that_wait_for_nothing_by_turns(harness: Harness) -> None:
    connections = [harness.connection(name, requests=10) for name in "abc"]
    with harness.open(*connections):
        assert all(connection.done.wait(PATIENCE) for connection in connections)
    assert [name for name, _ in harness.log] == list("abc" * 10)
    assert len({thread for _, thread in harness.log}) == 1


@pytest.mark.usefixtures("endless_leader_time")
def test_a_client_that_asks_one_thing_after_another_keeps_its_thread(harness: Harness) -> None:
    connection = harness.connection("a", requests=10)
    connection.on_request = harness.pool.release_leadership
    with harness.open(connection):
        assert connection.done.wait(PATIENCE)
    threads = [thread for _, thread in harness.log]
    changes = sum(one != other for one, other in pairwise(threads))
    assert changes < 3  # Each of the two other threads may begin just now, and find a request.
    assert harness.parked == [connection]


@pytest.mark.usefixtures("endless_leader_time")
def test_threads_that_stay_with_a_client_are_few_and_hold_up_nobody(harness: Harness) -> None:
    first, second = harness.connection("first", requests=2), harness.connection("second")
    others = [harness.connection(name) for name in "abc"]

    def talk_on() -> None:
        for one in (second, *others):
            harness.pool.put(one)
        assert all(one.done.wait(PATIENCE) for one in (second, *others))

    first.pause = talk_on
    for each in (second, *others):
        each.pause = pytest.fail  # of three threads, one stays
    with harness.open(first):
        assert first.done.wait(PATIENCE)
    assert set(harness.parked) == {first, second, *others}


@pytest.mark.usefixtures("endless_leader_time")
def test_an_idle_connection_is_parked_once(harness: Harness) -> None:
    connections = [harness.connection(name, requests=3) for name in "ab"]
    with harness.open(*connections):
        assert all(connection.done.wait(PATIENCE) for connection in connections)
    assert sorted(map(id, harness.parked)) == sorted(map(id, connections))


@pytest.mark.usefixtures("endless_leader_time")
def test_a_thread_that_releases_leadership_holds_up_nobody(harness: Harness) -> None:
    slow, next_one = harness.connection("slow"), harness.connection("next")

    def wait() -> None:
        harness.pool.release_leadership()
        next_one.done.wait(PATIENCE)

    slow.on_request = wait
    with harness.open(slow, next_one):
        assert next_one.done.wait(PATIENCE / 2)
    assert len({thread for _, thread in harness.log}) == 2


@pytest.mark.usefixtures("endless_leader_time")
def test_no_connection_is_left_waiting_at_the_end(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    aborts: list[bool] = []
    monkeypatch.setattr(harness.pool, "_abort_all", lambda: aborts.append(True))
    gate = threading.Event()
    slow, last = harness.connection("slow"), harness.connection("last")
    slow.on_request = lambda: gate.wait(PATIENCE)
    with harness.open(slow, last):
        opening = threading.Timer(0.2, gate.set)
        opening.start()
    assert not aborts, "a thread did not end"
    assert last.done.is_set()
    opening.join()


def test_no_leader_is_waited_for_while_most_threads_work(
    harness: Harness, endless_leader_time: None
) -> None:
    gate = threading.Event()
    first, second = harness.connection("first"), harness.connection("second")
    last = harness.connection("last")

    def let_another_lead() -> None:
        harness.pool.release_leadership()
        gate.wait(PATIENCE)

    first.on_request = let_another_lead
    second.on_request = lambda: gate.wait(PATIENCE)
    with harness.open(first, second, last):
        assert last.done.wait(PATIENCE / 2)
        gate.set()


def test_a_leader_that_waits_without_releasing_leadership_is_replaced(harness: Harness) -> None:
    slow = [harness.connection("slow"), harness.connection("slow")]
    last = harness.connection("last")
    for each in slow:
        each.on_request = lambda: last.done.wait(PATIENCE)
    with harness.open(*slow, last):
        assert last.done.wait(PATIENCE / 2)
    assert len({thread for _, thread in harness.log}) == 3


def test_as_many_requests_wait_at_once_as_there_are_threads_and_the_rest_follow(
    harness: Harness,
) -> None:
    barrier = threading.Barrier(3)
    connections = [harness.connection(str(number)) for number in range(12)]
    for each in connections:
        each.on_request = lambda: barrier.wait(PATIENCE)
    with harness.open(*connections):
        assert all(connection.done.wait(PATIENCE) for connection in connections)
    assert not any(connection.is_closed for connection in connections)


def test_a_connection_that_cannot_be_parked_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(connection: ServedConnection) -> None:
        raise ValueError("the selector is closed")

    connection = FakeConnection("a", [])
    pool = WorkerPool(1, refuse, LIMITS)
    pool.put(connection)
    pool.start()
    pool.stop(PATIENCE)
    assert connection.is_closed
    assert "could not be served" in caplog.text


def test_threads_that_wait_for_their_clients_leave_the_others_theirs(harness: Harness) -> None:
    gate = threading.Event()
    barrier = threading.Barrier(3)
    waiting = [harness.waiting_for(gate) for _ in range(4)]
    others = [harness.connection("other") for _ in range(3)]
    for each in others:
        each.on_request = lambda: barrier.wait(PATIENCE)  # all three at once
    with harness.open(*waiting, *others):
        assert all(one.done.wait(PATIENCE / 2) for one in others)
        assert not barrier.broken
        gate.set()
        assert all(one.done.wait(PATIENCE) for one in waiting)


def test_a_leader_that_waits_for_its_client_is_not_waited_for(
    harness: Harness, endless_leader_time: None
) -> None:
    gate = threading.Event()
    waiting, other = harness.waiting_for(gate), harness.connection("other")
    with harness.open(waiting, other):
        assert other.done.wait(PATIENCE / 2)
        gate.set()


def test_a_bounded_number_of_requests_waits_and_those_that_need_not_are_served(
    harness: Harness,
) -> None:
    gate, refused = threading.Event(), list[FakeConnection]()
    crowd = [harness.waiting_for(gate) for _ in range(30)]

    def note_refusal(connection: FakeConnection, wait: Callable[[], object]) -> None:
        try:
            wait()
        except UnavailableError:
            refused.append(connection)

    for each in crowd:
        each.on_request = partial(note_refusal, each, each.on_request)
    last = harness.connection("last")
    with harness.open(*crowd, last):
        assert last.done.wait(PATIENCE)
        assert len(refused) == 30 - LIMITS.requests
        assert harness.threads <= 3 + LIMITS.requests + 1
        assert not any(each.done.is_set() for each in crowd if each not in refused)
        gate.set()
        assert all(one.done.wait(PATIENCE) for one in crowd)


def test_new_requests_wait_while_as_many_as_the_first_threads_work(harness: Harness) -> None:
    """Those that have waited go on at once, whatever the others do; who comes then waits."""
    gate, end = threading.Event(), threading.Event()
    waiting = [harness.waiting_for(gate) for _ in range(4)]

    def work(wait: Callable[[], object]) -> None:
        wait()
        end.wait(PATIENCE)

    for each in waiting:
        each.on_request = partial(work, each.on_request)
    last = harness.connection("last")
    with harness.open(*waiting):
        until(lambda: harness.pool._states.waiting == 4)
        gate.set()
        until(lambda: not harness.pool._states.waiting)
        harness.pool.put(last)
        assert not last.done.wait(0.1)
        end.set()
        assert last.done.wait(PATIENCE)


def test_threads_that_are_no_longer_needed_end(harness: Harness) -> None:
    gate = threading.Event()
    waiting = [harness.waiting_for(gate) for _ in range(7)]
    with harness.open(*waiting):
        until(lambda: harness.threads == 7)
        gate.set()
        assert all(one.done.wait(PATIENCE) for one in waiting)
        until(lambda: harness.threads == 3)
        again = [harness.connection(name) for name in "abc"]
        for each in again:
            harness.pool.put(each)
        assert all(one.done.wait(PATIENCE) for one in again)


def test_short_waits_of_many_do_not_make_and_end_a_thread_each(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        begun.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", counted)
    connections = [harness.connection(str(number), requests=50) for number in range(12)]

    def wait() -> None:
        with queue_wait():
            time.sleep(0.001)

    for each in connections:
        each.on_request = wait
    with harness.open(*connections):
        assert all(one.done.wait(PATIENCE) for one in connections)
    assert len(begun) < 40  # of 600 waits


def test_stop_aborts_those_whose_threads_wait_and_leaves_no_thread(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "ABORT_SECONDS", PATIENCE / 2)
    before = threading.active_count()
    waiting = [harness.connection("waiting") for _ in range(6)]

    def wait(connection: FakeConnection) -> None:
        with queue_wait():
            connection.is_aborted.wait(PATIENCE)

    for each in waiting:
        each.on_request = partial(wait, each)
        harness.pool.put(each)
    harness.pool.start()
    until(lambda: harness.pool._states.waiting == 6)
    harness.pool.stop(0.2)
    assert all(each.is_aborted.is_set() for each in waiting)
    assert threading.active_count() == before


def test_a_request_that_waits_at_the_end_gets_a_thread_although_others_wait_for_clients(
    harness: Harness,
) -> None:
    gate = threading.Event()
    waiting = [harness.waiting_for(gate) for _ in range(3)]
    busy, last = [harness.connection("busy") for _ in range(3)], harness.connection("last")
    for each in busy:
        each.on_request = lambda: time.sleep(0.3)
    last.on_request = gate.set
    with harness.open(*waiting, *busy, last):
        until(lambda: len(harness.log) == 6)
    assert last.done.is_set()
    assert all(one.done.is_set() for one in waiting)
    assert harness.threads == 0


@pytest.mark.parametrize("can_begin", [0, 2])
def test_a_system_that_gives_no_more_threads_breaks_nothing(
    can_begin: int,
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    left = can_begin
    start = threading.Thread.start

    def fail_at_last(thread: threading.Thread) -> None:
        nonlocal left
        if not left:
            raise RuntimeError("can't start new thread")
        left -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_at_last)
    monkeypatch.setattr(threads, "START_RETRY_SECONDS", 0.1)
    gate = threading.Event()
    connections = [harness.waiting_for(gate), harness.waiting_for(gate), harness.connection("last")]
    with harness.open(*connections):
        until(lambda: len(harness.log) == can_begin)
        assert "no thread serves: can't start new thread" in caplog.text
        left = 100
        time.sleep(0.15)
        another = harness.connection("another")
        harness.pool.put(another)
        assert another.done.wait(PATIENCE / 2)
        assert connections[-1].done.wait(PATIENCE / 2)
        gate.set()
    assert all(one.done.is_set() for one in connections)


def test_a_thread_that_could_not_be_had_is_tried_for_again_when_nobody_comes(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "START_RETRY_SECONDS", 0.1)
    gate = threading.Event()
    last = harness.connection("last")
    with (
        harness.open(*(harness.waiting_for(gate) for _ in range(3))),
        monkeypatch.context() as patch,
    ):
        until(lambda: len(harness.log) == 3)

        def fail(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", fail)
        harness.pool.put(last)
        patch.undo()
        assert not last.done.wait(0.3)
        harness.pool.ensure_worker()
        assert last.done.wait(PATIENCE / 2)
        gate.set()


def test_threads_that_wait_for_the_store_for_long_leave_the_others_theirs(harness: Harness) -> None:
    gate = threading.Event()
    barrier = threading.Barrier(3)
    asking = [harness.asking(gate) for _ in range(LIMITS.store)]
    others = [harness.connection("other") for _ in range(3)]
    for each in others:
        each.on_request = lambda: barrier.wait(PATIENCE)  # all three at once
    with harness.open(*asking, *others):
        assert all(one.done.wait(PATIENCE) for one in others)
        assert not barrier.broken
        assert not any(one.done.is_set() for one in asking)
        gate.set()
        assert all(one.done.wait(PATIENCE) for one in asking)


def test_threads_that_wait_for_the_store_for_a_moment_count_as_working(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "STORE_GRACE_SECONDS", 1e6)
    gate = threading.Event()
    asking = [harness.asking(gate) for _ in range(3)]
    last = harness.connection("last")
    with harness.open(*asking, last):
        until(lambda: len(harness.log) == 3)
        assert not last.done.wait(0.3)
        assert harness.pool._states.waiting == 0
        gate.set()
        assert last.done.wait(PATIENCE)


def test_logins_leave_other_requests_their_threads(harness: Harness) -> None:
    gate = threading.Event()
    crowd = [harness.connection("login") for _ in range(12)]

    def log_in() -> None:
        with bounded_wait():
            gate.wait(PATIENCE)

    for each in crowd:
        each.on_request = log_in
    last = harness.connection("last")
    with harness.open(*crowd, last):
        assert last.done.wait(PATIENCE)
        assert not any(each.done.is_set() for each in crowd)
        gate.set()
        assert all(each.done.wait(PATIENCE) for each in crowd)


def test_waits_within_a_wait_for_the_store_count_once_and_end_together(harness: Harness) -> None:
    asked, counts = harness.connection("asked"), list[tuple[int, int]]()

    def ask() -> None:
        with store_wait(), store_wait(), queue_wait():
            counts.append((harness.pool._states.working, harness.pool._states.waiting))
        counts.append((harness.pool._states.working, harness.pool._states.waiting))

    asked.on_request = ask
    with harness.open(asked):
        assert asked.done.wait(PATIENCE)
        until(lambda: harness.pool._states.working == 0)
    assert counts == [(0, 1), (1, 0)]


def test_a_thread_that_serves_nobody_may_wait_as_well(harness: Harness) -> None:
    with harness.open(), queue_wait():
        connection = harness.connection("a")
        harness.pool.put(connection)
        assert connection.done.wait(PATIENCE)
    assert harness.threads == 0
