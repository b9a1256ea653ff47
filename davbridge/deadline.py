"""Deadlines: until when the requests of an operation may have an effect.

The operation sets a deadline in a context variable, and whatever sends requests respects it; so no
deadline is passed from function to function. A thread that works on a part of the operation has no
deadline, unless it runs in a copy of the context. A generator must not yield within `before`.

A deadline is a function that is called at each check, because a deadline may move: a lease can be
renewed.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from davbridge.clock import monotonic
from davbridge.errors import DeadlinePassedError

Timer = Callable[[], float]
"""Returns seconds since some moment."""

_deadlines: ContextVar[tuple[tuple[Timer, Timer], ...]] = ContextVar("deadlines", default=())


@contextmanager
def before(deadline: Timer, timer: Timer = monotonic) -> Iterator[None]:
    """The requests inside have to end before ``deadline()`` on ``timer``. Deadlines nest: the
    earliest counts."""
    token = _deadlines.set((*_deadlines.get(), (deadline, timer)))
    try:
        yield
    finally:
        _deadlines.reset(token)


@contextmanager
def unlimited() -> Iterator[None]:
    """Lifts all deadlines, for requests that do no harm however late they are done."""
    token = _deadlines.set(())
    try:
        yield
    finally:
        _deadlines.reset(token)


def remaining() -> float:
    """Seconds until the deadline; infinity without one."""
    deadlines = _deadlines.get()
    if not deadlines:
        return math.inf
    # The clock is read first: a pause in between can't make the deadline later.
    return min(-timer() + deadline() for deadline, timer in deadlines)


def require() -> None:
    """Raises DeadlinePassedError if the deadline has passed."""
    if remaining() <= 0:
        raise DeadlinePassedError("the time for this is over, and it was not done")
