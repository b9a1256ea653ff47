"""The worker pool: which thread serves which connection, and when.

**Leader and followers.** Python threads that compute at the same time compete for the GIL at every
system call, which costs more than a small request. Threads that wait for the store or a client
don't. So one thread is the *leader*, and serves one ready connection after another. Before it may
have to wait, it releases leadership (`WorkerPool.release_leadership`), and a follower becomes the
leader. A follower also takes over if the leader serves one connection for LEADER_SECONDS. While
more than half of the threads work, any idle thread may take a connection. With a leader, small
requests are slower then, as paired runs have shown (tests/bench/README.md).

**The next request of a connection.** While other connections are ready, a connection that was
served is queued behind them. Its next request has usually arrived when the connection is served
again, without the selector. If no other is ready, the thread waits for the next request for
KEEP_ALIVE_SECONDS. The selector would cost as much as a request.

**Threads that wait don't count.** A thread that waits for a client (`client_wait`), or for another
request (`davbridge.waiting.queue_wait`), says so. If a connection is ready and all threads are
taken, another thread is started. So ``size`` requests are worked on at a time, however many wait.
Surplus threads end. A wait for the store (`store_wait`) counts as work at first. While all threads
are taken and a connection is ready, an idle thread monitors those waits (see `thread_states`).

**Stop.** cheroot's own pool waits for its threads without a limit. This one waits for a limited
time, then aborts their connections, and then returns without them.

Invariants:
- Connections are served in the order in which they became ready. None waits longer than
  LEADER_SECONDS for the leader while a thread is idle.
- At most ``size`` requests are worked on at a time. However many wait, ``size`` threads are left
  for requests that don't. At most ``size`` threads are idle.
- When `stop` has returned, no thread waits for a client.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from davbridge.http.workers.admission import MAX_BOUNDED_WAITS, STORE_GRACE_SECONDS, Client, Limits
from davbridge.http.workers.thread_states import ThreadStates
from davbridge.http.workers.threads import WorkerThreads
from davbridge.waiting import set_observer

_log = logging.getLogger("davbridge.http")

LEADER_SECONDS = 0.002
"""A request that doesn't need the store takes a tenth of this."""

KEEP_ALIVE_SECONDS = 0.01
"""A round trip of a near network. Half of the threads may wait like this at a time."""

MONITOR_SECONDS = STORE_GRACE_SECONDS / 4
"""Between two checks for waits that count no longer as work."""

ABORT_SECONDS = 2.0
"""For a request to end after its connection was aborted."""


class ServedConnection(Protocol):
    """A connection, as the pool needs it."""

    def has_request(self) -> bool:
        """Whether there is something to serve. Never waits."""
        ...

    def wait_for_request(self, seconds: float) -> bool:
        """Whether there is something to serve within ``seconds``."""
        ...

    def serve_request(self) -> bool:
        """Serves one request. Returns whether the connection stays open."""
        ...

    def abort(self) -> None:
        """Disconnects, so that reading or writing in another thread fails at once."""
        ...

    def close(self) -> None: ...


