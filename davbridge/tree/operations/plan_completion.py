"""Carries out what is still to be done of a journal's plan.

Unlike a new attempt, it changes nothing that anybody has written since the journal was begun, at
the source or the target (see `remaining_work`). Members that can't be finished because of that are
returned as failures, and stay at the source.
"""

from collections.abc import Callable, Iterable, Mapping

from davbridge.errors import (
    AlreadyExistsError,
    NotFoundError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import DELIMITER, ResourcePath, key_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore, is_unchanged
from davbridge.tree.journal.entry import JournalEntry
from davbridge.tree.operations.remaining_work import RemainingWork, remaining_work
from davbridge.tree.plan import Copy, shown_path
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME, is_head
from davbridge.tree.reads import is_copy, row_at, rows_below
from davbridge.tree.resource import Failure, Outcome, Resource
from davbridge.tree.steps.copies import CopyResult, SkippedCopyError
from davbridge.tree.steps.operation_steps import OperationSteps
from davbridge.tree.steps.progress import RunningOperation


class PlanCompletion:
    """Of operations below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        property_store: PropertyStore,
        steps: OperationSteps,
        timer: Callable[[], float],
    ) -> None:
        self._store = store
        self._mount = mount
        self._property_store = property_store
        self._steps = steps
        self._timer = timer

    def finish(self, entry: JournalEntry, running: RunningOperation) -> Outcome:
        """Raises UnavailableError where the store doesn't answer: then the journal has to stay for
        another try."""
        plan, checked_at = entry.plan, self._timer()
        rest = self._remaining_work(entry)
        for sidecar in rest.merges:
            with running.under_lease():
                self._property_store.merge(sidecar.source.key, sidecar.target)
        running.advance(running.total - len(rest.plan.copies) - len(rest.plan.deletions))
        failures = self._unfinishable(entry, rest)
        if entry.target:
            if rest.lacks_copies and rest.plan.clashes:
                self._undo(entry, rest.created, running)
                return Outcome(failures)
            copied = self._finish_copies(entry, rest, running)
            if blocked := _answered(copied.failures):
                if rest.plan.clashes and not copied.has_deleted_clashes:
                    self._undo(entry, {**rest.created, **copied.created}, running)
                return Outcome(failures + blocked)
            extras = () if rest.written_since or rest.gone else plan.extras
            failures += _answered(self._steps.delete_extras(rest.plan, running, extras))
            rest = rest._replace(new_etags={**rest.new_etags, **copied.new_etags})
        if entry.request.verb != "COPY" and not _is_made_anew(entry, rest):
            failures += _answered(self._delete_source(entry, rest, running, checked_at))
            if not failures and self._property_store.of(entry.source):
                self._property_store.clear_after_removal(entry.source)
        return Outcome(failures, is_new=entry.is_new)

    def _unfinishable(self, entry: JournalEntry, rest: RemainingWork) -> list[Failure]:
        """The members that can't be finished."""
        written = PreconditionFailedError("was written since this was begun, and is left")
        gone = NotFoundError("is gone since this was begun, and was not copied")
        failures = [
            Failure(shown_path(self._mount, row.key), written) for row in _staying(entry, rest)
        ]
        return failures + [Failure(shown_path(self._mount, row.key), gone) for row in rest.gone]

    def _delete_source(
        self, entry: JournalEntry, rest: RemainingWork, running: RunningOperation, checked_at: float
    ) -> list[Failure]:
        plan = entry.plan
        return self._steps.delete_source(
            entry.source,
            rest.plan._replace(copies=plan.copies),
            None if plan.is_of_file else prefix_of(self._mount, entry.source),
            running,
            checked_at,
            plan.deletions,
            rest.new_etags,
        )

    def _undo(
        self, entry: JournalEntry, created: Mapping[str, ObjectRow], running: RunningOperation
    ) -> None:
        """Raises UnavailableError if the journal can't be marked: then it is tried again."""
        if not self._steps.undo(entry, created, running):
            raise UnavailableError(f"{entry.request}: it can't be undone now; try again")

    def _finish_copies(
        self, entry: JournalEntry, rest: RemainingWork, running: RunningOperation
    ) -> CopyResult:
        target, plan = entry.target, entry.plan
        tree = None if plan.is_of_file else prefix_of(self._mount, target)
        file = row_at(self._store, key_of(self._mount, target)) if tree else None
        if file and not any(is_unchanged(file, row) for row in plan.clashes):
            written = AlreadyExistsError("a file was written in its place")
            return CopyResult({}, [Failure(target, written)])
        is_onto = plan.is_onto_equals
        try:
            if entry.is_new and not rest.created:
                with running.under_lease():
                    self._property_store.clear(target)
            copied = self._steps.copy(
                rest.plan, target, tree, running, is_onto_equals=is_onto, cleared=plan.clashes
            )
        except StoreError as error:  # The target's parent isn't what it was.
            return CopyResult({}, [Failure(target, error)])
        new_etags = {**rest.new_etags, **copied.new_etags}
        failures = copied.failures or self._set_properties(entry, rest, new_etags, running)
        if failures:
            return copied._replace(failures=failures)
        return self._steps.delete_clashes(
            rest.plan, copied, target, tree, running, cleared=plan.clashes
        )

    def _set_properties(
        self,
        entry: JournalEntry,
        rest: RemainingWork,
        new_etags: Mapping[str, str],
        running: RunningOperation,
    ) -> list[Failure]:
        """If all copies were there already, the properties may have been set, or moved, before."""
        properties = self._property_store.current(Resource(entry.source, None))
        if _is_made_anew(entry, rest) or not (rest.plan.copies or properties):
            with running.under_lease():
                return self._property_store.rebind_tree(entry.plan, new_etags)
        file = entry.plan.copies[0].source if entry.plan.is_of_file else None
        return self._steps.set_properties(
            entry.plan, new_etags, entry.target, properties, running, file, is_new=entry.is_new
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
        """The present objects of a tree, and of those ``planned`` keys that lie outside of it."""
        tree = prefix_of(self._mount, path)
        outside = {key for key in planned if not key.startswith(tree)}
        rows = (row_at(self._store, key) for key in outside)
        return {**rows_below(self._store, tree), **{row.key: row for row in rows if row}}

    def _is_copied(self, copy: Copy, found: ObjectRow) -> bool:
        """Whether the target has the bytes of the source under another ETag, as an object of
        several parts does; or is a sidecar that nobody has changed since it was copied."""
        if is_head(copy.target):
            return self._property_store.sidecars.is_unchanged_copy(found)
        return is_copy(self._store, copy.source, found)


def _staying(entry: JournalEntry, rest: RemainingWork) -> list[ObjectRow]:
    """What stays at the source, because it or its copy was written since."""
    return [row for row in rest.written_since if not _moves_later(entry, row)]


def _moves_later(entry: JournalEntry, row: ObjectRow) -> bool:
    """Whether the row is a sidecar of a MOVE's source. What was written to it since is moved or
    reported when the source is deleted."""
    return entry.request.verb == "MOVE" and row.key.endswith(DELIMITER + SIDECAR_NAME)


def _is_made_anew(entry: JournalEntry, rest: RemainingWork) -> bool:
    """Whether the source was deleted entirely, and somebody has made another one since: its marker
    and its properties are no longer those of what was moved or deleted."""
    was_deleted = bool(entry.plan.deletions) and not rest.plan.deletions
    return was_deleted and bool(_staying(entry, rest))


def _answered(failures: list[Failure]) -> list[Failure]:
    """Returns the failures, if the store has answered. Raises UnavailableError if it hasn't."""
    for failure in failures:
        if isinstance(failure.error, UnavailableError) and not isinstance(
            failure.error, SkippedCopyError
        ):
            raise failure.error
    return failures
