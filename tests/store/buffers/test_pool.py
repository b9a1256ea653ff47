"""Who gets memory where it is short: bounded, in turn, never a dead end, and the slow give way."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from davbridge.errors import UnavailableError
from davbridge.store.buffers.allocation import MOST_CREDIT, RATE, Allocation
from davbridge.store.buffers.pool import RECLAIM_AFTER, PiecePool
from tests.support.timer import Timer

LONG = 10.0
"""Seconds after which a test has failed."""

PIECE = 256 * 1024

NEED = 32
"""Pieces of a part, as a rule."""


class Client:
    """A client whose part takes memory from a pool."""

    def __init__(self, pool: PiecePool, need: int = NEED) -> None:
        self.pool = pool
        self.allocation = Allocation(need, lambda: None)

    @property
    def pieces(self) -> int:
        return self.allocation.pieces

    @property
    def is_refused(self) -> bool:
        return self.allocation.is_reclaimed

    def send(self, pieces: int = 1) -> "Client":
        """Raises UnavailableError."""
        for _ in range(pieces):
            self.pool.resume(self.allocation)
            filled = 0
            try:
                self.pool.add_piece(self.allocation)
                filled = PIECE
            finally:
                self.pool.pause(self.allocation, filled)
        return self

    def fill(self) -> "Client":
        return self.send(self.allocation.rest)

    def complete(self) -> None:
        self.pool.complete(self.allocation)

    def release(self) -> None:
        self.pool.release(self.allocation)


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def strict(timer: Timer) -> PiecePool:
    """A pool of which nobody waits for anything."""
    return PiecePool(100, 0.0, timer=timer)


@pytest.fixture
def pool(timer: Timer) -> PiecePool:
    """A pool whose max_wait ends only by the test's clock."""
    return PiecePool(2 * NEED, 0.05, timer=timer)


@contextmanager
def threads(timer: Timer) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as executor:
        try:
            yield executor
        finally:
            timer.advance(1e9)  # nobody waits for longer, whatever has failed


def is_waiting(future: Future[Any]) -> bool:
    time.sleep(0.05)
    return not future.done()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_takes_a_piece_for_what_it_sends_and_no_more(strict: PiecePool) -> None:
    giants = [Client(strict, need=50).send() for _ in range(50)]
    assert strict.allocated == 50
    for giant in giants:
        giant.release()
        giant.release()
    assert strict.allocated == 0


def test_no_number_of_slow_clients_keeps_a_quick_one_out(strict: PiecePool, timer: Timer) -> None:
    slow = [Client(strict).send() for _ in range(61)]
    timer.advance(60)
    for client in slow[:8]:
        client.send()  # nobody else asks: a slow client may go on
    assert not any(client.is_refused for client in slow)
    timer.advance(60)
    quick = Client(strict).fill()
    assert quick.pieces == NEED
    refused = [client for client in slow if client.is_refused]
    assert 0 < len(refused) <= NEED, "no more of them than it takes"


def test_the_slowest_client_gives_way_first(strict: PiecePool, timer: Timer) -> None:
    quicker, slowest = Client(strict).send(31), Client(strict).send(30)
    other = Client(strict).send(30)
    timer.advance(100)
    other.send()
    Client(strict).send(8)
    assert slowest.is_refused
    assert not quicker.is_refused
    assert not other.is_refused
    with pytest.raises(UnavailableError, match="too slow"):
        slowest.send()
    with pytest.raises(UnavailableError, match="too slow"):
        slowest.complete()


def test_no_client_is_refused_while_there_is_memory(strict: PiecePool, timer: Timer) -> None:
    slow = [Client(strict).send() for _ in range(20)]
    for _ in range(100):
        timer.advance(3600)
        quick = Client(strict).fill()
        quick.complete()
        other = Client(strict).send(10)
        quick.release()
        other.release()
    assert not any(client.is_refused for client in slow)


def test_a_client_that_sends_at_the_rate_is_never_refused(strict: PiecePool, timer: Timer) -> None:
    steady = [Client(strict) for _ in range(3)]
    for _ in range(NEED - 8):
        for client in steady:
            client.send()
        timer.advance(PIECE / RATE)
    for _ in range(4):
        with pytest.raises(UnavailableError, match="0 s"):
            Client(strict).send(NEED)
    assert not any(client.is_refused for client in steady)


def test_a_client_that_was_quick_may_be_silent_for_a_moment(
    strict: PiecePool, timer: Timer
) -> None:
    stalled = Client(strict).send(NEED - 1)
    for _ in range(2):
        Client(strict).send(NEED - 1)
    timer.advance(MOST_CREDIT)
    with pytest.raises(UnavailableError):
        Client(strict).send(NEED)
    assert not stalled.is_refused
    timer.advance(1)
    Client(strict).send(NEED)
    assert stalled.is_refused


