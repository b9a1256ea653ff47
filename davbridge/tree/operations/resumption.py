"""Finishes what a bridge that died has begun.

Owns the waiting for whoever is at work on a journal, and the order in which one is finished. Must
not know how copies and deletions are asked for.

A journal whose bridge is alive is waited for: its end is the answer. A dead one's is taken over,
and what is left of its plan is done, more carefully than anew: what anybody wrote since, on either
side, stays (see `remaining_work`). Members that can't be finished so are reported, and are at the
source.

Invariants: whoever calls has the turn for the trees concerned; a journal is given up only once all
of it was tried, and kept for another try where the store didn't answer.
"""

import logging
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ArchivedError,
    NotFoundError,
    PreconditionFailedError,
    StoreError,
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
from davbridge.tree.operations.remaining_work import RemainingWork, remaining_work
from davbridge.tree.plan import Copy, shown_path
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from davbridge.tree.reads import have_same_bytes, row_at, rows_below
from davbridge.tree.resource import Failure, Outcome, Resource
from davbridge.tree.steps.copies import CopyResult, SkippedCopyError
from davbridge.tree.steps.progress import RunningOperation, RunningOperations
from davbridge.tree.steps.steps import Steps

POLL_SECONDS = 1.0
"""Between two looks at a journal that somebody waits for."""

MEMORY_SECONDS = 120.0
MEMORY_ENTRIES = 1000
"""How long, and of how many MOVEs that were gone on with, it is known that they are done: their
clients, which never got an answer, ask again for a source that is gone."""

_log = logging.getLogger(__name__)


class EarlierOperation(NamedTuple):
    """What there was of the same operation."""

    outcome: Outcome | None = None
    """How it has ended by now; None where there is nothing of it to go on with."""
    was_incomplete: bool = False
    """Whether it is noted that one, a MOVE, has left something."""


class _Done(NamedTuple):
    """How one has ended that was gone on with here."""

    outcome: Outcome
    is_of_file: bool


