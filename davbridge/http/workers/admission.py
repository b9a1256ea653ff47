"""Admission control: how many requests may wait, and for what.

A request that waits keeps its thread, and often a connection to the store. Without a limit, a store
that hangs would take all threads, and requests that don't need the store could not be served. So a
request is *admitted* when it waits for the first time, and stays admitted until it ends: a request
that has begun a change is never refused. A request that can't be admitted is refused at once, with
UnavailableError.

Slow clients could use up the limit for as long as they like. So when another request needs to be
admitted, the slowest of the clients that are waited for is disconnected.

Invariants:
- At most ``limits.requests`` requests are admitted, and in addition ``limits.aborted`` that are
  about to end because their clients were disconnected.
- No client is disconnected that moves SLOW_BYTES_PER_SECOND or more.
- No request begins to wait for the store while ``limits.store`` others do. Up to ``limits.queue``
  requests wait for their turn, first come, first served, for at most QUEUE_SECONDS.
"""

import threading
import time
from collections import deque
from typing import NamedTuple, NoReturn, Protocol

from davbridge.errors import UnavailableError

STORE_GRACE_SECONDS = 0.1
"""A thread that waits for the store counts as working for this long. A healthy store answers within
it, so it gets no more requests at a time than the pool has threads."""

QUEUE_SECONDS = 10.0

STORE_WAITS_PER_THREAD = 4
"""Requests that may wait for the store, per thread of the pool. If the store hangs, that many are
waiting after as many STORE_GRACE_SECONDS. From then on, requests that need no store are served as
usual."""

SLOW_BYTES_PER_SECOND = 64 * 1024
"""A slower client may be disconnected if too many requests wait."""

MAX_BOUNDED_WAITS = 40
"""Threads that may be in a `bounded_wait`: more than access.logins lets wait."""


class Client(Protocol):
    """The client of a request, while the request waits for it."""

    @property
    def speed(self) -> float:
        """Bytes per second."""
        ...

    def abort(self) -> None:
        """Disconnects the client, so that the thread that waits for it fails at once."""
        ...


class Limits(NamedTuple):
    """Maximum numbers of requests."""

    requests: int
    """Admitted."""
    store: int
    """Waiting for the store."""
    queue: int
    """Queued until fewer wait for the store."""

    @property
    def aborted(self) -> int:
        """About to end, because their clients were disconnected."""
        return max(1, self.store // 2)

    @classmethod
    def of(cls, threads: int, max_idle: int) -> "Limits":
        """Half of ``max_idle`` may wait for their clients and for each other, with two file
        descriptors each. In addition, up to a quarter of it may wait for the store."""
        store = min(STORE_WAITS_PER_THREAD * threads, max(threads, max_idle // 4))
        return cls(max_idle // 2 + store, store, max_idle // 4)


class QueueEntry:
    """A thread in the queue for the store."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.may_start = threading.Event()


class Admission:
    """Which requests may wait. A request is identified by its thread's ident. Thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        # The lock guards these.
        self._admitted: set[int] = set()
        self._refused: set[int] = set()
        """Their requests were refused once, and every later wait of the same request is refused."""
        self._client_waits: dict[int, Client] = {}
        """The clients that admitted requests wait for, by thread."""
        self._aborted: set[int] = set()
        """Admitted requests whose clients were disconnected."""
        self._queue: deque[QueueEntry] = deque()
        self._is_closed = False
        self._store_waits: dict[int, float] = {}
        """The threads that wait for the store, with the time.monotonic of the beginning. Changed
        without the lock by the thread itself, and under it for a thread in the queue."""
        self._bounded_waits: dict[int, float] = {}
        """The same for threads in a `bounded_wait`. Each thread changes its own entry only."""

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
        """Before a wait for the store. Returns None if it may begin, or the queue entry with which
        the thread must call `wait_in_queue` first. Raises UnavailableError."""
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
            self._start_queued()  # a wait may have ended before this entry was queued
            return entry

    def wait_in_queue(self, entry: QueueEntry) -> None:
        """Waits until the thread may ask the store. Raises UnavailableError after QUEUE_SECONDS."""
        entry.may_start.wait(QUEUE_SECONDS)
        with self._lock:
            if entry in self._queue:
                self._queue.remove(entry)
            if entry.thread not in self._store_waits:
                self._admitted.discard(entry.thread)
                self._refuse(entry.thread, "the store is too slow for as many as wait for it")

    def end_store_wait(self, thread: int) -> bool:
        """After a wait for the store. Returns whether it lasted STORE_GRACE_SECONDS or longer."""
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
        """The threads that have been waiting for the store, or in a `bounded_wait`, for
        STORE_GRACE_SECONDS or longer."""
        now = time.monotonic()
        waits = {**self._store_waits.copy(), **self._bounded_waits.copy()}
        return [thread for thread, since in waits.items() if now - since >= STORE_GRACE_SECONDS]

    def end_request(self, thread: int) -> None:
        """Called when the thread's request has ended."""
        if thread in self._admitted or thread in self._refused:
            with self._lock:
                self._admitted.discard(thread)
                self._refused.discard(thread)
                self._aborted.discard(thread)

    def close(self) -> None:
        """Refuses all queued requests, and all that are not yet admitted."""
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
        """Disconnects the slowest client, if one is slow enough; returns whether it did."""
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
        """Lets queued threads ask the store, in their order, as far as the limit allows."""
        while self._queue and len(self._store_waits) < self._limits.store:
            entry = self._queue.popleft()
            self._store_waits[entry.thread] = time.monotonic()
            entry.may_start.set()
