"""Begins the journal of an attempt, and counts the attempt as a running operation.

Invariant: of two bridges whose journaled operations overlap, each writes its journal first, and
looks for other journals after that. So at least one of them sees the other one, and begins nothing.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.tree.journal.entry import JournalEntry
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.lease import Lease
from davbridge.tree.journal.related_moves import Overlaps
from davbridge.tree.operations.retries import AlreadyBegunError, OverlapError
from davbridge.tree.steps.progress import RunningOperation, RunningOperations

_log = logging.getLogger(__name__)


class Journaling:
    """Of one mount."""

    def __init__(
        self, journals: Journals, overlaps: Overlaps, running_operations: RunningOperations
    ) -> None:
        self._journals = journals
        self._overlaps = overlaps
        self._running_operations = running_operations

    @property
    def timer(self) -> Callable[[], float]:
        """Counts seconds, including those in which the machine sleeps."""
        return self._journals.timer

    @contextmanager
    def begun(
        self, entry: JournalEntry, *, is_journaled: bool, was_incomplete: bool = False
    ) -> Iterator[RunningOperation]:
        """The context in which an operation is carried out. The journal, if there is one, is
        deleted at the end. ``was_incomplete``: as `Journals.begin`. Raises AlreadyBegunError and
        OverlapError."""
        lease = self._begin(entry, was_incomplete=was_incomplete) if is_journaled else None
        total = len(entry.plan.copies) + len(entry.plan.deletions)
        with self._running_operations.tracked(entry.request, total, lease) as running:
            yield running
        if running.is_incomplete and lease is None:
            try:
                self._journals.record_incomplete(entry.request)
            except StoreError as error:
                # The outcome stays: what is left was written meanwhile, and the rest was moved.
                _log.warning("%s: what it left could not be recorded: %s", entry.request, error)

    def _begin(self, entry: JournalEntry, *, was_incomplete: bool) -> Lease:
        try:
            lease = self._journals.begin(entry, was_incomplete=was_incomplete)
        except PreconditionFailedError as error:
            raise AlreadyBegunError(entry.request) from error
        try:
            other = self._overlaps.of(entry.request)
        except BaseException:
            lease.end()
            raise
        if other:
            lease.end()
            raise OverlapError(other)
        return lease