class Resumption:
    """Of the journals of one mount."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        property_store: PropertyStore,
        steps: Steps,
        journals: Journals,
        running_operations: RunningOperations,
    ) -> None:
        self._store = store
        self._mount = mount
        self._property_store = property_store
        self._steps = steps
        self._journals = journals
        self._running_operations = running_operations
        self._lock = Lock()
        self._done: TTLCache[OperationRequest, _Done] = TTLCache(
            MEMORY_ENTRIES, MEMORY_SECONDS, timer=journals.timer
        )

    def resume(self, request: OperationRequest) -> Outcome | None:
        """How the same operation, begun before, has ended by now; None where there is nothing of
        it to go on with, or it can as well be begun anew."""
        with self._lock:
            done = self._done.get(request)
        if done and self._is_gone(request.source, is_file=done.is_of_file):
            return done.outcome
        return self.find_earlier(request).outcome

    def find_earlier(self, request: OperationRequest) -> EarlierOperation:
        """The same, whatever is known of those that were gone on with here."""
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
        """Returns when a journal that can't be read here has ended, or its bridge has died."""
        while self._journals.files_of(name).plan is not None:
            if self._journals.lease_monitor.is_dead(name):
                return
            self._journals.pause(POLL_SECONDS)

    def _end_of(self, awaited: JournalEntry | None) -> Outcome | None:
        """How one has ended elsewhere that was waited for; None where that can't be told."""
        is_finished = awaited is not None and awaited.undo is None
        if not (awaited and is_finished and awaited.request.verb == "MOVE"):
            return None
        if not self._is_gone(awaited.source, is_file=awaited.plan.is_of_file):
            return None
        if awaited.plan.is_of_file:
            # JournaledOperations may have taken it away, so that it failed.
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
        """None where somebody else has done so."""
        try:
            entry, lease = self._journals.take_over(name, files)
        except (PreconditionFailedError, NotFoundError):
            return None
        except LaterFormatError as error:
            raise UnavailableError(
                f"a later davbridge has to end what it began: {error}"
            ) from error
        except DamagedJournalError as error:
            _log.error("the journal %r is of no use, and goes: %s", name, error)
            self._journals.discard(name, error.row, files.lease)
            return None
        request, plan = entry.request, entry.plan
        _log.info("%s was begun by a bridge that died: going on with it", request)
        total = len(plan.copies) + len(plan.deletions)
        if entry.undo is not None:
            self._resume_undo(entry, entry.undo, lease)
            return None
        with self._running_operations.tracked(request, total, lease, is_resumed=True) as running:
            outcome = self._finish(entry, running)
            running.is_incomplete |= bool(outcome.failures) and not running.is_undone
        if running.is_abandoned:
            raise UnavailableError(f"{request}: its undoing is not finished; try again")
        for failure in outcome.failures:
            _log.warning("%s: %s: %s", request, DELIMITER.join(failure.path), failure.error)
        _log.info("%s has ended; failures: %d", request, len(outcome.failures))
        if not outcome.failures:
            with self._lock:
                self._done[request] = _Done(outcome, plan.is_of_file)
        return outcome

    def _resume_undo(
        self, entry: JournalEntry, created: tuple[ObjectRow, ...], lease: Lease
    ) -> None:
        """Raises UnavailableError where the store doesn't answer: then it is tried again."""
        with self._running_operations.tracked(
            entry.request, len(created), lease, is_resumed=True
        ) as running:
            self._steps.resume_undo(entry, created, running)
        if running.is_abandoned:
            raise UnavailableError(f"{entry.request}: its undoing is not finished; try again")
        _log.info("%s has been undone, since it had failed", entry.request)

    def _finish(self, entry: JournalEntry, running: RunningOperation) -> Outcome:
        """Raises UnavailableError where the store doesn't answer: then it is tried again."""
        plan, checked_at = entry.plan, self._journals.timer()
        rest = self._remaining_work(entry)
        for sidecar in rest.merges:
            with running.under_lease():
                self._property_store.merge(sidecar.source.key, sidecar.target)
        running.advance(running.total - len(rest.plan.copies) - len(rest.plan.deletions))
        error = PreconditionFailedError("was written since this was begun, and is left")
        gone = NotFoundError("is gone since this was begun, and was not copied")
        kept = [row for row in rest.kept if not _goes_along(entry, row)]
        failures = [Failure(shown_path(self._mount, row.key), error) for row in kept]
        failures += [Failure(shown_path(self._mount, row.key), gone) for row in rest.gone]
        if entry.target:
            if rest.lacks_copies and rest.plan.clashes:
                self._undo(entry, rest.created, running)
                return Outcome(failures)
            copied = self._finish_copies(entry, rest, running)
            if blocked := _answered(copied.failures):
                if rest.plan.clashes and not copied.has_deleted_clashes:
                    self._undo(entry, {**rest.created, **copied.created}, running)
                return Outcome(failures + blocked)
            extras = () if rest.kept or rest.gone else plan.extras
            failures += _answered(self._steps.delete_extras(rest.plan, running, extras))
        if entry.request.verb != "COPY":
            tree = None if plan.is_of_file else prefix_of(self._mount, entry.source)
            rest_of_move = rest.plan._replace(copies=plan.copies)
            failures += _answered(
                self._steps.delete_source(
                    entry.source,
                    rest_of_move,
                    tree,
                    running,
                    checked_at,
                    plan.deletions,
                    rest.new_etags,
                )
            )
        if entry.request.verb != "COPY" and not failures and self._property_store.of(entry.source):
            self._property_store.clear_after_removal(entry.source)
        return Outcome(failures, is_new=entry.is_new)

    def _undo(
        self, entry: JournalEntry, created: Mapping[str, ObjectRow], running: RunningOperation
    ) -> None:
        """Raises UnavailableError where that mustn't be begun: then it is tried again."""
        if not self._steps.undo(entry, created, running):
            raise UnavailableError(f"{entry.request}: it can't be undone now; try again")

    def _finish_copies(
        self, entry: JournalEntry, rest: RemainingWork, running: RunningOperation
    ) -> CopyResult:
        target, plan = entry.target, entry.plan
        tree = None if plan.is_of_file else prefix_of(self._mount, target)
        file = row_at(self._store, key_of(self._mount, target)) if tree else None
        if file and file not in plan.clashes:
            written = AlreadyExistsError("a file was written in its place")
            return CopyResult({}, [Failure(target, written)])
        is_onto = plan.is_onto_equals
        try:
            copied = self._steps.copy(
                rest.plan, target, tree, running, is_onto_equals=is_onto, cleared=plan.clashes
            )
        except StoreError as error:  # The target's parent isn't what it was.
            return CopyResult({}, [Failure(target, error)])
        failures = copied.failures or self._give(
            entry, {**rest.new_etags, **copied.new_etags}, running
        )
        if failures:
            return copied._replace(failures=failures)
        return self._steps.delete_clashes(
            rest.plan, copied, target, tree, running, cleared=plan.clashes
        )

    def _give(
        self, entry: JournalEntry, new_etags: Mapping[str, str], running: RunningOperation
    ) -> list[Failure]:
        properties = self._property_store.current(Resource(entry.source, None))
        if not properties:  # Where they were given already, they are gone from here.
            with running.under_lease():
                return self._property_store.rebind_tree(entry.plan, new_etags)
        file = entry.plan.copies[0].source if entry.plan.is_of_file else None
        return self._steps.set_properties(
            entry.plan, new_etags, entry.target, properties, running, file
        )

    def _remaining_work(self, entry: JournalEntry) -> RemainingWork:
        plan = entry.plan
        sources = [copy.source.key for copy in plan.copies]
        source = self._now(entry.source, (*sources, *(row.key for row in plan.deletions)))
        targets = [copy.target for copy in plan.copies]
        targets += [row.key for row in plan.clashes]
        target = self._now(entry.target, targets) if entry.target else {}
        return remaining_work(plan, source, target, self._is_copied)

    def _now(self, path: ResourcePath, planned: Iterable[str]) -> dict[str, ObjectRow]:
        """What is there of a tree, and of keys beside it."""
        tree = prefix_of(self._mount, path)
        beside = {key for key in planned if not key.startswith(tree)}
        rows = (row_at(self._store, key) for key in beside)
        return {**rows_below(self._store, tree), **{row.key: row for row in rows if row}}

    def _is_gone(self, source: ResourcePath, *, is_file: bool) -> bool:
        if is_file:
            return row_at(self._store, key_of(self._mount, source)) is None
        return not rows_below(self._store, prefix_of(self._mount, source))

    def _is_copied(self, copy: Copy, found: ObjectRow) -> bool:
        """Whether the target has what the source has, whose ETag it hasn't: parts change that."""
        if found.size != copy.source.size:
            return False
        try:
            return have_same_bytes(self._store, copy.source, found)
        except (NotFoundError, PreconditionFailedError, ArchivedError, AccessDeniedError):
            return False


def _goes_along(entry: JournalEntry, kept: ObjectRow) -> bool:
    """Whether what a sidecar has got since goes along at the end, or is reported then."""
    return entry.request.verb == "MOVE" and kept.key.endswith(DELIMITER + SIDECAR_NAME)


def _answered(failures: list[Failure]) -> list[Failure]:
    """The same, if the store has told them. Raises UnavailableError."""
    for failure in failures:
        if isinstance(failure.error, UnavailableError) and not isinstance(
            failure.error, SkippedCopyError
        ):
            raise failure.error
    return failures
