"""Until when the requests of a piece of work may have an effect.

The work sets a deadline in a context variable, and whatever sends requests keeps it: nothing is
passed along between them. A thread that is started for a part of the work has no deadline unless it
runs in a copy of its starter's context. A generator must not yield within `before`.

A deadline is a function, for it may move while the work goes on: a lease is renewed. It is called
at each check.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from davbridge.clock import monotonic
from davbridge.errors import DeadlinePassedError

Timer = Callable[[], float]
"""Gives seconds since some moment."""

_deadlines: ContextVar[tuple[tuple[Timer, Timer], ...]] = ContextVar("deadlines", default=())


@contextmanager
def before(deadline: Timer, timer: Timer = monotonic) -> Iterator[None]:
    """What is inside has to end before ``deadline()`` by ``timer``. Deadlines nest: the earliest
    counts."""
    token = _deadlines.set((*_deadlines.get(), (deadline, timer)))
    try:
        yield
    finally:
        _deadlines.reset(token)


@contextmanager
def unlimited() -> Iterator[None]:
    """For what does no harm however late it is done, as cleaning up does."""
    token = _deadlines.set(())
    try:
        yield
    finally:
        _deadlines.reset(token)


def remaining() -> float:
    """Seconds until the deadline; infinity where there is none."""
    deadlines = _deadlines.get()
    if not deadlines:
        return math.inf
    # The clock is read first, so that a pause in between can't make a deadline later.
    return min(-timer() + deadline() for deadline, timer in deadlines)


def require() -> None:
    """Raises DeadlinePassedError where the deadline has passed."""
    if remaining() <= 0:
        raise DeadlinePassedError("the time for this is over, and it was not done")