def test_memory_of_a_part_under_way_is_waited_for_before_a_client_is_refused(
    pool: PiecePool, timer: Timer
) -> None:
    """A slow client isn't refused where the memory of a part that is under way will do."""
    patient = PiecePool(2 * NEED, 1000.0, timer=timer)
    stored, slow = Client(patient).fill(), Client(patient).send(NEED)
    stored.complete()
    timer.advance(100)
    with threads(timer) as executor:
        quick = executor.submit(Client(patient).fill)
        assert is_waiting(quick)
        assert not slow.is_refused
        stored.release()
        quick.result(LONG).complete()
        assert not slow.is_refused
        another = executor.submit(Client(patient).fill)
        assert is_waiting(another)
        timer.advance(RECLAIM_AFTER)  # the store is slow: and then the slow client gives way
        another.result(LONG)
        assert slow.is_refused


def test_a_part_that_is_complete_is_never_reclaimed(strict: PiecePool, timer: Timer) -> None:
    whole = Client(strict, need=100).fill()
    whole.complete()
    whole.complete()
    timer.advance(3600)
    with pytest.raises(UnavailableError, match="too many"):
        Client(strict).send()
    assert not whole.is_refused


def test_memory_is_not_taken_away_while_bytes_are_copied_to_it(
    strict: PiecePool, timer: Timer
) -> None:
    """Not even a slow client's: they would end up in another's file."""
    slow = Client(strict, need=100).send(90)
    timer.advance(3600)
    strict.resume(slow.allocation)
    with pytest.raises(UnavailableError, match="too many"):
        Client(strict, 20).fill()
    assert not slow.is_refused
    strict.pause(slow.allocation, 1)
    timer.advance(3600)
    Client(strict, 20).fill()
    assert slow.is_refused


def test_a_client_that_became_slow_makes_room_for_those_who_wait(timer: Timer) -> None:
    pool = PiecePool(NEED, 1000.0, timer=timer)
    slow = Client(pool).send(NEED - 1)
    with threads(timer) as executor:
        quick = executor.submit(Client(pool).fill)
        assert is_waiting(quick)
        timer.advance(MOST_CREDIT + 1)
        quick.result(LONG)
    assert slow.is_refused


def test_a_client_that_was_slow_before_it_waits_gives_way(timer: Timer) -> None:
    pool = PiecePool(NEED, 1000.0, timer=timer)
    slow, stored = Client(pool).send(2), Client(pool, NEED - 2).fill()
    stored.complete()
    timer.advance(100)
    with threads(timer) as executor:
        more = executor.submit(slow.send)
        assert is_waiting(more)
        quick = executor.submit(Client(pool).fill)
        assert is_waiting(quick)
        timer.advance(RECLAIM_AFTER)
        with pytest.raises(UnavailableError, match="too slow"):
            more.result(LONG)
        stored.release()
        quick.result(LONG)


def test_time_that_a_client_waits_for_memory_does_not_count_as_slow(timer: Timer) -> None:
    pool = PiecePool(2 * NEED, 1000.0, timer=timer)
    stored, waiting, slow = Client(pool).fill(), Client(pool).send(), Client(pool).send()
    stored.complete()
    Client(pool, NEED - 2).fill().complete()
    with threads(timer) as executor:
        sending = executor.submit(waiting.send)
        assert is_waiting(sending)
        timer.advance(RECLAIM_AFTER + 100)
        sending.result(LONG)
    assert slow.is_refused
    assert not waiting.is_refused


def test_memory_is_allocated_in_the_order_of_asking(timer: Timer) -> None:
    """Also to a part that needs more than those behind it."""
    pool = PiecePool(8, 1000.0, timer=timer)
    parts = [Client(pool, 1).fill() for _ in range(8)]
    for part in parts:
        part.complete()
    clients = [Client(pool, need) for need in (8, 1, 4)]
    with threads(timer) as executor:
        sending = []
        for client in clients:
            sending.append(executor.submit(client.send))
            assert is_waiting(sending[-1])
        for number, part in enumerate(parts[:3]):
            part.release()
            sending[number].result(LONG)
            assert [client.pieces for client in clients] == [1] * (number + 1) + [0] * (2 - number)


