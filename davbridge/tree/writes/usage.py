"""How many bytes the mount holds: counted in the background, and cached for a while.

All keys below the mount's prefix count, davbridge's own too.

Invariants: reading the figure never waits for the store. At most one count runs at a time. Between
counts the figure follows this bridge's own writes, and never falls below 0.
"""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread

from davbridge.errors import StoreError
from davbridge.store.base import ObjectStore

RECOUNT_AFTER = 900.0
"""Seconds between counts: other programs write to the bucket as well."""

RETRY_AFTER = 60.0
"""Seconds after which a failed count is retried."""

_log = logging.getLogger(__name__)


class Usage:
    """The used bytes below a prefix."""

    def __init__(
        self,
        store: ObjectStore,
        prefix: str,
        timer: Callable[[], float],
        *,
        recount_after: float = RECOUNT_AFTER,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._timer = timer
        self._recount_after = recount_after
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self._used: int | None = None
        self._added_meanwhile = 0
        self._written = 0
        self._due = timer()

    def used_bytes(self) -> int | None:
        """The latest figure, or None before the first. Starts a count if one is due."""
        with self._lock:
            is_due = self._thread is None and self._timer() >= self._due
            if is_due and not self._stop.is_set():
                self._added_meanwhile = 0
                self._thread = Thread(target=self._run, name="davbridge-usage", daemon=True)
                self._thread.start()
            return self._used

    def add(self, difference: int) -> None:
        """Counts the bytes that a write of this bridge has added, or removed if negative."""
        with self._lock:
            self._written += difference
            self._added_meanwhile += difference
            if self._used is not None:
                self._used = max(0, self._used + difference)

    def written(self) -> int:
        """The bytes that this bridge has added: at least these are used."""
        with self._lock:
            return max(0, self._written)

    def close(self) -> None:
        """Stops a count in progress, and waits for it to stop."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        counted = None
        try:
            counted = self._count()
        except StoreError as error:
            _log.warning("the used bytes could not be counted: %s", error)
        finally:
            self._finish_count(counted)

    def _finish_count(self, counted: int | None) -> None:
        with self._lock:
            self._thread = None
            self._due = self._timer() + (RETRY_AFTER if counted is None else self._recount_after)
            if counted is not None:
                # The count may already include a write of that time: until the next count, the
                # figure is wrong by at most what was written meanwhile.
                self._used = max(0, counted + self._added_meanwhile)

    def _count(self) -> int | None:
        total = 0
        for page in self._store.list_objects(self._prefix):
            if self._stop.is_set():
                return None
            total += sum(row.size for row in page.rows)
        return total
