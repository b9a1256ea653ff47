"""Which threads work on a connection, and which only wait.

Waits for the store are many, and usually short. So a thread in a `store_wait` counts as working at
first, which costs only a note of the time. It counts as waiting if the wait has lasted for
STORE_GRACE_SECONDS when `count_overdue_as_waiting` is called. `admission` limits how many may wait.

Invariant: between `begin` and `end`, a thread counts as either working or waiting.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Generic, TypeVar

from davbridge.http.workers.admission import Admission, Client, Limits

T = TypeVar("T")

_UNCOUNTED = nullcontext()
"""For a wait within another wait, or in a thread that serves no connection."""


class ThreadStates(Generic[T]):
    """The states of threads, by their idents. ``lock`` guards them. ``on_wait`` is called under the
    lock, with the ident of a thread that counts as waiting from now on."""

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
        """How many threads work."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiting)

    @property
    def all(self) -> tuple[T, ...]:
        """The connections of all threads. Under the lock."""
        return (*self._working.values(), *self._waiting.values())

    def begin(self, thread: int, connection: T) -> None:
        """Under the lock."""
        self._working[thread] = connection

    def end(self, thread: int) -> None:
        """Under the lock. Does nothing if the thread has no connection."""
        self._working.pop(thread, None)
        self._admission.end_request(thread)

    def close(self) -> None:
        """From now on, no thread may begin to wait."""
        self._admission.close()

    def count_overdue_as_waiting(self) -> None:
        """Counts threads as waiting whose waits have lasted too long. Under the lock."""
        for thread in self._admission.overdue():
            if thread in self._working:
                self._count_as_waiting(thread)

    @contextmanager
    def queue_wait(self) -> Iterator[None]:
        """A wait for another request. The thread counts as waiting at once. Raises
        UnavailableError if too many wait. Does nothing in a thread that serves no connection."""
        me = threading.get_ident()
        if me not in self._working:
            yield
            return
        self._admission.admit(me)
        with self._counted_as_waiting(me):
            yield

    @contextmanager
    def client_wait(self, client: Client) -> Iterator[None]:
        """As `queue_wait`, for a client, which may be disconnected so that another request can
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
