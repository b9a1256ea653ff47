"""How many requests may wait, and for what.

Owns the bounds, the requests that have begun to wait, and the queue of those that may not ask the
store yet. Must not know threads but by their numbers, nor what they serve.

A request that waits keeps its thread, and often a connection to the store. If any number might, a
store that is silent would take them all, and nobody could be answered who needs no store. So a
request is *admitted* when it waits for the first time, and is so until it ends: one that has begun
something is never refused. As many others as there are threads at first can be served beside.

Clients that are slow could take all of that, for as long as they like. So where another request
comes, the slowest of those that are waited for is aborted.

Invariants: no more than ``limits.requests`` are admitted, and up to ``limits.aborted`` others that end
because their clients were aborted; nobody is aborted who moves SLOW_BYTES_PER_SECOND bytes a second. None of them begins to
ask the store while ``limits.store`` do; up to ``limits.queue`` wait for that, in the order of
asking and for QUEUE_SECONDS at the most. Who can't be admitted is refused at once, with
UnavailableError.
"""

import threading
import time
from collections import deque
from typing import NamedTuple, NoReturn, Protocol

from davbridge.errors import UnavailableError

STORE_GRACE_SECONDS = 0.1
"""Seconds that a wait may last before its thread counts as waiting. A store that is well answers
within that, so that no more requests than there are threads are under way there at a time."""

QUEUE_SECONDS = 10.0

STORE_WAITS_PER_THREAD = 4
"""Requests that may wait for the store, for each thread. All of them have come to wait within
as many STORE_GRACE_SECONDS, and then whoever needs no store is answered as ever."""

SLOW_BYTES_PER_SECOND = 64 * 1024
"""Bytes a second. A slower client gives way to others where too many requests wait."""

MAX_BOUNDED_WAITS = 40
"""Threads for those in a `bounded_wait`: more than logins may have (access.logins)."""


class Client(Protocol):
    """Whom a request waits for."""

    @property
    def speed(self) -> float:
        """Bytes a second."""
        ...

    def abort(self) -> None:
        """Makes what waits for it fail at once."""
        ...


