"""How many requests may wait, and for what."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from davbridge.errors import UnavailableError
from davbridge.http.workers import admission
from davbridge.http.workers.admission import Admission, Limits, QueueEntry

PATIENCE = 60.0

LIMITS = Limits(requests=5, store=2, queue=2)


@pytest.fixture
def admitting() -> Admission:
    return Admission(LIMITS)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class SomeClient:
    """Moves so many bytes a second, and takes note of its end."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


def begin(admitting: Admission, *threads: int) -> list[QueueEntry | None]:
    return [admitting.begin_store_wait(thread) for thread in threads]


def queued(admitting: Admission, thread: int) -> QueueEntry:
    entry = admitting.begin_store_wait(thread)
    assert entry is not None
    return entry


def test_store_waits_are_bounded_and_queued_in_the_order_of_arrival(
    admitting: Admission, pool: ThreadPoolExecutor
) -> None:
    assert begin(admitting, 1, 2) == [None, None]
    third, fourth = queued(admitting, 3), queued(admitting, 4)
    waiting = [pool.submit(admitting.wait_in_queue, entry) for entry in (third, fourth)]
    admitting.end_store_wait(1)
    waiting[0].result(PATIENCE)
    assert admitting.is_in_store_wait(3)
    assert not admitting.is_in_store_wait(4)
    assert not waiting[1].done()
    admitting.end_store_wait(3)
    waiting[1].result(PATIENCE)
    assert admitting.is_in_store_wait(4)


def test_a_request_that_comes_while_others_queue_does_not_overtake_them(
    admitting: Admission,
) -> None:
    begin(admitting, 1, 2)
    third = queued(admitting, 3)
    admitting.end_store_wait(1)
    assert third.may_start.is_set()
    admitting.end_store_wait(2)
    queued_or_not = admitting.begin_store_wait(4)
    assert queued_or_not is None  # the queue is empty again


def test_a_request_that_finds_the_queue_full_is_refused_until_it_ends(
    admitting: Admission,
) -> None:
    begin(admitting, 1, 2)
    places = [queued(admitting, thread) for thread in (3, 4)]
    for _ in range(2):
        with pytest.raises(UnavailableError):
            admitting.begin_store_wait(5)
    admitting.end_store_wait(1)
    admitting.end_store_wait(2)
    assert all(entry.may_start.is_set() for entry in places)
    with pytest.raises(UnavailableError):
        admitting.begin_store_wait(5)
    admitting.end_request(5)
    admitting.end_store_wait(3)
    assert admitting.begin_store_wait(5) is None  # another request


def test_a_request_that_has_begun_is_never_refused(admitting: Admission) -> None:
    begin(admitting, 1)
    admitting.end_store_wait(1)
    begin(admitting, 2, 3)
    queued(admitting, 4)
    queued(admitting, 5)
    assert admitting.begin_store_wait(1) is None


def test_requests_that_wait_for_whatever_are_bounded_together(admitting: Admission) -> None:
    for thread in range(LIMITS.requests):
        admitting.admit(thread)
        admitting.admit(thread)
    with pytest.raises(UnavailableError):
        admitting.admit(10)
    with pytest.raises(UnavailableError):
        admitting.begin_store_wait(11)
    admitting.end_request(0)
    with pytest.raises(UnavailableError):
        admitting.admit(10)
    admitting.admit(12)


def clients_of_all_places(admitting: Admission, *speeds: float) -> list[SomeClient]:
    """Each is waited for by a thread of its number."""
    clients = [
        SomeClient(speed)
        for speed in (*speeds, *[admission.SLOW_BYTES_PER_SECOND] * LIMITS.requests)
    ]
    for thread, client in enumerate(clients[: LIMITS.requests]):
        admitting.begin_client_wait(thread, client)
    return clients[: LIMITS.requests]


