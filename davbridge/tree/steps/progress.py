"""The running operations: how far each one is, and whether it may continue.

Counts them, writes their progress to the log, and renews their leases. A metrics page may read
`RunningOperations.counts` at any time.

Invariants: nothing is counted twice. An operation whose lease is lost does nothing more. However an
operation ends, it isn't listed afterwards.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import NamedTuple

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import JournalEntry, OperationRequest
from davbridge.tree.journal.lease import Lease
from davbridge.tree.journal.lease_monitor import RENEWAL_SECONDS
from davbridge.waiting import store_wait

_log = logging.getLogger(__name__)


class OperationCounts(NamedTuple):
    """Of all COPYs, MOVEs and DELETEs since the start."""

    started: int = 0
    ended: int = 0
    resumed: int = 0
    """Of those that were started: journals of a bridge that had died."""
    steps: int = 0
    """Objects copied or deleted."""


class RunningOperation:
    """One operation. A step is one object that is copied or deleted."""

    def __init__(
        self,
        running_operations: "RunningOperations",
        request: OperationRequest,
        total: int,
        lease: Lease | None,
    ) -> None:
        self.total = total
        self.done = 0
        self.lease = lease
        self.is_incomplete = lease is not None and lease.was_incomplete
        """Whether a part of a MOVE's source is left, and the rest has been moved. After an earlier
        incomplete MOVE, this stays true until all of the source is moved."""
        self.was_incomplete = self.is_incomplete
        self.is_abandoned = False
        """Whether the journal stays for another bridge to resume, though the client has an
        answer."""
        self.is_undone = False
        """Whether its journal says that it is undone."""
        self._running_operations = running_operations
        self._request = request
        self._lock = Lock()
        self._is_over = Event()
        self._renewing = Thread(target=self._renew_until_over, name="davbridge-lease", daemon=True)
        if lease is not None:
            self._renewing.start()

    def __str__(self) -> str:
        return f"{self._request}: {self.done:,} of {self.total:,} steps"

    def advance(self, steps: int = 1) -> None:
        """Counts steps that are done."""
        with self._lock:
            self.done += steps
        self._running_operations.count(steps=steps)

    @contextmanager
    def under_lease(self) -> Iterator[None]:
        """The context of requests to the store: none of them has an effect once another bridge may
        have taken over, however late it arrives. Raises UnavailableError if the lease is lost
        already."""
        if self.lease is None:
            yield
            return
        self.lease.require()
        with self.lease.bounded():
            yield

    def renew(self) -> None:
        """Renews the lease, if there is one. This also happens in the background, in time."""
        if self.lease is None:
            return
        try:
            self.lease.renew(self.done, self.total)
        except PreconditionFailedError:
            _log.warning("%s: another bridge has taken it over", self)
        except StoreError as error:
            _log.warning("%s: the lease could not be renewed: %s", self, error)

    def begin_undo(self, entry: JournalEntry, created: Iterable[ObjectRow]) -> bool:
        """Call this before anything that was ``created`` is deleted again. Returns whether it may
        be deleted. If the journal can't be marked, a bridge that resumes it finishes the MOVE, and
        needs what was created."""
        if self.lease is None:
            return True
        self.renew()
        try:
            self.lease.begin_undo(entry, created)
        except StoreError as error:
            _log.warning("%s has failed, and is not undone here: %s", self._request, error)
            self.is_abandoned = True
            return False
        self.is_undone = True
        """Whether the journal says that the MOVE is undone."""
        return True

    def end(self, *, is_answered: bool) -> None:
        """``is_answered``: the client gets the outcome. Otherwise the journal stays, to be
        resumed."""
        if self.lease is None:
            return
        self._is_over.set()
        with store_wait():  # Else it might write a lease again that the journal's end deletes.
            self._renewing.join()
        if is_answered and not self.is_abandoned:
            self.lease.end(is_incomplete=self.is_incomplete and self._request.verb == "MOVE")
        else:
            self.lease.abandon()

    def _renew_until_over(self) -> None:
        while not self._is_over.wait(RENEWAL_SECONDS):
            _log.info("%s", self)
            self.renew()


class RunningOperations:
    """Of one bridge."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._current: list[RunningOperation] = []
        self._started = self._ended = self._resumed = self._steps = 0

    @property
    def counts(self) -> OperationCounts:
        with self._lock:
            return OperationCounts(self._started, self._ended, self._resumed, self._steps)

    def current(self) -> list[RunningOperation]:
        with self._lock:
            return list(self._current)

    @contextmanager
    def tracked(
        self,
        request: OperationRequest,
        total: int,
        lease: Lease | None = None,
        *,
        is_resumed: bool = False,
    ) -> Iterator[RunningOperation]:
        """The context of an operation of ``total`` steps. Renews the ``lease``, if there is one.

        The journal is deleted at the end, also if a StoreError is raised. That of a resumed
        operation then stays for another try.
        """
        running = RunningOperation(self, request, total, lease)
        with self._lock:
            self._current.append(running)
        self.count(started=1, resumed=int(is_resumed))
        is_answered = False
        try:
            yield running
            is_answered = True
        except StoreError:
            is_answered = not is_resumed
            raise
        finally:
            running.end(is_answered=is_answered)
            with self._lock:
                self._current.remove(running)
            self.count(ended=1)

    def count(self, *, started: int = 0, ended: int = 0, resumed: int = 0, steps: int = 0) -> None:
        with self._lock:
            self._started += started
            self._ended += ended
            self._resumed += resumed
            self._steps += steps
