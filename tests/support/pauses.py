"""Bridges that stand still, and requests of theirs that come to the store late."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import unquote

from tests.support.operations import operation_of
from tests.support.proc import state_of
from tests.support.s3proxy import Fault, Hold, Request, error

STOP_SECONDS = 10.0
"""In which a process stops that is told to: one that writes to a disk does so afterwards."""


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile; its sockets stay, and take what they have room for."""
    os.kill(pid, signal.SIGSTOP)
    try:
        assert wait_for(lambda: state_of(pid) == "T", STOP_SECONDS), "it doesn't stop"
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Moment(NamedTuple):
    """One of the requests that an operation makes: the first of these that names this.

    What it names is a part of a key, or of a prefix that is listed.
    """

    operations: Sequence[str]
    """S3's."""
    part: str
    after: str = ""
    """An operation of S3 that has named ``part`` before; empty: any time."""
    skip: int = 0
    """How many of these requests aren't meant."""


class HeldRequests:
    """A rule for an `S3Proxy`: holds one request at each of several moments, until they are all
    delivered, and refuses some copies."""

    def __init__(self, moments: Sequence[Moment], refused: Sequence[str]) -> None:
        """``refused``: parts of keys to which nothing is copied."""
        self._waiting = list(moments)
        self._skipped: dict[Moment, int] = {}
        self._seen: set[tuple[str, str]] = set()
        self._refused = refused
        self._lock = threading.Lock()
        self.held: dict[Moment, Hold] = {}

    def __call__(self, request: Request) -> Fault | None:
        operation, names = operation_of(request), names_in(request)
        with self._lock:
            if operation == "CopyObject" and any(part in names for part in self._refused):
                return error("AccessDenied", 403)
            hold = self._hold(operation, names)
            self._seen |= {
                (operation, moment.part) for moment in self._waiting if moment.part in names
            }
            return hold

    def _hold(self, operation: str, names: str) -> Hold | None:
        for moment in self._waiting:
            is_late = not moment.after or (moment.after, moment.part) in self._seen
            if operation in moment.operations and moment.part in names and is_late:
                self._skipped[moment] = self._skipped.get(moment, -1) + 1
                if self._skipped[moment] == moment.skip:
                    self._waiting.remove(moment)
                    return self.held.setdefault(moment, Hold())
        return None

    def deliver(self) -> None:
        """Lets all of them go to the store now, and no others be held."""
        with self._lock:
            self._waiting.clear()
            held = list(self.held.values())
        for each in held:
            each.deliver()


def names_in(request: Request) -> str:
    """What a request names: of a copy its target."""
    return unquote(request.target) + request.body.decode("latin-1")


def wait_for(is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether it has come to be so in that time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
