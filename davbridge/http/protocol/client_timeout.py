"""How long a thread waits for one client.

Invariants:
- A client that is silent for ``timeout`` seconds times out, and so does one that moves less than
  MIN_RATE for longer than that, and one whose wait is not admitted.
- A thread counts as waiting as soon as its request has waited for more than CLIENT_GRACE_SECONDS,
  all waits taken together. Short waits, of which fast requests have many, cost nothing.
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
"""Bytes per second. Slower than any network that files are sent over."""

INITIAL_BYTES = 64 * 1024
"""Bytes that a client counts as having moved in the second before its request, so that no client
is slow at the beginning."""

CLIENT_GRACE_SECONDS = 0.02
"""All waits of a request are added up, because each wait for a slow client may be short: at
1 Mbit/s a packet comes every twelve milliseconds."""


class ClientTimeout:
    """The seconds that a client may keep a thread waiting. Waiting uses them up; bytes that the
    client sends or receives give them back, up to ``timeout``. Calls ``waiting`` for the context
    of a wait that counts."""

    def __init__(
        self, timeout: float | None = None, waiting: Waiting = contextlib.nullcontext
    ) -> None:
        self._limit = self._remaining = math.inf if timeout is None else timeout
        self._waiting = waiting
        self.begin_request()

    def begin_request(self) -> None:
        """Called at the beginning of each request."""
        self._remaining = self._limit
        self._grace = CLIENT_GRACE_SECONDS
        self._moved = INITIAL_BYTES
        self._waited = 1.0
        """Seconds, without those of the current wait."""
        self._since: float | None = None
        """When the current wait began."""

    @property
    def speed(self) -> float:
        """Bytes per second of the time that this request has waited for the client. Thread-safe."""
        since = self._since
        current = time.monotonic() - since if since is not None else 0.0
        return self._moved / (self._waited + current)

    def reset(self) -> None:
        """Gives the client the whole timeout again."""
        self._remaining = self._limit

    def record_progress(self, moved: int) -> None:
        """Gives back time for ``moved`` bytes."""
        self._remaining = min(self._limit, self._remaining + moved / MIN_RATE)
        self._moved += moved

    def wait(self, attempt: Callable[[float | None], _T]) -> _T:
        """Returns what ``attempt`` returns. ``attempt`` takes the seconds that it may last, or None
        for no limit. It is called again if it raises TimeoutError while there is time left. Raises
        TimeoutError when there is none left."""
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
