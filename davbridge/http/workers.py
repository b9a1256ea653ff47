"""The threads that serve connections.

cheroot's own pool wakes a thread for each request. Threads that compute at the same time fight
over the interpreter's lock, at each system call anew, which costs more than what they do; threads
that wait for a store or a client don't. So one thread *leads*: it serves one connection after
another, and who waits for something lets go of the lead first (`WorkerPool.release_leadership`). Where a leader
says nothing and yet takes long, another leads from then on.

A connection that was served while others can be read is put behind them, and looked at again when
its turn has come: the next request is there by then, as a rule, and nobody has to be told of it.
Where no other can be read, its thread stays with it for a moment: a client that asks one thing
after another is answered by one thread, without the selector, which costs as much as a request.

A thread that waits for a client, which may take hours, or for another client's upload to get on,
says so (`WorkerPool.other_wait`), and doesn't count: where a connection could be served, but all
threads are taken, another thread begins. So ``size`` is how many requests are worked on at a time,
whatever the number of those that only wait. Threads that are too many afterwards end.

A thread that waits for the store says so as well, but counts for a while (http.occupancy). Where
all threads are taken, and a connection could be served, a free one watches until some have waited
for too long.

cheroot's pool also waits at its end for whatever its threads do. This one gives them a time, aborts
their connections, and then goes without them.

Owns the threads. Must not know HTTP.

Invariants: connections are served in the order in which they could be read; none waits longer than
LEADER_SECONDS for a leader while a thread is free; none is taken up while ``size`` others are worked on;
however many wait, ``size`` threads are left for those that needn't; no more than ``size`` threads
are idle; when `stop` has returned, no thread waits for a client any more.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from math import inf
from typing import Protocol

from davbridge.http.admission import MAX_BOUNDED_WAITS, STORE_GRACE_SECONDS, Client, Limits
from davbridge.http.thread_states import ThreadStates
from davbridge.waiting import report_to

_log = logging.getLogger("davbridge.http")

LEADER_SECONDS = 0.002
"""Seconds that one connection may take the leader. A request that asks no store takes a tenth."""

KEEP_ALIVE_SECONDS = 0.01
"""Seconds that a thread waits for a client's next request: a round trip of a network that is near.
Half of the threads may, so that there are always some for others."""

MONITOR_SECONDS = STORE_GRACE_SECONDS / 4
"""Seconds between two looks for threads that have waited for too long."""

ABORT_SECONDS = 2.0
"""For a request to end after its connection was aborted."""

START_RETRY_SECONDS = 5.0
"""Seconds until another thread is tried for, once none more could be had."""


class ServedConnection(Protocol):
    """What the threads serve."""

    def has_request(self) -> bool:
        """Whether there is something to serve. Never waits."""
        ...

    def wait_for_request(self, seconds: float) -> bool:
        """Whether there is something to serve within that time."""
        ...

    def serve_request(self) -> bool:
        """Serves one request; whether the connection stays open."""
        ...

    def abort(self) -> None:
        """Makes what reads or writes in another thread fail at once."""
        ...

    def close(self) -> None: ...


class WorkerPool:
    """``size`` threads, and others where some wait, as many as ``limits`` allow. ``park`` takes the
    connections that stay open and have nothing to read."""

    def __init__(self, size: int, park: Callable[[ServedConnection], None], limits: Limits) -> None:
        self._size = size
        self._max_threads = (
            size + limits.requests + limits.aborted + MAX_BOUNDED_WAITS + 1
        )  # which watches
        self._park = park
        self._changed = threading.Condition(threading.Lock())
        # All of these are guarded by it:
        self._ready: deque[ServedConnection] = deque()
        self._states: ThreadStates[ServedConnection] = ThreadStates(
            self._changed, limits, self._has_begun_to_wait
        )
        self._leader: int | None = None
        self._taken = 0
        """How many connections leaders have taken up."""
        self._has_follower = False
        """Whether a thread waits for the leader to take too long."""
        self._has_monitor = False
        """Whether a thread looks for others that have waited for too long."""
        self._next_waits = 0
        """How many threads wait for a client's next request."""
        self._max_next_waits = size // 2
        self._is_stopping = False
        self._threads: set[threading.Thread] = set()
        self._numbers = count()
        self._next_start_at = inf
        """By time.monotonic: until then, no thread begins."""

    def start(self) -> None:
        with self._changed:
            self._next_start_at = 0.0
            for _ in range(self._size):
                self._start_thread()

    def put(self, connection: ServedConnection) -> None:
        """Has a connection served in its turn."""
        with self._changed:
            self._ready.append(connection)
            self._ensure_worker()

    def ensure_worker(self) -> None:
        """Called now and then: a thread that couldn't be had before is tried for again."""
        with self._changed:
            self._ensure_worker()

    def release_leadership(self) -> None:
        """Called by a thread that serves a connection, and may have to wait for something."""
        if self._leader == threading.get_ident():
            with self._changed:
                self._leader = None
                self._ensure_worker()

    def other_wait(self) -> AbstractContextManager[None]:
        """While a thread that serves a connection waits for others: another may work instead.
        Raises UnavailableError where too many wait."""
        return self._states.other_wait()

    def client_wait(self, client: Client) -> AbstractContextManager[None]:
        """The same while it waits for its client, which is aborted where it is slow and too many
        wait."""
        return self._states.client_wait(client)

    def _has_begun_to_wait(self, thread: int) -> None:
        if self._leader == thread:
            self._leader = None
        self._ensure_worker()

    def stop(self, seconds: float) -> None:
        """Lets what was put before end within ``seconds``, then aborts it."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._join(seconds)
        if self._alive():
            self._abort_all()
            self._join(ABORT_SECONDS)
        if left := len(self._alive()):
            _log.warning("%d requests did not end in time, and were left behind", left)

    def _abort_all(self) -> None:
        with self._changed:
            self._states.close()
            while self._ready:
                self._ready.popleft().close()
            for connection in self._states.all:
                connection.abort()
            self._changed.notify_all()

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        # Again and again, as others may begin as long as there is something to serve.
        while (alive := self._alive()) and time.monotonic() < deadline:
            for thread in alive:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _alive(self) -> list[threading.Thread]:
        with self._changed:
            return [thread for thread in self._threads if thread.is_alive()]

    def _work(self) -> None:
        me = threading.get_ident()
        report_to(self._states)
        while (connection := self._next_connection(me)) is not None:
            try:
                self._serve(connection)
            except BaseException:
                # A thread that dies is missing until the next start: not even SystemExit, which
                # an application may raise, ends it.
                _log.exception("a connection could not be served")

    def _next_connection(self, me: int) -> ServedConnection | None:
        """The next connection, for the leader; None at the end."""
        with self._changed:
            self._states.end(me)
            while True:
                if self._is_saturated:
                    self._states.count_overdue_as_waiting()
                is_wanted = self._ready and not self._is_saturated
                if is_wanted and self._leader in (None, me):
                    return self._lead(me)
                if self._leader == me:
                    self._leader = None
                if self._is_stopping and not self._ready:
                    self._changed.notify_all()  # who waits for a turn has waited in vain
                    return None
                if is_wanted and not self._has_follower:
                    self._follow()
                elif self._is_saturated and not self._has_monitor:
                    self._monitor()
                elif self._idle > self._size and not self._is_stopping:
                    self._threads.discard(threading.current_thread())
                    return None
                else:
                    self._changed.wait()

    def _lead(self, me: int) -> ServedConnection:
        self._leader = me
        self._taken += 1
        connection = self._ready.popleft()
        self._states.begin(me, connection)
        self._ensure_worker()
        return connection

    def _follow(self) -> None:
        """Waits for the leader's next turn, and deposes it where that takes too long."""
        taken, self._has_follower = self._taken, True
        is_woken = self._changed.wait(LEADER_SECONDS)
        self._has_follower = False
        if not is_woken and self._taken == taken:
            self._leader = None

    @property
    def _is_saturated(self) -> bool:
        """Whether there is something to serve, and as many are worked on as may be."""
        return bool(self._ready) and self._states.working >= self._size

    def _monitor(self) -> None:
        """Waits until some may have waited for too long."""
        self._has_monitor = True
        self._changed.wait(MONITOR_SECONDS)
        self._has_monitor = False

    def _ensure_worker(self) -> None:
        """Wakes a thread, or makes one, where one is needed: to lead, to watch over the leader, or
        over those that wait."""
        if not self._ready or (self._has_follower and self._leader is not None):
            return
        if self._is_saturated and self._has_monitor:
            return
        if self._idle > 0:
            self._changed.notify()
        else:
            self._start_thread()

    @property
    def _idle(self) -> int:
        """How many threads serve nobody."""
        return len(self._threads) - self._states.working - self._states.waiting

    def _start_thread(self) -> None:
        if time.monotonic() < self._next_start_at:
            return
        thread = threading.Thread(
            target=self._work, name=f"davbridge-{next(self._numbers)}", daemon=True
        )
        try:
            if len(self._threads) == self._max_threads:
                raise RuntimeError(f"{self._max_threads} wait for clients, or for the store")
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._next_start_at = time.monotonic() + START_RETRY_SECONDS
            _log.warning("there are requests that no thread serves: %s", error)
        else:
            self._threads.add(thread)

    def _serve(self, connection: ServedConnection) -> None:
        is_open = False
        try:
            if not connection.has_request():
                self._park(connection)
                is_open = True
            elif connection.serve_request():
                self._requeue(connection)
                is_open = True
        finally:
            if not is_open:
                connection.close()

    def _requeue(self, connection: ServedConnection) -> None:
        """Has a connection that was served looked at again: by whom depends on what others do."""
        if self._may_wait_for_next() and self._wait_for_next(connection):
            with self._changed:
                self._ready.append(connection)  # for this very thread, or a leader
        elif not self._queue_behind_others(connection):
            self._park(connection)

    def _queue_behind_others(self, connection: ServedConnection) -> bool:
        """Puts it behind those that can be read, if there are any."""
        with self._changed:
            if self._ready:
                self._ready.append(connection)
            return bool(self._ready)

    def _may_wait_for_next(self) -> bool:
        with self._changed:
            if self._ready or self._is_stopping or self._next_waits >= self._max_next_waits:
                return False
            self._next_waits += 1
            return True

    def _wait_for_next(self, connection: ServedConnection) -> bool:
        self.release_leadership()
        try:
            return connection.wait_for_request(KEEP_ALIVE_SECONDS)
        finally:
            with self._changed:
                self._next_waits -= 1
