"""Resumes an operation that another bridge has begun: waits for its end, or takes its journal over.

While that bridge is alive, this waits for the operation's end, which is the outcome. If it is dead,
this takes the journal over. Then `plan_completion` does what is left, or the MOVE is undone.

Invariants: the caller holds the path locks. A journal is deleted only after all of it was tried,
and stays for another try if the store didn't answer.
"""

import logging
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.errors import (
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from davbridge.paths import DELIMITER, ResourcePath, key_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.journal.entry import (
    DamagedJournalError,
    JournalEntry,
    LaterFormatError,
    OperationRequest,
)
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.lease import Lease
from davbridge.tree.journal.lease_monitor import JournalFiles
from davbridge.tree.operations.plan_completion import PlanCompletion
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.reads import row_at, rows_below
from davbridge.tree.resource import Outcome
from davbridge.tree.steps.operation_steps import OperationSteps
from davbridge.tree.steps.progress import RunningOperations

POLL_SECONDS = 1.0
"""Between two checks of another bridge's journal, while this bridge waits for its end."""

RESUMED_RESULT_SECONDS = 120.0
"""How long the outcome of a resumed MOVE is remembered. Its client never got an answer, and asks
again for a source that is gone. `dav` remembers other MOVEs: the responses to requests that this
process itself has carried out, for which there was no journal to resume."""
MAX_RESUMED_RESULTS = 1000
"""How many outcomes are remembered."""

_log = logging.getLogger(__name__)


class EarlierOperation(NamedTuple):
    """What was found of an earlier operation for the same request."""

    outcome: Outcome | None = None
    """Its outcome; None if there is nothing to resume."""
    was_incomplete: bool = False
    """Whether there is a record that the MOVE has left something."""


class _ResumedResult(NamedTuple):
    """The outcome of an operation that was resumed here."""

    outcome: Outcome
    is_of_file: bool


class Takeover:
    """Takes over journals of one mount."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        property_store: PropertyStore,
        steps: OperationSteps,
        journals: Journals,
        running_operations: RunningOperations,
    ) -> None:
        self._store = store
        self._mount = mount
        self._steps = steps
        self._completion = PlanCompletion(store, mount, property_store, steps, journals.timer)
        self._journals = journals
        self._running_operations = running_operations
        self._lock = Lock()
        self._results: TTLCache[OperationRequest, _ResumedResult] = TTLCache(
            MAX_RESUMED_RESULTS, RESUMED_RESULT_SECONDS, timer=journals.timer
        )

    def resume(self, request: OperationRequest) -> Outcome | None:
        """The outcome of an earlier operation for the same request, which is resumed or waited for.
        None if there is nothing to resume, or it can be begun again."""
        with self._lock:
            done = self._results.get(request)
        if done and self._is_gone(request.source, is_file=done.is_of_file):
            return done.outcome
        return self.find_earlier(request).outcome

    def find_earlier(self, request: OperationRequest) -> EarlierOperation:
        """As `resume`, but doesn't use the remembered outcomes."""
        awaited: JournalEntry | None = None
        while True:
            files = self._journals.files_of(request.name)
            was_incomplete = files.incomplete is not None
            if files.plan is None:
                return EarlierOperation(self._end_of(awaited), was_incomplete)
            if not self._journals.lease_monitor.is_dead(request.name):
                awaited = awaited or self._read(request)
                self._journals.pause(POLL_SECONDS)
            elif outcome := self._take_over(request.name, files):
                return EarlierOperation(outcome, was_incomplete)

    def wait_for_end(self, name: str) -> None:
        """Returns when a journal that can't be read here is gone, or its bridge is dead."""
        while self._journals.files_of(name).plan is not None:
            if self._journals.lease_monitor.is_dead(name):
                return
            self._journals.pause(POLL_SECONDS)

    def _end_of(self, awaited: JournalEntry | None) -> Outcome | None:
        """The outcome of an operation that another bridge has carried out; None if it isn't
        known."""
        is_finished = awaited is not None and awaited.undo is None
        if not (awaited and is_finished and awaited.request.verb == "MOVE"):
            return None
        if not self._is_gone(awaited.source, is_file=awaited.plan.is_of_file):
            return None
        if awaited.plan.is_of_file:
            # Somebody else may have deleted the source, so that the MOVE failed.
            (copy,) = awaited.plan.copies
            found = row_at(self._store, copy.target)
            if not found or found.size != copy.source.size:
                return None
        return Outcome([], is_new=awaited.is_new)

    def _read(self, request: OperationRequest) -> JournalEntry | None:
        try:
            return self._journals.read(request.name)
        except (NotFoundError, ValueError):
            return None

    def _take_over(self, name: str, files: JournalFiles) -> Outcome | None:
        """None if another bridge has taken it over, or there was nothing to finish."""
        try:
            entry, lease = self._journals.take_over(name, files)
        except (PreconditionFailedError, NotFoundError):
            return None
        except LaterFormatError as error:
            raise UnavailableError(
                f"only a later davbridge can resume what it has begun: {error}"
            ) from error
        except DamagedJournalError as error:
            _log.error("the journal %r is damaged, and is deleted: %s", name, error)
            self._journals.discard(name, error.row, files.lease)
            return None
        request, plan = entry.request, entry.plan
        _log.info("%s was begun by a bridge that died: resuming it", request)
        total = len(plan.copies) + len(plan.deletions)
        if entry.undo is not None:
            self._resume_undo(entry, entry.undo, lease)
            return None
        with self._running_operations.tracked(request, total, lease, is_resumed=True) as running:
            outcome = self._completion.finish(entry, running)
            running.is_incomplete |= bool(outcome.failures) and not running.is_undone
        if running.is_abandoned:
            raise UnavailableError(f"{request}: its undoing is not finished; try again")
        for failure in outcome.failures:
            _log.warning("%s: %s: %s", request, DELIMITER.join(failure.path), failure.error)
        _log.info("%s has ended; failures: %d", request, len(outcome.failures))
        if not outcome.failures:
            with self._lock:
                self._results[request] = _ResumedResult(outcome, plan.is_of_file)
        return outcome

    def _resume_undo(
        self, entry: JournalEntry, created: tuple[ObjectRow, ...], lease: Lease
    ) -> None:
        """Raises UnavailableError if the store doesn't answer: then it is tried again."""
        with self._running_operations.tracked(
            entry.request, len(created), lease, is_resumed=True
        ) as running:
            self._steps.resume_undo(entry, created, running)
        if running.is_abandoned:
            raise UnavailableError(f"{entry.request}: its undoing is not finished; try again")
        _log.info("%s has been undone, since it had failed", entry.request)

    def _is_gone(self, source: ResourcePath, *, is_file: bool) -> bool:
        if is_file:
            return row_at(self._store, key_of(self._mount, source)) is None
        return not rows_below(self._store, prefix_of(self._mount, source))
