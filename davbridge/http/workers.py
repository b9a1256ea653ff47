"""The threads that serve connections.

cheroot's own pool waits at its end for whatever its threads do. This one gives them a time, cuts
their connections, and then goes without them.

Owns the threads. Must not know HTTP.

Invariant: when `stop` has returned, no thread waits for a client any more.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger("davbridge.http")

UNWIND_SECONDS = 2.0
"""For a request to end after its connection was cut."""


class Connection(Protocol):
    """What the threads serve."""

    def communicate(self) -> bool:
        """Serves one request; whether the connection stays open."""
        ...

    def cut(self) -> None:
        """Makes what reads or writes in another thread fail at once."""
        ...

    def close(self) -> None: ...


class WorkerPool:
    """``size`` threads. ``park`` takes the connections that stay open."""

    def __init__(self, size: int, park: Callable[[Connection], None]) -> None:
        self._queue: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._park = park
        self._busy: set[Connection] = set()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"davbridge-{number}", daemon=True)
            for number in range(size)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, connection: Connection) -> None:
        """Has a connection served as soon as a thread is free."""
        self._queue.put(connection)

    def stop(self, seconds: float) -> None:
        """Lets what was put before end within ``seconds``, then cuts it."""
        for _ in self._threads:
            self._queue.put(None)
        self._join(seconds)
        if any(thread.is_alive() for thread in self._threads):
            self._cut()
            self._join(UNWIND_SECONDS)
        left = sum(thread.is_alive() for thread in self._threads)
        if left:
            _log.warning("%d requests did not end in time, and were left behind", left)

    def _cut(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                if (waiting := self._queue.get_nowait()) is not None:
                    waiting.close()
        for _ in self._threads:
            self._queue.put(None)
        with self._lock:
            for connection in self._busy:
                connection.cut()

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (connection := self._queue.get()) is not None:
            with self._lock:
                self._busy.add(connection)
            try:
                self._serve(connection)
            except BaseException:
                # A thread that dies is missing until the next start: not even SystemExit, which
                # an application may raise, ends it.
                _log.exception("a connection could not be served")
            finally:
                with self._lock:
                    self._busy.discard(connection)

    def _serve(self, connection: Connection) -> None:
        is_parked = False
        try:
            if connection.communicate():
                self._park(connection)
                is_parked = True
        finally:
            if not is_parked:
                connection.close()
