"""The threads of a worker pool: starts them, counts them, and waits for their end.

Invariants: there are never more than ``limit`` threads. If the system has no more, a start fails
with a warning, and the next one is tried after START_RETRY_SECONDS.
"""

import logging
import threading
import time
from collections.abc import Callable
from itertools import count
from math import inf

START_RETRY_SECONDS = 5.0

_log = logging.getLogger("davbridge.http")


class WorkerThreads:
    """Daemon threads that run ``work``. All methods but `alive` and `join` are called under
    ``lock``."""

    def __init__(self, work: Callable[[], None], limit: int, lock: threading.Condition) -> None:
        self._work = work
        self._limit = limit
        self._lock = lock
        self._threads: set[threading.Thread] = set()
        self._numbers = count()
        self._next_start_at = inf

    def __len__(self) -> int:
        return len(self._threads)

    def allow_starts(self) -> None:
        """From now on `start` starts threads. Until then, it does nothing."""
        self._next_start_at = 0.0

    def start(self) -> None:
        """Starts a thread, if one can be had."""
        if time.monotonic() < self._next_start_at:
            return
        thread = threading.Thread(
            target=self._work, name=f"davbridge-{next(self._numbers)}", daemon=True
        )
        try:
            if len(self._threads) == self._limit:
                raise RuntimeError(f"{self._limit} wait for clients, or for the store")
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._next_start_at = time.monotonic() + START_RETRY_SECONDS
            _log.warning("there are requests that no thread serves: %s", error)
        else:
            self._threads.add(thread)

    def discard_current(self) -> None:
        """Called by a thread that is about to end, as it isn't needed any more."""
        self._threads.discard(threading.current_thread())

    def alive(self) -> list[threading.Thread]:
        with self._lock:
            return [thread for thread in self._threads if thread.is_alive()]

    def join(self, seconds: float) -> None:
        """Waits until all threads have ended, for ``seconds`` at most."""
        deadline = time.monotonic() + seconds
        # In a loop, because threads may be started as long as there is something to serve.
        while (alive := self.alive()) and time.monotonic() < deadline:
            for thread in alive:
                thread.join(max(0.0, deadline - time.monotonic()))
