"""What one upload has of the memory for bodies, and how fast its client fills it.

Invariants: only the time spent waiting for the client counts. A client that sends RATE bytes a
second is never slow.
"""

from collections.abc import Callable

RATE = 192 * 1024
"""Bytes a second. A slower client fills no part of 8 MiB within the time that others wait."""

MOST_CREDIT = 5.0
"""Seconds that a client may be silent after it has sent more than RATE."""


class Allocation:
    """What one buffer has of a pool. The pool's lock guards all of it."""

    def __init__(self, need: int, on_return: Callable[[], None]) -> None:
        self.need = need
        """Pieces of the full buffer."""
        self.on_return = on_return
        """Called, under the lock, before its pieces are given to others."""
        self.pieces = 0
        self.waited = 0.0
        """Seconds that it has waited for memory."""
        self.is_reclaimed = False
        self._is_copying = True
        self._filled = 0
        self._idle = 0.0
        """Seconds spent waiting for its client, until ``_idle_since``."""
        self._credit = 0.0
        """Seconds that were left then."""
        self._idle_since: float | None = None

    @property
    def rest(self) -> int:
        """Pieces that it lacks."""
        return self.need - self.pieces

    def resume(self, now: float) -> None:
        """The client has sent something, which is about to be copied."""
        self._idle, self._credit = self._idle_until(now), self._credit_at(now)
        self._idle_since = None
        self._is_copying = True

    def pause(self, now: float, filled: int) -> None:
        """So many bytes were copied. From now on it waits for its client."""
        self._filled += filled
        self._credit = min(MOST_CREDIT, max(self._credit, 0.0) + filled / RATE)
        self._idle_since = now
        self._is_copying = False

    def queue(self) -> None:
        """It waits for memory, which doesn't count against its client."""
        self._is_copying = False

    def add_piece(self) -> None:
        self.pieces += 1
        self._is_copying = True

    def is_slow(self, now: float) -> bool:
        return not self._is_copying and self._credit_at(now) < 0

    def speed(self, now: float) -> float:
        """Bytes per second of the time spent waiting for the client."""
        return self._filled / max(self._idle_until(now), 0.001)

    def _idle_until(self, now: float) -> float:
        return self._idle + (now - self._idle_since if self._idle_since is not None else 0.0)

    def _credit_at(self, now: float) -> float:
        return self._credit - (now - self._idle_since if self._idle_since is not None else 0.0)