class WorkerPool:
    """``size`` threads, and more while some wait, up to ``limits``. ``park`` takes a connection
    that stays open and has nothing to read."""

    def __init__(self, size: int, park: Callable[[ServedConnection], None], limits: Limits) -> None:
        self._size = size
        self._park = park
        self._changed = threading.Condition(threading.Lock())
        # This lock guards all of the following.
        self._ready: deque[ServedConnection] = deque()
        self._states: ThreadStates[ServedConnection] = ThreadStates(
            self._changed, limits, self._has_begun_to_wait
        )
        self._leader: int | None = None
        self._taken = 0
        """How many connections leaders have taken, so far."""
        self._has_follower = False
        """Whether a thread waits for the leader to exceed LEADER_SECONDS."""
        self._has_monitor = False
        """Whether a thread monitors the waits for the store."""
        self._next_waits = 0
        """How many threads wait for the next request of a connection."""
        self._max_next_waits = size // 2
        self._is_stopping = False
        waiting = limits.requests + limits.aborted + MAX_BOUNDED_WAITS
        monitor = 1
        self._threads = WorkerThreads(self._work, size + waiting + monitor, self._changed)

    def start(self) -> None:
        with self._changed:
            self._threads.allow_starts()
            for _ in range(self._size):
                self._threads.start()

    def put(self, connection: ServedConnection) -> None:
        """Queues a connection that is ready."""
        with self._changed:
            self._ready.append(connection)
            self._ensure_worker()

    def ensure_worker(self) -> None:
        """Called twice a second, to start a thread that could not be had before."""
        with self._changed:
            self._ensure_worker()

    def release_leadership(self) -> None:
        """Called by a thread before it may have to wait, or compute for long."""
        if self._leader == threading.get_ident():
            with self._changed:
                self._leader = None
                self._ensure_worker()

    def client_wait(self, client: Client) -> AbstractContextManager[None]:
        """The context in which a thread waits for its client. The client may be disconnected, if
        it is slow and too many wait. Raises UnavailableError."""
        return self._states.client_wait(client)

    def _has_begun_to_wait(self, thread: int) -> None:
        if self._leader == thread:
            self._leader = None
        self._ensure_worker()

    def stop(self, seconds: float) -> None:
        """Serves what is queued, for ``seconds`` at most. Then aborts all connections."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._threads.join(seconds)
        if self._threads.alive():
            self._abort_all()
            self._threads.join(ABORT_SECONDS)
        if left := len(self._threads.alive()):
            _log.warning("%d requests did not end in time, and were left behind", left)

    def _abort_all(self) -> None:
        with self._changed:
            self._states.close()
            while self._ready:
                self._ready.popleft().close()
            for connection in self._states.all:
                connection.abort()
            self._changed.notify_all()

    def _work(self) -> None:
        me = threading.get_ident()
        set_observer(self._states)
        while (connection := self._next_connection(me)) is not None:
            try:
                self._serve(connection)
            except BaseException:
                # A thread that died would be missing until the next start. So nothing ends it, not
                # even a SystemExit of the application.
                _log.exception("a connection could not be served")

    def _next_connection(self, me: int) -> ServedConnection | None:
        """The next connection to serve; None when the thread is to end."""
        with self._changed:
            self._states.end(me)
            while True:
                if self._is_saturated:
                    self._states.count_overdue_as_waiting()
                is_wanted = self._ready and not self._is_saturated
                if is_wanted and (self._leader == me or not self._has_leader):
                    return self._lead(me)
                if self._leader == me:
                    self._leader = None
                if self._is_stopping and not self._ready:
                    self._changed.notify_all()  # the other threads are to end as well
                    return None
                if is_wanted and not self._has_follower:
                    self._follow()
                elif self._is_saturated and not self._has_monitor:
                    self._monitor()
                elif self._idle > self._size and not self._is_stopping:
                    self._threads.discard_current()
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
        """Waits until the leader takes another connection. Deposes it after LEADER_SECONDS."""
        taken, self._has_follower = self._taken, True
        is_woken = self._changed.wait(LEADER_SECONDS)
        self._has_follower = False
        if not is_woken and self._taken == taken:
            self._leader = None

    @property
    def _has_leader(self) -> bool:
        """Whether only the leader may take connections."""
        return self._leader is not None and self._states.working <= self._size // 2

    @property
    def _is_saturated(self) -> bool:
        """Whether a connection is ready, and ``size`` others are worked on."""
        return bool(self._ready) and self._states.working >= self._size

    def _monitor(self) -> None:
        """Waits until some wait for the store may count no longer as work."""
        self._has_monitor = True
        self._changed.wait(MONITOR_SECONDS)
        self._has_monitor = False

    def _ensure_worker(self) -> None:
        """Wakes or starts a thread, if one is needed as a leader, a follower or a monitor."""
        if not self._ready or (self._has_follower and self._has_leader):
            return
        if self._is_saturated and self._has_monitor:
            return
        if self._idle > 0:
            self._changed.notify()
        else:
            self._threads.start()

    @property
    def _idle(self) -> int:
        """How many threads serve no connection."""
        return len(self._threads) - self._states.working - self._states.waiting

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
        """Waits for the next request of a connection that was served, or queues or parks it."""
        if self._may_wait_for_next() and self._wait_for_next(connection):
            with self._changed:
                self._ready.append(connection)  # for this thread, or another leader
        elif not self._queue_behind_others(connection):
            self._park(connection)

    def _queue_behind_others(self, connection: ServedConnection) -> bool:
        """Queues the connection if others are ready. Returns whether it did."""
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
