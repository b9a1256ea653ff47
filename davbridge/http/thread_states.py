"""Which connections are worked on, and which are served by a thread that only waits.

Owns that, and what a thread is within while it waits. Must not know how threads are chosen, nor
how many there are. How many may wait is up to http.admission.

Waits for the store are many, and short as a rule. A thread that is within `store_wait` counts as
one that works until the wait has lasted for longer than STORE_GRACE_SECONDS, and somebody has looked
(`count_overdue_as_waiting`): a short one costs no more than a note of the time.

Invariant: a connection that was begun and not ended is either worked on or waited for.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Generic, TypeVar

from davbridge.http.admission import Admission, Client, Limits

T = TypeVar("T")

_UNCOUNTED = nullcontext()
"""A wait within another one, or in a thread that serves nobody."""


class ThreadStates(Generic[T]):
    """What threads are at, by their numbers. ``lock`` guards it; ``on_wait`` is called under it
    with the number of a thread that has begun to count as waiting."""

    def __init__(
        self, lock: threading.Condition, limits: Limits, on_wait: Callable[[int], None]
    ) -> None:
        self._lock = lock
        self._admission = Admission(limits)
        self._on_wait = on_wait
        self._working: dict[int, T] = {}
        self._waiting: dict[int, T] = {}

    @property
    def working(self) -> int:
        """How many are worked on."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """How many have a thread that only waits."""
        return len(self._waiting)

    @property
    def all(self) -> tuple[T, ...]:
        """All of them. Under the lock."""
        return (*self._working.values(), *self._waiting.values())

    def begin(self, thread: int, connection: T) -> None:
        """Under the lock."""
        self._working[thread] = connection

    def end(self, thread: int) -> None:
        """Under the lock. Does nothing where the thread has begun nothing."""
        self._working.pop(thread, None)
        self._admission.end_request(thread)

    def close(self) -> None:
        """Lets nobody begin to wait any more."""
        self._admission.close()

    def count_overdue_as_waiting(self) -> None:
        """Counts those among the waiting that have waited for too long. Under the lock."""
        for thread in self._admission.overdue():
            if thread in self._working:
                self._count_as_waiting(thread)

    @contextmanager
    def other_wait(self) -> Iterator[None]:
        """A wait that counts from its beginning. Nothing in a thread that serves nobody. Raises
        UnavailableError where too many wait."""
        me = threading.get_ident()
        if me not in self._working:
            yield
            return
        self._admission.admit(me)
        with self._counted_as_waiting(me):
            yield

    @contextmanager
    def client_wait(self, client: Client) -> Iterator[None]:
        """As `other_wait`, for a client that may be aborted meanwhile, so that another request can
        wait."""
        me = threading.get_ident()
        if me not in self._working:
            yield
            return
        self._admission.begin_client_wait(me, client)
        try:
            with self._counted_as_waiting(me):
                yield
        finally:
            self._admission.end_client_wait(me)

    def store_wait(self) -> AbstractContextManager[object]:
        """See davbridge.waiting."""
        me = threading.get_ident()
        if me not in self._working or self._admission.is_in_store_wait(me):
            return _UNCOUNTED
        return self._store_wait(me)

    @contextmanager
    def bounded_wait(self) -> Iterator[None]:
        """See davbridge.waiting."""
        me = threading.get_ident()
        self._admission.begin_bounded_wait(me)
        try:
            yield
        finally:
            if self._admission.end_bounded_wait(me):
                self._count_as_working(me)

    @contextmanager
    def _store_wait(self, me: int) -> Iterator[None]:
        entry = self._admission.begin_store_wait(me)
        if entry is not None:
            with self._counted_as_waiting(me):
                self._admission.wait_in_queue(entry)
        try:
            yield
        finally:
            if self._admission.end_store_wait(me):
                self._count_as_working(me)

    @contextmanager
    def _counted_as_waiting(self, me: int) -> Iterator[None]:
        with self._lock:
            if me in self._working:
                self._count_as_waiting(me)
        try:
            yield
        finally:
            self._count_as_working(me)

    def _count_as_waiting(self, thread: int) -> None:
        self._waiting[thread] = self._working.pop(thread)
        self._on_wait(thread)

    def _count_as_working(self, me: int) -> None:
        with self._lock:
            if me in self._waiting:
                self._working[me] = self._waiting.pop(me)
