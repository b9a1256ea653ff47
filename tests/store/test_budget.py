"""The memory budget: bounded, in turn, and never a dead end."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from davbridge.errors import UnavailableError
from davbridge.store.budget import LARGE_SHARE, SMALL_LOAN, SMALL_SHARE, UNIT, MemoryBudget

LONG = 10.0
"""Seconds after which a test has failed."""


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


def is_waiting(future: Future[Any]) -> bool:
    time.sleep(0.05)
    return not future.done()


@pytest.mark.parametrize("size", [1, SMALL_LOAN, SMALL_LOAN + 1, UNIT - 1, UNIT, UNIT + 1])
def test_a_loan_is_a_buffer_of_the_size_that_was_asked_for(size: int) -> None:
    budget = MemoryBudget()
    loan = budget.borrow(size)
    loan.view[:] = b"x" * size
    assert bytes(loan.view) == b"x" * size
    loan.give_back()
    loan.give_back()
    assert budget.lent == 0


def test_a_buffer_that_was_given_back_is_out_of_reach() -> None:
    loan = MemoryBudget().borrow(UNIT)
    loan.give_back()
    with pytest.raises(ValueError, match="released"):
        loan.view[0] = 1


def test_a_buffer_is_used_again_while_others_are_lent_and_freed_with_the_last() -> None:
    budget = MemoryBudget()
    first, second = budget.borrow(UNIT), budget.borrow(UNIT)
    first.view[:5] = b"first"
    first.give_back()
    third = budget.borrow(UNIT)
    assert bytes(third.view[:5]) == b"first"
    second.give_back()
    third.give_back()
    assert bytes(budget.borrow(UNIT).view[:5]) == bytes(5)


def test_a_body_of_one_part_takes_as_much_as_it_has_bytes() -> None:
    """Forty clients on slow lines, each with a photograph, fill their buffers side by side."""
    budget = MemoryBudget(patience=0.0)
    loans = [budget.borrow(4 * 1024**2) for _ in range(40)]
    assert budget.lent == 40 * 4 * 1024**2
    for loan in loans:
        loan.give_back()
    assert budget.lent == 0


def test_buffers_that_are_kept_make_room_for_others() -> None:
    budget = MemoryBudget(large=2 * UNIT)
    first, second = budget.borrow(UNIT), budget.borrow(UNIT)
    first.view[:5] = b"first"
    first.give_back()
    budget.borrow(UNIT // 2).give_back()
    assert bytes(budget.borrow(UNIT).view[:5]) == bytes(5)
    second.give_back()


def test_memory_that_the_system_has_not_got_is_not_lent() -> None:
    budget = MemoryBudget(large=2**60)
    with pytest.raises(UnavailableError, match="no memory"):
        budget.borrow(2**59)
    assert budget.lent == 0


def test_whoever_asks_for_more_than_there_is_waits() -> None:
    budget = MemoryBudget(large=2 * UNIT)
    loans = [budget.borrow(UNIT) for _ in range(2)]
    with threads() as pool:
        third = pool.submit(budget.borrow, UNIT)
        assert is_waiting(third)
        loans[0].give_back()
        third.result(LONG).give_back()


def test_nobody_waits_for_ever() -> None:
    budget = MemoryBudget(large=2 * UNIT, patience=0.05)
    loans = [budget.borrow(UNIT) for _ in range(2)]
    with pytest.raises(UnavailableError, match=r"0\.05 s"):
        budget.borrow(UNIT)
    loans[0].give_back()
    budget.borrow(UNIT)  # who gave up is no longer in the way


def test_whoever_sees_others_get_on_waits_for_longer() -> None:
    """Five hold the only buffer in turn, for longer in all than anybody's patience."""
    budget = MemoryBudget(large=2 * UNIT, patience=0.5)
    budget.borrow(UNIT)

    def hold() -> None:
        loan = budget.borrow(UNIT)
        time.sleep(0.2)
        loan.give_back()

    with threads() as pool:
        for held in [pool.submit(hold) for _ in range(5)]:
            held.result(LONG)


def test_memory_is_lent_in_the_order_of_asking() -> None:
    """A loan of two units is not starved by loans of one, though each of those would fit."""
    budget = MemoryBudget(large=4 * UNIT)
    loans = [budget.borrow(UNIT) for _ in range(3)]
    order: list[str] = []

    def ask(name: str, size: int) -> None:
        loan = budget.borrow(size)
        order.append(name)
        loan.give_back()

    with threads() as pool:
        for name, size in [("two", 2 * UNIT), ("one", UNIT), ("other", UNIT)]:
            asking = pool.submit(ask, name, size)
            assert is_waiting(asking)
        for loan in loans:
            loan.give_back()
    assert order[0] == "two"
    assert sorted(order) == ["one", "other", "two"]


def test_small_loans_do_not_wait_for_large_ones() -> None:
    budget = MemoryBudget(patience=0.0)
    for _ in range(LARGE_SHARE // UNIT):
        budget.borrow(UNIT)
    with pytest.raises(UnavailableError):
        budget.borrow(UNIT)
    for _ in range(SMALL_SHARE // SMALL_LOAN):
        budget.borrow(SMALL_LOAN)
    with pytest.raises(UnavailableError):
        budget.borrow(SMALL_LOAN)


def test_the_largest_loan_leaves_room_for_another() -> None:
    assert MemoryBudget().largest == LARGE_SHARE // 2
    assert MemoryBudget(large=5 * UNIT).largest == 2 * UNIT
    assert MemoryBudget(large=UNIT).largest == UNIT
    budget = MemoryBudget(large=4 * UNIT, patience=0.0)
    for _ in range(2):
        budget.borrow(budget.largest)
    assert budget.lent == 4 * UNIT


def test_many_uploads_on_little_memory_all_come_through() -> None:
    """Each holds a part that fills while others are in flight, as S3Writer does; there are ten
    times as many as there are buffers, and never is more lent than the budget."""
    budget = MemoryBudget(small=2 * SMALL_LOAN, large=4 * UNIT, patience=LONG)
    seen: list[int] = []

    def upload(number: int, store: ThreadPoolExecutor) -> None:
        chance = random.Random(number)
        first = budget.borrow(SMALL_LOAN)  # of unknown length: it waits for more holding this
        for part in range(5):
            filling = budget.borrow(chance.choice([UNIT // 3, UNIT, UNIT, 2 * UNIT]))
            if part == 0:
                first.give_back()
            seen.append(budget.lent)
            time.sleep(chance.random() / 1000)
            store.submit(filling.give_back)

    with threads() as pool, ThreadPoolExecutor(2) as store:
        uploads = [pool.submit(upload, number, store) for number in range(40)]
        for each in uploads:
            each.result(LONG)
    assert budget.lent == 0
    assert max(seen) <= 2 * SMALL_LOAN + 4 * UNIT


def test_whoever_waits_says_so_and_nobody_else() -> None:
    said: list[str] = []

    @contextmanager
    def waiting() -> Iterator[None]:
        said.append("begins")
        yield
        said.append("ends")

    budget = MemoryBudget(large=2 * UNIT, patience=LONG)
    budget.waiting = waiting
    first, second = budget.borrow(UNIT), budget.borrow(UNIT)
    with threads() as pool:
        third = pool.submit(budget.borrow, UNIT)
        assert is_waiting(third)
        assert said == ["begins"]
        first.give_back()
        third.result(LONG).give_back()
        assert said == ["begins", "ends"]
    second.give_back()
    budget.borrow(UNIT).give_back()
    assert said == ["begins", "ends"]
