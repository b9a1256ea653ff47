"""Requests side by side: in order, in turns, and no further than makes sense."""

from collections.abc import Iterator
from threading import Barrier, BrokenBarrierError, Event, Thread

import pytest

from davbridge.tree.operations.parallel_requests import Lanes


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes(4)
    yield lanes
    lanes.close()


def test_results_are_in_the_order_of_the_items(lanes: Lanes) -> None:
    assert lanes.each(lambda number: number * 2, range(1000)) == list(range(0, 2000, 2))
    assert lanes.each(str, [7]) == ["7"]
    assert lanes.each(str, []) == []


def test_as_many_at_once_as_there_are_lanes_and_no_more(lanes: Lanes) -> None:
    meeting = Barrier(4, timeout=10)
    assert sorted(lanes.each(lambda _: meeting.wait(), range(8))) == [0, 0, 1, 1, 2, 2, 3, 3]
    more = Barrier(5, timeout=0.2)
    with pytest.raises(BrokenBarrierError):
        lanes.each(lambda _: more.wait(), range(8))


def test_nothing_is_begun_after_a_fatal_result(lanes: Lanes) -> None:
    done = lanes.each(lambda number: number, range(1000), is_fatal=lambda number: number == 10)
    assert done == list(range(len(done)))
    assert 11 <= len(done) <= 14


def test_an_error_is_raised_and_nothing_more_begun(lanes: Lanes) -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError("number 3")

    with pytest.raises(ValueError, match="number 3"):
        lanes.each(work, range(1000))
    assert len(begun) < 1000


def test_a_short_run_does_not_wait_for_a_long_one_which_ends_with_the_lanes(lanes: Lanes) -> None:
    is_over = Event()
    begun = Event()

    def long(_: int) -> None:
        begun.set()
        is_over.wait(0.001)

    def run() -> None:
        with pytest.raises(RuntimeError):
            lanes.each(long, range(100_000))

    other = Thread(target=run)
    other.start()
    assert begun.wait(10)
    assert lanes.each(lambda number: number, range(8)) == list(range(8))
    assert other.is_alive()
    lanes.close()
    other.join(10)
    assert not other.is_alive()


def test_what_was_begun_runs_beside(lanes: Lanes) -> None:
    meeting = Barrier(2, timeout=10)
    result = lanes.begin(meeting.wait)
    assert {meeting.wait(), result.result()} == {0, 1}