def test_the_slowest_client_is_aborted_for_a_request_that_has_no_place(
    admitting: Admission,
) -> None:
    clients = clients_of_all_places(admitting, 2.0, 1.0)
    assert admitting.begin_store_wait(10) is None
    assert [client.is_aborted for client in clients] == [False, True, False, False, False]
    with pytest.raises(UnavailableError):  # until that one has ended
        admitting.admit(11)
    admitting.begin_store_wait(1)  # as it undoes what it has begun
    admitting.end_store_wait(1)
    admitting.end_client_wait(1)
    admitting.end_request(1)
    admitting.begin_client_wait(12, SomeClient(admission.SLOW_BYTES_PER_SECOND))
    assert [client.is_aborted for client in clients] == [True, True, False, False, False]


def test_no_client_is_aborted_that_gets_on_or_is_not_waited_for(admitting: Admission) -> None:
    clients = clients_of_all_places(admitting, 1.0)
    admitting.end_client_wait(0)
    with pytest.raises(UnavailableError):
        admitting.admit(10)
    assert not any(client.is_aborted for client in clients)


def test_a_place_in_the_queue_expires(
    admitting: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "QUEUE_SECONDS", 0.01)
    begin(admitting, 1, 2)
    entry = queued(admitting, 3)
    with pytest.raises(UnavailableError):
        admitting.wait_in_queue(entry)
    admitting.end_store_wait(1)
    assert not admitting.is_in_store_wait(3)
    assert admitting.begin_store_wait(4) is None


def test_the_queue_is_refused_at_the_end(admitting: Admission, pool: ThreadPoolExecutor) -> None:
    begin(admitting, 1, 2)
    waiting = pool.submit(admitting.wait_in_queue, queued(admitting, 3))
    admitting.close()
    assert isinstance(waiting.exception(PATIENCE), UnavailableError)
    with pytest.raises(UnavailableError):
        admitting.admit(4)


def test_many_threads_lose_no_place_and_are_never_too_many(admitting: Admission) -> None:
    """Each asks again and again, as a request of its own; whoever is refused comes again."""
    asking, most, served = 0, 0, 0
    lock = threading.Lock()

    def ask(thread: int) -> None:
        nonlocal asking, most, served
        done = 0
        while done < 200:
            try:
                entry = admitting.begin_store_wait(thread)
                if entry is not None:
                    admitting.wait_in_queue(entry)
            except UnavailableError:
                admitting.end_request(thread)
                continue
            with lock:
                asking += 1
                most = max(most, asking)
            with lock:
                asking -= 1
                served += 1
            admitting.end_store_wait(thread)
            admitting.end_request(thread)
            done += 1

    with ThreadPoolExecutor(4) as pool:
        futures: list[Future[None]] = [pool.submit(ask, number) for number in range(4)]
        for future in futures:
            future.result(60)
    assert served == 4 * 200
    assert most <= LIMITS.store


@pytest.mark.parametrize("threads", [1, 4, 32, 500])
@pytest.mark.parametrize("descriptors", [256, 1024, 8192])
def test_descriptors_suffice_for_all_requests_that_may_wait(threads: int, descriptors: int) -> None:
    watched = min(1000, descriptors // 3)
    limits = Limits.of(threads, watched)
    assert limits.store >= threads
    assert limits.queue <= limits.requests
    if threads <= watched // 4:
        assert watched + 2 * limits.requests <= descriptors


def test_only_waits_that_last_are_overdue(
    admitting: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(admitting, 1)
    admitting.begin_bounded_wait(2)
    monkeypatch.setattr(admission, "STORE_GRACE_SECONDS", 1e6)
    assert admitting.overdue() == []
    monkeypatch.setattr(admission, "STORE_GRACE_SECONDS", 0.0)
    assert sorted(admitting.overdue()) == [1, 2]
    assert admitting.end_store_wait(1)
    assert admitting.end_bounded_wait(2)
    assert admitting.overdue() == []
