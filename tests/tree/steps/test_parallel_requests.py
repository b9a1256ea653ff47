"""Requests in parallel: results in order, threads shared fairly, nothing begun after a failure."""

from collections.abc import Iterator
from threading import Barrier, BrokenBarrierError, Event, Thread

import pytest

from davbridge.tree.steps.parallel_requests import ParallelRequests


@pytest.fixture
def parallel_requests() -> Iterator[ParallelRequests]:
    parallel_requests = ParallelRequests(4)
    yield parallel_requests
    parallel_requests.close()


def test_results_are_in_the_order_of_the_items(parallel_requests: ParallelRequests) -> None:
    assert parallel_requests.each(lambda number: number * 2, range(1000)) == list(range(0, 2000, 2))
    assert parallel_requests.each(str, [7]) == ["7"]
    assert parallel_requests.each(str, []) == []


def test_requests_run_at_once_up_to_their_limit_and_no_more(
    parallel_requests: ParallelRequests,
) -> None:
    meeting = Barrier(4, timeout=60)
    assert sorted(parallel_requests.each(lambda _: meeting.wait(), range(8))) == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    more = Barrier(5, timeout=0.2)
    with pytest.raises(BrokenBarrierError):
        parallel_requests.each(lambda _: more.wait(), range(8))


def test_no_request_begins_after_a_fatal_result(parallel_requests: ParallelRequests) -> None:
    done = parallel_requests.each(
        lambda number: number, range(1000), is_fatal=lambda number: number == 10
    )
    assert done == list(range(len(done)))
    assert 11 <= len(done) <= 14


def test_an_error_is_raised_and_no_more_requests_begin(parallel_requests: ParallelRequests) -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError("number 3")

    with pytest.raises(ValueError, match="number 3"):
        parallel_requests.each(work, range(1000))
    assert len(begun) < 1000


def test_a_short_run_does_not_wait_for_a_long_one_which_ends_at_close(
    parallel_requests: ParallelRequests,
) -> None:
    is_over = Event()
    begun = Event()

    def long(_: int) -> None:
        begun.set()
        is_over.wait(0.001)

    def run() -> None:
        with pytest.raises(RuntimeError):
            parallel_requests.each(long, range(100_000))

    other = Thread(target=run)
    other.start()
    assert begun.wait(60)
    assert parallel_requests.each(lambda number: number, range(8)) == list(range(8))
    assert other.is_alive()
    parallel_requests.close()
    other.join(60)
    assert not other.is_alive()


def test_a_call_that_was_begun_runs_in_parallel_with_its_caller(
    parallel_requests: ParallelRequests,
) -> None:
    meeting = Barrier(2, timeout=60)
    result = parallel_requests.begin(meeting.wait)
    assert {meeting.wait(), result.result()} == {0, 1}
