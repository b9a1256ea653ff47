"""How long a thread waits for one client.

Owns the time that a client has, and from when on a thread that waits is said to wait. Must not know
what is waited for, nor what becomes of a thread.

Invariants: a peer that is silent for ``timeout`` seconds, or moves less than MIN_RATE for longer
than that, is waited for no longer, nor one whose wait would be one too many; whatever waits for
more than CLIENT_GRACE_SECONDS, all waits of a request taken together, is counted while it waits: short waits, of
which fast requests have many, cost nothing.
"""

import contextlib
import math
import time
from collections.abc import Callable
from typing import TypeVar

from davbridge.errors import UnavailableError
from davbridge.waiting import Waiting

_T = TypeVar("_T")

MIN_RATE = 1024
"""Bytes a second. Slower than any network that files are sent over."""

INITIAL_BYTES = 64 * 1024
"""Bytes that a peer is taken to have moved within a second before: none is slow at once."""

CLIENT_GRACE_SECONDS = 0.02
"""Seconds. All waits of a request count, as a slow client's may be short: at 1 Mbit/s one packet
comes every twelve milliseconds."""


class ClientTimeout:
    """Seconds that a peer may keep a thread waiting. Waiting uses them up, and what the peer sends
    or takes gives them back, up to ``timeout``."""

    def __init__(
        self, timeout: float | None = None, waiting: Waiting = contextlib.nullcontext
    ) -> None:
        self._limit = self._remaining = math.inf if timeout is None else timeout
        self._waiting = waiting
        self.begin_request()

    def begin_request(self) -> None:
        """Begins another request."""
        self._remaining = self._limit
        self._grace = CLIENT_GRACE_SECONDS
        self._moved = INITIAL_BYTES
        self._waited = 1.0
        """Seconds, without those of the wait that lasts."""
        self._since: float | None = None
        """When that has begun."""

    @property
    def speed(self) -> float:
        """Bytes a second of the time that the peer was waited for in this request. May be asked
        from another thread."""
        since = self._since
        lasting = time.monotonic() - since if since is not None else 0.0
        return self._moved / (self._waited + lasting)

    def reset(self) -> None:
        """Gives back all of the time."""
        self._remaining = self._limit

    def record_progress(self, moved: int) -> None:
        self._remaining = min(self._limit, self._remaining + moved / MIN_RATE)
        self._moved += moved

    def wait(self, attempt: Callable[[float | None], _T]) -> _T:
        """What comes of ``attempt``, which takes the seconds that it may last, None for any number.
        It is called again where it has raised TimeoutError and there is time left. Raises
        TimeoutError where there isn't."""
        if self._grace > 0:
            with contextlib.suppress(TimeoutError):
                return self._spend(attempt, self._grace)
        try:
            with self._waiting():
                return self._spend(attempt, math.inf)
        except UnavailableError as error:
            raise TimeoutError("the client is slow, and too many others are") from error

    def _spend(self, attempt: Callable[[float | None], _T], most: float) -> _T:
        if self._remaining <= 0:
            raise TimeoutError("the client is too slow")
        since = self._since = time.monotonic()
        seconds = min(most, self._remaining)
        try:
            return attempt(None if seconds == math.inf else seconds)
        finally:
            spent = time.monotonic() - since
            self._since = None
            self._waited += spent
            self._remaining -= spent
            self._grace -= spent
