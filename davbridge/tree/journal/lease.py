"""A lease on a journal, while this bridge carries out its operation.

Invariants:
- A bridge that couldn't renew its lease stops for good, some seconds before another one may take
  the journal over: by then, its requests to the store have ended.
- The holder changes and deletes only its own versions of the journal and the lease. None of its
  requests has an effect after the end of the lease.
"""

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from threading import Lock

from davbridge.deadline import before
from davbridge.errors import PreconditionFailedError, StoreError, UnavailableError
from davbridge.store.base import Condition, ObjectRow
from davbridge.tree.journal.entry import INCOMPLETE, LEASE, PLAN, JournalEntry, OperationRequest
from davbridge.tree.journal.lease_monitor import HELD_SECONDS, LeaseMonitor, Versions
from davbridge.tree.journal.objects import JournalObjects
from davbridge.waiting import store_wait

_log = logging.getLogger(__name__)


class Lease:
    """The lease on one journal."""

    def __init__(
        self,
        objects: JournalObjects,
        monitor: LeaseMonitor,
        request: OperationRequest,
        *,
        since: float,
        plan: ObjectRow,
        lease: ObjectRow | None = None,
        was_incomplete: bool = False,
    ) -> None:
        """``since``: when this bridge sent the request for it; ``plan``: the row of the journal;
        ``lease``: that of the lease object, which is written at the first renewal;
        ``was_incomplete``: as `Journals.begin`."""
        self.name = request.name
        self.was_incomplete = was_incomplete
        """Whether an earlier MOVE has a record that it left something."""
        self._objects = objects
        self._monitor = monitor
        self._request = request
        self._plan = plan
        self._lease = lease
        self._beats = 0
        self._renewed_at = since
        self._renewing = Lock()
        self._is_lost = False

    @property
    def is_lost(self) -> bool:
        """Whether another bridge may work on the journal at present."""
        return self._is_lost or self._monitor.timer() > self._held_until()

    def bounded(self) -> AbstractContextManager[None]:
        """The context of requests to the store: none of them has an effect once another bridge may
        have taken over."""
        return before(self._held_until, self._monitor.timer)

    def _held_until(self) -> float:
        return self._renewed_at + HELD_SECONDS

    def require(self) -> None:
        """Raises UnavailableError if the lease is lost."""
        if self.is_lost:
            raise UnavailableError(f"{self._request}: the lease is lost; another bridge resumes it")

    def renew(self, done: int, total: int) -> None:
        """Rewrites the lease object. Raises StoreError; PreconditionFailedError if the lease is
        lost."""
        with store_wait(), self._renewing:
            self._renew(done, total)

    def _renew(self, done: int, total: int) -> None:
        if self.is_lost:
            # Another bridge may have ended it: then the store wouldn't refuse this renewal.
            self._is_lost = True
            raise PreconditionFailedError(f"{self._request}: the lease is lost")
        began_at = self._monitor.timer()
        self._beats += 1
        body = {
            "beat": self._beats,
            "request": str(self._request),
            "done": done,
            "total": total,
        }
        try:
            with self.bounded():
                self._lease = self._objects.write_lease(self.name, body, self._lease)
        except PreconditionFailedError:
            self._is_lost = True
            raise
        self._renewed_at = began_at

    def begin_undo(self, entry: JournalEntry, created: Iterable[ObjectRow]) -> None:
        """Marks the journal: its MOVE is undone, which deletes what it has ``created``. From then
        on no bridge finishes it. Raises StoreError: then the caller must not undo anything."""
        with self._renewing, self.bounded():
            self.require()
            undo = entry._replace(undo=tuple(created))
            self._plan = self._objects.write_plan(undo, Condition(if_match=self._plan.etag))

    def abandon(self) -> None:
        """Gives up the lease, and leaves the journal to whichever bridge resumes it."""
        abandoned_as = None
        if not self.is_lost:
            abandoned_as = Versions(self._plan.etag, self._lease and self._lease.etag)
        self._monitor.release(self.name, abandoned_as)

    def end(self, *, is_incomplete: bool = False) -> None:
        """Deletes the journal, and the record of an earlier MOVE. ``is_incomplete``: a part of a
        MOVE's source is left, which is recorded."""
        if self.is_lost:
            self.abandon()
            return
        try:
            with self.bounded():
                self._end(is_incomplete=is_incomplete)
        except StoreError as error:
            # A bridge that resumes it finds nothing to do, or only what couldn't be done.
            _log.warning("%s has ended, but its journal is left: %s", self._request, error)
        self._monitor.release(self.name)

    def _end(self, *, is_incomplete: bool) -> None:
        if is_incomplete:
            self._objects.record_incomplete(self._request)
        ends = [PLAN]
        if self._lease:
            ends.append(LEASE)
        if self.was_incomplete and not is_incomplete:
            ends.append(INCOMPLETE)
        self._objects.delete(self.name, *ends, own=(self._plan, self._lease))