class Limits(NamedTuple):
    """Numbers of requests."""

    requests: int
    """That may have begun to wait, for whatever."""
    store: int
    """That may ask the store when another one begins to."""
    queue: int
    """That wait for one of these to come back."""

    @property
    def aborted(self) -> int:
        """That may be about to end since their clients were aborted."""
        return max(1, self.store // 2)

    @classmethod
    def of(cls, threads: int, max_idle_connections: int) -> "Limits":
        """Half of ``max_idle_connections`` may wait for their clients and for one another: each has two
        file descriptors. Those that wait for the store come beside, within a quarter of it."""
        store = min(STORE_WAITS_PER_THREAD * threads, max(threads, max_idle_connections // 4))
        return cls(max_idle_connections // 2 + store, store, max_idle_connections // 4)


class QueueEntry:
    """In the queue of those that wait to ask the store."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.may_start = threading.Event()


class Admission:
    """Who may wait, by the number of the thread. All methods may be called from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        # These are guarded by it. Of the two that follow each thread sees to its own entry, but
        # for those in the queue, who have theirs made for them.
        self._admitted: set[int] = set()
        self._refused: set[int] = set()
        """Those whose request has been told to come again: whatever it still tries."""
        self._client_waits: dict[int, Client] = {}
        """By thread, whom an admitted request waits for."""
        self._aborted: set[int] = set()
        """Those of the admitted whose clients were aborted."""
        self._queue: deque[QueueEntry] = deque()
        self._is_closed = False
        self._store_waits: dict[int, float] = {}
        """Since when, by time.monotonic: threads that wait for the store."""
        self._bounded_waits: dict[int, float] = {}
        """The same of those in a `bounded_wait`."""

    def is_in_store_wait(self, thread: int) -> bool:
        """Whether it waits for the store."""
        return thread in self._store_waits

    def admit(self, thread: int) -> None:
        """Before a wait for anything but the store. Raises UnavailableError."""
        if thread not in self._admitted:
            with self._lock:
                self._admit(thread)

    def begin_client_wait(self, thread: int, client: Client) -> None:
        """Before a wait for the request's own client. Raises UnavailableError."""
        self.admit(thread)
        with self._lock:
            self._client_waits[thread] = client

    def end_client_wait(self, thread: int) -> None:
        with self._lock:
            del self._client_waits[thread]

    def begin_store_wait(self, thread: int) -> QueueEntry | None:
        """Before a wait for the store. None where it may begin; else the entry in the queue that
        the thread is to `wait_in_queue` before. Raises UnavailableError."""
        if thread in self._admitted:
            self._store_waits[thread] = time.monotonic()
            return None
        with self._lock:
            is_full = bool(self._queue) or len(self._store_waits) >= self._limits.store
            if is_full and len(self._queue) >= self._limits.queue:
                self._refuse(thread, "too many requests wait for the store")
            self._admit(thread)
            if not is_full:
                self._store_waits[thread] = time.monotonic()
                return None
            entry = QueueEntry(thread)
            self._queue.append(entry)
            self._start_queued()  # one may have come back without having seen this one
            return entry

    def wait_in_queue(self, entry: QueueEntry) -> None:
        """Waits until its thread may ask the store. Raises UnavailableError where that takes too
        long."""
        entry.may_start.wait(QUEUE_SECONDS)
        with self._lock:
            if entry in self._queue:
                self._queue.remove(entry)
            if entry.thread not in self._store_waits:
                self._admitted.discard(entry.thread)
                self._refuse(entry.thread, "the store is too slow for as many as wait for it")

    def end_store_wait(self, thread: int) -> bool:
        """After a wait for the store; whether it has lasted for longer than STORE_GRACE_SECONDS."""
        since = self._store_waits.pop(thread)
        if self._queue:
            with self._lock:
                self._start_queued()
        return time.monotonic() - since >= STORE_GRACE_SECONDS

    def begin_bounded_wait(self, thread: int) -> None:
        """Before a `bounded_wait`."""
        self._bounded_waits[thread] = time.monotonic()

    def end_bounded_wait(self, thread: int) -> bool:
        """As `end_store_wait`."""
        return time.monotonic() - self._bounded_waits.pop(thread) >= STORE_GRACE_SECONDS

    def overdue(self) -> list[int]:
        """The threads that have been waiting for longer than STORE_GRACE_SECONDS."""
        now = time.monotonic()
        waits = {**self._store_waits.copy(), **self._bounded_waits.copy()}
        return [thread for thread, since in waits.items() if now - since >= STORE_GRACE_SECONDS]

    def end_request(self, thread: int) -> None:
        """After a request."""
        if thread in self._admitted or thread in self._refused:
            with self._lock:
                self._admitted.discard(thread)
                self._refused.discard(thread)
                self._aborted.discard(thread)

    def close(self) -> None:
        """From now on nobody is admitted, and the queue is sent away."""
        with self._lock:
            self._is_closed = True
            while self._queue:
                self._queue.popleft().may_start.set()

    def _admit(self, thread: int) -> None:
        if thread in self._refused or self._is_closed:
            self._refuse(thread, "so many requests wait that no other one may")
        is_full = len(self._admitted) - len(self._aborted) >= self._limits.requests
        if is_full and not self._abort_slowest():
            self._refuse(thread, "too many requests wait, for their clients or for the store")
        self._admitted.add(thread)

    def _abort_slowest(self) -> bool:
        """Whether there was a client to abort, so that its request ends."""
        if len(self._aborted) >= self._limits.aborted:
            return False
        speeds = {
            each: self._client_waits[each].speed
            for each in self._client_waits.keys() - self._aborted
        }
        slowest = min(speeds, key=speeds.__getitem__, default=None)
        if slowest is None or speeds[slowest] >= SLOW_BYTES_PER_SECOND:
            return False
        self._aborted.add(slowest)
        self._client_waits[slowest].abort()
        return True

    def _refuse(self, thread: int, reason: str) -> NoReturn:
        self._refused.add(thread)
        raise UnavailableError(reason)

    def _start_queued(self) -> None:
        """Lets those ask who have waited longest, as far as they may."""
        while self._queue and len(self._store_waits) < self._limits.store:
            entry = self._queue.popleft()
            self._store_waits[entry.thread] = time.monotonic()
            entry.may_start.set()
