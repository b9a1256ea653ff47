"""The store's time, as it is known from its answers."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from davbridge.store.s3.transport.store_clock import StoreClock, Timing

T = 1_800_000_000
"""A second of the store's."""


class Clocks:
    """The store's own, this machine's, and the one that only goes forward."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.now = 5000.0
        self.ahead = ahead
        """Of this machine's wall clock, over the store's."""
        self.store_offset = T - 5000.0
        self.known = StoreClock(Timing(lambda: self.now, lambda: self.store + self.ahead))

    @property
    def store(self) -> float:
        return self.now + self.store_offset

    @property
    def error(self) -> float:
        """By how much the estimate is ahead."""
        return self.known.read().store - self.store

    def asks(self, *, there: float = 0.0, back: float = 0.0, **headers: str) -> None:
        """A request on its way for so many seconds, and its answer."""
        asked_at = self.now
        self.now += there
        date = format_datetime(datetime.fromtimestamp(int(self.store), UTC), usegmt=True)
        self.now += back
        self.known.learn({"date": date} | headers, asked_at)


def test_until_the_store_has_answered_this_machines_clock_counts() -> None:
    assert Clocks(ahead=3.0).error == 3


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_an_answer_gives_the_time_within_a_second_and_the_way_back(ahead: float) -> None:
    clocks = Clocks(ahead)
    clocks.now += 0.9
    clocks.asks(there=0.2, back=0.3)
    assert clocks.error == pytest.approx(-0.1 - 0.3)


def test_more_answers_make_the_clock_more_exact_and_never_put_it_ahead() -> None:
    clocks = Clocks()
    for _ in range(50):
        clocks.now += 0.37
        clocks.asks(there=0.02, back=0.05)
        assert clocks.error <= 0
    assert clocks.error > -0.2
    clocks.asks(there=1.0, back=30.0)  # slow ones make it no worse
    assert clocks.error > -0.2


def test_the_clock_follows_a_store_whose_clock_is_set() -> None:
    clocks = Clocks()
    clocks.asks()
    for jump in (-600, 600):
        clocks.store_offset += jump
        clocks.asks()
        assert -1 <= clocks.error <= 0


def test_the_stores_time_stays_when_this_machines_clock_is_set() -> None:
    clocks = Clocks()
    clocks.asks()
    before = clocks.known.read()
    clocks.ahead = 86_400.0
    assert clocks.known.read() == before


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Foo 2026 99:99:99 GMT"])
def test_an_answer_without_a_date_teaches_nothing(date: str | None) -> None:
    clocks = Clocks(ahead=3.0)
    clocks.known.learn({} if date is None else {"date": date}, clocks.now)
    assert clocks.error == 3


def test_an_answer_from_a_cache_teaches_nothing() -> None:
    clocks = Clocks()
    clocks.asks()
    clocks.now += 100
    stale = format_datetime(datetime.fromtimestamp(T, UTC), usegmt=True)
    clocks.known.learn({"date": stale, "age": "100"}, clocks.now)
    assert clocks.error >= -1


def test_a_date_that_the_store_refuses_gives_way_to_this_machines_clock_and_back() -> None:
    clocks = Clocks()
    proxys = {"date": format_datetime(datetime.fromtimestamp(T - 300, UTC), usegmt=True)}
    clocks.known.learn(proxys, clocks.now)
    assert clocks.error == -300
    clocks.known.refused(clocks.known.read())
    assert clocks.error == 0
    clocks.known.refused(clocks.known.read())
    assert clocks.error == -300


def test_a_refusal_that_has_taught_the_time_leaves_it_so() -> None:
    clocks = Clocks(ahead=7200.0)
    used = clocks.known.read()
    clocks.asks()
    clocks.known.refused(used)
    assert -1 <= clocks.error <= 0