def test_a_part_that_can_be_filled_overtakes_one_that_might_block_it(timer: Timer) -> None:
    pool = PiecePool(2 * NEED, 1000.0, timer=timer)
    nearly, other = Client(pool).send(NEED - 4), Client(pool).send(NEED // 2)
    with threads(timer) as executor:
        waiting = executor.submit(Client(pool).fill)
        until(lambda: pool.allocated == 2 * NEED - 4)
        assert is_waiting(waiting)
        nearly.send(4)
        nearly.complete()
        assert not waiting.done()
        nearly.release()
        waiting.result(LONG)
    assert not other.is_refused


def test_a_part_that_waits_is_overtaken_by_none_but_those_that_can_be_filled(timer: Timer) -> None:
    """It would do no harm now, but whoever was first would wait for longer and longer."""
    pool = PiecePool(40, 1000.0, timer=timer)
    large, nearly, other = Client(pool, 40), Client(pool, 8), Client(pool, 16)
    for client, pieces in [(large, 20), (nearly, 6), (other, 4)]:
        client.send(pieces)
    with threads(timer) as executor:
        first = executor.submit(Client(pool, 40).send)
        assert is_waiting(first)
        second = executor.submit(other.send)
        assert is_waiting(second)
        nearly.fill().release()
        second.result(LONG)  # it can be filled to its end now
        assert is_waiting(first)
        other.fill().release()
        large.fill().release()
        first.result(LONG)


def test_no_client_waits_for_memory_for_ever(timer: Timer) -> None:
    pool = PiecePool(NEED, 0.05)
    stored = Client(pool).fill()
    stored.complete()
    refused = Client(pool)
    with pytest.raises(UnavailableError, match=r"0\.05 s"):
        refused.send()
    stored.release()
    Client(pool).fill()  # who gave up is no longer in the way


def test_a_client_waits_for_longer_while_memory_comes_back(timer: Timer) -> None:
    """Others are at it for longer in all than anybody's max_wait."""
    pool = PiecePool(NEED, 10.0, timer=timer)
    parts = [Client(pool, NEED // 4).fill() for _ in range(4)]
    for part in parts:
        part.complete()
    client = Client(pool)
    with threads(timer) as executor:
        waiting = executor.submit(client.fill)
        for number, part in enumerate(parts, 1):
            assert is_waiting(waiting)
            timer.advance(9.0)
            part.release()
            until(lambda number=number: client.pieces == number * NEED // 4)  # type: ignore[misc]
        waiting.result(LONG)


def is_safe(size: int, filling: list[Client]) -> bool:
    """Whether all of them can be filled one after another; complete ones give theirs back."""
    left, free = list(filling), size - sum(client.pieces for client in filling)
    while ready := [client for client in left if client.allocation.rest <= free]:
        free += ready[0].pieces
        left.remove(ready[0])
    return not left


def test_memory_that_comes_at_the_end_of_a_wait_is_taken(
    timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LateEvent(threading.Event):
        """Is set right after a wait for it was over."""

        def wait(self, timeout: float | None = None) -> bool:
            super().wait(LONG)
            return False

    monkeypatch.setattr("davbridge.store.buffers.pool.threading.Event", LateEvent)
    pool = PiecePool(NEED, LONG, timer=timer)
    with ThreadPoolExecutor(1) as others:
        first, second = Client(pool).fill(), Client(pool)
        sending = others.submit(second.send)
        until(lambda: bool(pool._queue))
        first.release()
        assert sending.result(LONG).pieces == 1


@pytest.mark.parametrize("seed", range(40))
def test_the_pool_keeps_its_bound_and_never_deadlocks_whatever_the_order(
    seed: int, timer: Timer
) -> None:
    chance, size = random.Random(seed), 64
    pool = PiecePool(size, 0.0, timer=timer)
    filling: list[Client] = []
    complete: list[Client] = []
    for _ in range(400):
        timer.advance(chance.choice([0.0, 0.1, 3.0]))
        step = chance.random()
        if step < 0.2:
            filling.append(Client(pool, chance.choice([1, 4, 8, 8, 8, 32])))
        elif step < 0.8 and filling:
            client = chance.choice(filling)
            if client.allocation.rest:
                try:
                    client.send()
                except UnavailableError:
                    client.release()
                    filling.remove(client)
        elif step < 0.9 and filling:
            client = filling.pop(chance.randrange(len(filling)))
            if not client.is_refused:
                client.complete()
                complete.append(client)
        elif complete:
            complete.pop(chance.randrange(len(complete))).release()
        filling = [client for client in filling if not client.is_refused]
        assert pool.allocated == sum(client.pieces for client in filling + complete) <= size
        assert is_safe(size, filling)
    for client in filling + complete:
        client.release()
    assert pool.allocated == 0


def test_many_uploads_on_little_memory_all_come_through() -> None:
    """Each fills a part while others are with the store; there are ten times as many as fit."""
    pool = PiecePool(2 * NEED, LONG)

    def upload(number: int, store: ThreadPoolExecutor) -> None:
        chance = random.Random(number)
        for _ in range(5):
            part = Client(pool, chance.choice([NEED // 3, NEED // 2, NEED])).fill()
            part.complete()
            assert pool.allocated <= 2 * NEED
            store.submit(part.release)

    with ThreadPoolExecutor(40) as executor, ThreadPoolExecutor(2) as store:
        uploads = [executor.submit(upload, number, store) for number in range(40)]
        for each in uploads:
            each.result(LONG)
    assert pool.allocated == 0
