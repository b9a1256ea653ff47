"""Operations under way: how far each is, and whether it may go on.

Owns the counts, what the log is told of them, and the renewal of leases. Must not know what is
done. A metrics page may read `RunningOperations.tally` at any time.

Invariants: nothing is counted twice; a work whose lease is lost does nothing more; however a work
ends, it isn't under way afterwards.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import NamedTuple

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import JournalEntry, OperationRequest
from davbridge.tree.journal.journals import Lease
from davbridge.tree.journal.leases import RENEWAL_SECONDS
from davbridge.waiting import store_wait

_log = logging.getLogger(__name__)


class Tally(NamedTuple):
    """Of all COPYs, MOVEs and DELETEs since the start."""

    begun: int = 0
    ended: int = 0
    resumed: int = 0
    """Of those that were begun: journals of a bridge that had died."""
    steps: int = 0
    """Objects copied or deleted."""


class RunningOperation:
    """One operation. A step is an object that is copied, or deleted."""

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
        self.leaves_source = lease is not None and lease.has_note
        """Whether a MOVE's source is still there, for whatever reason, and some of it isn't. After
        an earlier one has left something, that is so until all of it has gone."""
        self.is_left = False
        """Whether the journal stays for another to go on with, though its client has an answer."""
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
        """Counts steps that were done."""
        with self._lock:
            self.done += steps
        self._running_operations.count(steps=steps)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around what is asked of the store: nothing of it is done once somebody else may be doing
        it, however late a request arrives. Raises UnavailableError where that is so already."""
        if self.lease is None:
            yield
            return
        self.lease.require()
        with self.lease.bounded():
            yield

    def renew(self) -> None:
        """The lease, if there is one; it is renewed in time by itself."""
        if self.lease is None:
            return
        try:
            self.lease.renew(self.done, self.total)
        except PreconditionFailedError:
            _log.warning("%s: another bridge has taken it over", self)
        except StoreError as error:
            _log.warning("%s: the lease could not be renewed: %s", self, error)

    def begin_undo(self, entry: JournalEntry, made: Iterable[ObjectRow]) -> bool:
        """Before anything that was ``made`` is removed again: whether that may be done. Where it
        can't be said in the journal, whoever resumes that finishes it, and needs what was made."""
        if self.lease is None:
            return True
        self.renew()
        try:
            self.lease.begin_undo(entry, made)
        except StoreError as error:
            _log.warning("%s has failed, and is not undone here: %s", self._request, error)
            self.is_left = True
            return False
        self.is_undone = True
        return True

    def end(self, *, is_answered: bool) -> None:
        """``is_answered``: its client is told how it ended; else somebody has to go on with it."""
        if self.lease is None:
            return
        self._is_over.set()
        with store_wait():  # Else it might write a lease again that the journal's end deletes.
            self._renewing.join()
        if is_answered and not self.is_left:
            self.lease.end(leaves_source=self.leaves_source and self._request.verb == "MOVE")
        else:
            self.lease.abandon()

    def _renew_until_over(self) -> None:
        while not self._is_over.wait(RENEWAL_SECONDS):
            _log.info("%s", self)
            self.renew()


class RunningOperations:
    """Those of one bridge."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: list[RunningOperation] = []
        self._begun = self._ended = self._resumed = self._steps = 0

    @property
    def tally(self) -> Tally:
        with self._lock:
            return Tally(self._begun, self._ended, self._resumed, self._steps)

    def under_way(self) -> list[RunningOperation]:
        with self._lock:
            return list(self._under_way)

    @contextmanager
    def begun(
        self,
        request: OperationRequest,
        total: int,
        lease: Lease | None = None,
        *,
        is_resumed: bool = False,
    ) -> Iterator[RunningOperation]:
        """Around an operation of so many steps; with a ``lease``, whose lease is renewed.

        The journal ends with it, also where a StoreError is raised; that of a resumed one is left
        for another try then.
        """
        running = RunningOperation(self, request, total, lease)
        with self._lock:
            self._under_way.append(running)
        self.count(begun=1, resumed=int(is_resumed))
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
                self._under_way.remove(running)
            self.count(ended=1)

    def count(self, *, begun: int = 0, ended: int = 0, resumed: int = 0, steps: int = 0) -> None:
        with self._lock:
            self._begun += begun
            self._ended += ended
            self._resumed += resumed
            self._steps += steps
