"""The threads that serve connections.

cheroot's own pool wakes a thread for each request. Threads that compute at the same time fight
over the interpreter's lock, at each system call anew, which costs more than what they do; threads
that wait for a store or a client don't. So one thread *leads*: it serves one connection after
another, and who waits for something lets go of the lead first (`WorkerPool.let_go`). Where a leader
says nothing and yet takes long, another leads from then on.

A connection that was served while others can be read is put behind them, and looked at again when
its turn has come: the next request is there by then, as a rule, and nobody has to be told of it.
Where no other can be read, its thread stays with it for a moment: a client that asks one thing
after another is answered by one thread, without the selector, which costs as much as a request.

cheroot's pool also waits at its end for whatever its threads do. This one gives them a time, cuts
their connections, and then goes without them.

Owns the threads. Must not know HTTP.

Invariants: connections are served in the order in which they could be read; none waits longer than
PATIENCE for a leader while a thread is free; when `stop` has returned, no thread waits for a client
any more.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger("davbridge.http")

PATIENCE = 0.002
"""Seconds that one connection may take the leader. A request that asks no store takes a tenth."""

STAY = 0.01
"""Seconds that a thread waits for a client's next request: a round trip of a network that is near.
Half of the threads may, so that there are always some for others."""

UNWIND_SECONDS = 2.0
"""For a request to end after its connection was cut."""


class Connection(Protocol):
    """What the threads serve."""

    def has_request(self) -> bool:
        """Whether there is something to serve. Never waits."""
        ...

    def await_request(self, seconds: float) -> bool:
        """Whether there is something to serve within that time."""
        ...

    def communicate(self) -> bool:
        """Serves one request; whether the connection stays open."""
        ...

    def cut(self) -> None:
        """Makes what reads or writes in another thread fail at once."""
        ...

    def close(self) -> None: ...


class WorkerPool:
    """``size`` threads. ``park`` takes the connections that stay open and have nothing to read."""

    def __init__(self, size: int, park: Callable[[Connection], None]) -> None:
        self._park = park
        self._changed = threading.Condition(threading.Lock())
        # All of these are guarded by it:
        self._ready: deque[Connection] = deque()
        self._busy: dict[int, Connection] = {}
        """By thread."""
        self._leader: int | None = None
        self._turns = 0
        """How many connections leaders have taken up."""
        self._has_deputy = False
        """Whether a thread waits for the leader to take too long."""
        self._staying = 0
        """How many threads wait for a client's next request."""
        self._most_staying = size // 2
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"davbridge-{number}", daemon=True)
            for number in range(size)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, connection: Connection) -> None:
        """Has a connection served in its turn."""
        with self._changed:
            self._ready.append(connection)
            self._call()

    def let_go(self) -> None:
        """Called by a thread that serves a connection, and may have to wait for something."""
        if self._leader == threading.get_ident():
            with self._changed:
                self._leader = None
                self._call()

    def stop(self, seconds: float) -> None:
        """Lets what was put before end within ``seconds``, then cuts it."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._join(seconds)
        if any(thread.is_alive() for thread in self._threads):
            self._cut()
            self._join(UNWIND_SECONDS)
        left = sum(thread.is_alive() for thread in self._threads)
        if left:
            _log.warning("%d requests did not end in time, and were left behind", left)

    def _cut(self) -> None:
        with self._changed:
            while self._ready:
                self._ready.popleft().close()
            for connection in self._busy.values():
                connection.cut()
            self._changed.notify_all()

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        me = threading.get_ident()
        while (connection := self._take(me)) is not None:
            try:
                self._serve(connection)
            except BaseException:
                # A thread that dies is missing until the next start: not even SystemExit, which
                # an application may raise, ends it.
                _log.exception("a connection could not be served")

    def _take(self, me: int) -> Connection | None:
        """The next connection, for the leader; None at the end."""
        with self._changed:
            self._busy.pop(me, None)
            while True:
                if self._ready and self._leader in (None, me):
                    return self._lead(me)
                if self._leader == me:
                    self._leader = None
                if self._is_stopping and not self._ready:
                    self._changed.notify_all()  # who waits for a turn has waited in vain
                    return None
                if self._ready and not self._has_deputy:
                    self._stand_by()
                else:
                    self._changed.wait()

    def _lead(self, me: int) -> Connection:
        self._leader = me
        self._turns += 1
        connection = self._busy[me] = self._ready.popleft()
        self._call()
        return connection

    def _stand_by(self) -> None:
        """Waits for the leader's next turn, and deposes it where that takes too long."""
        turns, self._has_deputy = self._turns, True
        is_called = self._changed.wait(PATIENCE)
        self._has_deputy = False
        if not is_called and self._turns == turns:
            self._leader = None

    def _call(self) -> None:
        """Wakes a thread where one is needed: to lead, or to watch over the leader."""
        if self._ready and (self._leader is None or not self._has_deputy):
            self._changed.notify()

    def _serve(self, connection: Connection) -> None:
        is_open = False
        try:
            if not connection.has_request():
                self._park(connection)
                is_open = True
            elif connection.communicate():
                self._keep(connection)
                is_open = True
        finally:
            if not is_open:
                connection.close()

    def _keep(self, connection: Connection) -> None:
        """Has a connection that was served looked at again: by whom depends on what others do."""
        if self._may_stay() and self._stays_until_asked(connection):
            with self._changed:
                self._ready.append(connection)  # for this very thread, or a leader
        elif not self._queue(connection):
            self._park(connection)

    def _queue(self, connection: Connection) -> bool:
        """Puts it behind those that can be read, if there are any."""
        with self._changed:
            if self._ready:
                self._ready.append(connection)
            return bool(self._ready)

    def _may_stay(self) -> bool:
        with self._changed:
            if self._ready or self._is_stopping or self._staying >= self._most_staying:
                return False
            self._staying += 1
            return True

    def _stays_until_asked(self, connection: Connection) -> bool:
        self.let_go()
        try:
            return connection.await_request(STAY)
        finally:
            with self._changed:
                self._staying -= 1
