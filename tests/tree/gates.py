"""Gates between bridges and a bucket in memory: one request of an operation is held at each.

Owns the holding, and the look at threads that stand still. Must not know what is done.
"""

import sys
from collections.abc import Callable, Iterator
from enum import Enum
from threading import Condition
from threading import enumerate as all_threads
from types import FrameType
from typing import NamedTuple, TypeVar

from davbridge.errors import AccessDeniedError, UnavailableError
from davbridge.store.base import ObjectStore
from tests.support.intercepted import InterceptedStore
from tests.tree.conftest import Clock

T = TypeVar("T")

REQUEST_SECONDS = 0.01
"""What each request takes, on the clock of the case."""

MOMENT = 0.004
"""Seconds between two looks at threads that may stand still."""

LOOKS = 4
"""In which a thread that stands still is where it was."""

PATIENCE = 60.0
"""Seconds in which operations end that nothing holds any more."""

OPERATION = "operation"
"""How the names of the threads begin that operations are in. Those of `ParallelRequests` have names
of their own."""


class How(Enum):
    """How a request is held."""

    BEFORE = "before it reaches the store"
    AFTER = "when the store has done it"
    LOST = "when the store has done it, and its answer is lost"


class Hold(NamedTuple):
    """The request at which an operation is held."""

    at: int
    """Its number, from 0, among those of the operation."""
    how: How = How.BEFORE


class Gate:
    """Where one request of one operation is held."""

    def __init__(self, hold: Hold, changed: Condition) -> None:
        self.hold = hold
        self.is_reached = False
        self._is_open = False
        self._changed = changed

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def stand(self) -> None:
        """The side of the request."""
        with self._changed:
            self.is_reached = True
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._is_open, PATIENCE), "held for ever"


class GatedRequests(InterceptedStore):
    """Counts the requests of a bridge, and holds one of them."""

    def __init__(self, inner: ObjectStore, clock: Clock) -> None:
        super().__init__(inner)
        self.refused = ""
        """A key to which nothing is copied; empty: none."""
        self._clock = clock
        self._gate: Gate | None = None
        self.requests: list[tuple[str, str]] = []
        """Since the last step began."""

    def arm(self, gate: Gate | None) -> None:
        """Counts anew."""
        self._gate = gate
        self.requests = []

    def disarm(self) -> None:
        """The operation that the gate was for has ended, or waits."""
        self._gate = None

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        number = len(self.requests)
        self.requests.append((name, key))
        self._clock.advance(REQUEST_SECONDS)
        if (name, key) == ("copy_object", self.refused):
            raise AccessDeniedError("the store refuses this copy")
        gate = self._gate
        if gate is None or gate.hold.at != number:
            return call()
        self._gate = None
        if gate.hold.how is How.BEFORE:
            gate.stand()
            return call()
        try:
            return call()
        finally:
            gate.stand()
            if gate.hold.how is How.LOST:
                raise UnavailableError("the answer is lost")


def wait(changed: Condition, is_so: Callable[[], bool]) -> None:
    """Until it is so, or no thread of an operation moves any more. ``changed`` is notified where
    it may have come to be so."""
    looks, last = 0, None
    while looks < LOOKS:
        with changed:
            if changed.wait_for(is_so, MOMENT):
                return
        now = _standing()
        looks = looks + 1 if now == last else 0
        last = now


def _standing() -> dict[int, list[tuple[object, int]]]:
    """Where each thread is that may be at work on an operation."""
    frames = sys._current_frames()
    at_work = {
        thread.ident: frames[thread.ident]
        for thread in all_threads()
        if thread.ident in frames and thread.name.startswith((OPERATION, "davbridge-transfer"))
    }
    return {ident: list(_places(frame)) for ident, frame in at_work.items() if ident is not None}


def _places(frame: FrameType | None) -> Iterator[tuple[object, int]]:
    while frame is not None:
        yield frame.f_code, frame.f_lasti
        frame = frame.f_back
