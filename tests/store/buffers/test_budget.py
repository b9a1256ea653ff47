"""The memory budget: buffers that take memory as they are filled, and never more than there is."""

import mmap
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge.errors import UnavailableError
from davbridge.store.buffers import budget as module
from davbridge.store.buffers.budget import (
    LARGE_SHARE,
    PIECE,
    SMALL_BODY,
    SMALL_SHARE,
    UNIT,
    MemoryBudget,
    PartBuffer,
)
from tests.support.observers import Recording, thread_reporting_to
from tests.support.timer import Timer

LONG = 10.0
"""Seconds after which a test has failed."""


def fill(buffer: PartBuffer, data: bytes) -> bytes:
    """What there was no room for."""
    return bytes(buffer.fill(memoryview(data)))


def content(buffer: PartBuffer) -> bytes:
    return b"".join(buffer.complete())


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, SMALL_BODY + 1, UNIT, UNIT + 1])
@pytest.mark.parametrize("block", [PIECE // 3, PIECE, UNIT])
def test_a_buffer_holds_what_was_filled_in_and_gives_the_rest_back(size: int, block: int) -> None:
    budget = MemoryBudget()
    buffer = budget.buffer(size)
    data = random.Random(size).randbytes(size + 5)
    left = b""
    for start in range(0, len(data), block):
        left += fill(buffer, data[start : start + block])
    assert buffer.is_full
    assert left == data[size:]
    assert budget.allocated == -(-size // PIECE) * PIECE
    assert len(buffer.complete()) == size
    assert content(buffer) == content(buffer) == data[:size]
    buffer.release()
    buffer.release()
    assert budget.allocated == 0


def test_a_buffer_takes_memory_for_what_has_come_alone() -> None:
    budget = MemoryBudget()
    buffer = budget.buffer(budget.largest)
    assert budget.allocated == 0
    fill(buffer, b"x")
    assert budget.allocated == PIECE
    fill(buffer, bytes(PIECE))
    assert budget.allocated == 2 * PIECE
    assert content(buffer) == b"x" + bytes(PIECE)


def test_content_that_was_released_is_out_of_reach() -> None:
    buffer = MemoryBudget().buffer(UNIT)
    fill(buffer, bytes(2 * PIECE))
    first, second = buffer.complete()
    buffer.release()
    for view in (first, second):
        with pytest.raises(ValueError, match="released"):
            view[0]


def test_memory_is_used_again_while_uploads_are_under_way_and_freed_with_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = count_pieces(monkeypatch)
    budget = MemoryBudget()
    other = budget.buffer(UNIT)
    fill(other, b"other")
    for _ in range(10):
        buffer = budget.buffer(UNIT)
        fill(buffer, bytes(UNIT))
        buffer.release()
    assert len(made) == 1 + UNIT // PIECE
    other.release()
    fill(budget.buffer(UNIT), b"x")
    assert len(made) == 2 + UNIT // PIECE


def count_pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what the system is asked for from now on."""
    made: list[int] = []

    def make(number: int, size: int) -> mmap.mmap:
        made.append(size)
        return mmap.mmap(number, size)

    class Counting:
        mmap = staticmethod(make)

    monkeypatch.setattr(module, "mmap", Counting)
    return made


def test_uploads_share_no_piece_and_never_take_more_than_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty uploads, quick and slow ones, on memory for eight; each finds its own bytes, or is
    refused. All the time one is under way, so that nothing is freed meanwhile."""
    made = count_pieces(monkeypatch)
    timer = Timer()
    budget = MemoryBudget(small=SMALL_BODY, large=8 * UNIT, max_wait=1e9, timer=timer)
    lasting = budget.buffer(PIECE)
    fill(lasting, b"lasting")

    def upload(number: int, store: ThreadPoolExecutor) -> bool:
        chance = random.Random(number)
        for _ in range(6):
            size = chance.choice([UNIT // 3, UNIT, UNIT, 3 * UNIT])
            buffer, data = budget.buffer(size), number.to_bytes(1, "big") * size
            try:
                for start in range(0, size, PIECE):
                    fill(buffer, data[start : start + PIECE])
                    timer.advance(chance.choice([0.0, 0.01, 0.1]))
                whole = buffer.complete()
            except UnavailableError:
                buffer.release()
                return False
            assert all(bytes(piece) == data[: len(piece)] for piece in whole)
            store.submit(buffer.release)
        return True

    with ThreadPoolExecutor(40) as pool, ThreadPoolExecutor(2) as store:
        done = list(pool.map(lambda number: upload(number, store), range(40)))
    assert any(done)
    lasting.release()
    assert budget.allocated == 0
    assert sum(made) <= SMALL_BODY + 8 * UNIT


def test_memory_of_a_slow_client_is_given_to_another_where_memory_is_short() -> None:
    timer = Timer()
    budget = MemoryBudget(large=2 * UNIT, max_wait=0.0, timer=timer)
    slow = budget.buffer(UNIT)
    fill(slow, bytes(UNIT - PIECE))
    timer.advance(60)
    quick = [budget.buffer(UNIT) for _ in range(2)]
    for buffer in quick:
        fill(buffer, b"q" * UNIT)
    with pytest.raises(UnavailableError, match="too slow"):
        fill(slow, b"s")
    with pytest.raises(UnavailableError, match="too slow"):
        slow.complete()
    slow.release()
    assert budget.allocated == 2 * UNIT
    assert [content(buffer) for buffer in quick] == [b"q" * UNIT] * 2


def test_slow_small_bodies_keep_no_small_one_out() -> None:
    timer = Timer()
    budget = MemoryBudget(max_wait=0.0, timer=timer)
    for _ in range(500):
        slow = budget.buffer(SMALL_BODY)
        fill(slow, b"s")
        timer.advance(5)
    quick = budget.buffer(SMALL_BODY)
    fill(quick, bytes(SMALL_BODY))
    assert budget.allocated <= SMALL_SHARE


def test_memory_that_the_system_refuses_fails_the_upload_as_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = MemoryBudget()

    class Poor:
        @staticmethod
        def mmap(*_: object) -> mmap.mmap:
            raise OSError("cannot allocate memory")

    monkeypatch.setattr(module, "mmap", Poor)
    buffer = budget.buffer(UNIT)
    with pytest.raises(UnavailableError, match="no memory"):
        fill(buffer, b"x")
    buffer.release()
    assert budget.allocated == 0


def test_small_bodies_do_not_wait_for_large_ones() -> None:
    budget = MemoryBudget(max_wait=0.0)
    for _ in range(LARGE_SHARE // UNIT):
        fill(budget.buffer(UNIT), bytes(UNIT))
    with pytest.raises(UnavailableError):
        fill(budget.buffer(UNIT), b"x")
    for _ in range(SMALL_SHARE // SMALL_BODY):
        fill(budget.buffer(SMALL_BODY), bytes(SMALL_BODY))
    with pytest.raises(UnavailableError):
        fill(budget.buffer(SMALL_BODY), b"x")
    assert budget.allocated == LARGE_SHARE + SMALL_SHARE


def test_the_largest_buffer_leaves_room_for_another() -> None:
    assert MemoryBudget().largest == LARGE_SHARE // 2
    assert MemoryBudget(large=5 * UNIT).largest == 2 * UNIT
    assert MemoryBudget(large=UNIT).largest == UNIT
    budget = MemoryBudget(large=4 * UNIT, max_wait=0.0)
    for _ in range(2):
        fill(budget.buffer(budget.largest), bytes(budget.largest))
    assert budget.allocated == 4 * UNIT


def test_only_an_upload_that_waits_for_memory_counts_as_waiting() -> None:
    observer = Recording()
    budget = MemoryBudget(large=2 * UNIT, max_wait=LONG)
    first, second = budget.buffer(UNIT), budget.buffer(UNIT)
    for buffer in (first, second):
        fill(buffer, bytes(UNIT))
        buffer.complete()
    with thread_reporting_to(observer) as pool:
        third = pool.submit(fill, budget.buffer(UNIT), b"x")
        while not observer.waits:
            time.sleep(0.001)
        first.release()
        third.result(LONG)
        assert observer.waits == ["begins", "ends"]
        second.release()
        pool.submit(fill, budget.buffer(UNIT), b"x").result(LONG)
    assert observer.waits == ["begins", "ends"]
