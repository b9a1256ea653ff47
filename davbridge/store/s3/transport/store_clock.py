"""The store's time, which decides whether a request has expired.

The estimate is made from the Date headers of responses. Each sets two bounds: the store's clock was
not before that second when the response arrived, and not past it before the request was sent.

Invariants: as long as Date is the store's own time, the estimate is never ahead of it, so that no
signature is valid for longer than intended; it is behind by a second and a round trip at the most.
It is based on the monotonic clock, so that setting this machine's clock changes nothing. Until the
first response, this machine's clock is used. If the store refuses the time of the estimate (a proxy
may send its own time), the other clock is used.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from davbridge.clock import monotonic
from davbridge.store.s3.messages.headers import parse_date_header


class Timing(NamedTuple):
    """The clocks, and the function that waits."""

    timer: Callable[[], float] = monotonic
    wall: Callable[[], float] = time.time
    """Seconds since 1970, by this machine."""
    pause: Callable[[float], None] = lambda seconds: time.sleep(seconds)


TIMING = Timing()
"""As it is."""


class Reading(NamedTuple):
    """The same moment by two clocks."""

    local: float
    """Seconds of `monotonic`."""
    store: float
    """Seconds since 1970."""


class StoreClock:
    """Safe for many threads: the next response corrects the effect of a race."""

    def __init__(self, timing: Timing = TIMING) -> None:
        self.timer = timing.timer
        self._wall = timing.wall
        self._offset: float | None = None
        """By how much the store's clock is ahead of the timer, at least."""
        self._is_doubted = False

    def read(self) -> Reading:
        local = self.timer()
        if self._offset is None or self._is_doubted:
            return Reading(local, self._wall())
        return Reading(local, local + self._offset)

    def learn(self, headers: Mapping[str, str], asked_at: float) -> None:
        """Uses the Date of a response that has just arrived, to a request that was sent after
        ``asked_at``."""
        date = parse_date_header(headers.get("date"))
        if date is None or "age" in headers:  # A cache's response may be old.
            return
        second = date.timestamp()
        least, most = second - self.timer(), second + 1 - asked_at
        if self._offset is None or not least <= self._offset <= most:
            # A better bound; or one of the clocks was set, or this is another of the store's.
            self._offset = least

    def refused(self, used: Reading) -> None:
        """The store has refused a request that was signed with this reading as too old, or too new,
        and its response didn't change the estimate."""
        now = self.read()
        if abs((now.store - now.local) - (used.store - used.local)) < 1:
            self._is_doubted = not self._is_doubted
