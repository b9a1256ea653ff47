"""The steps of COPY, MOVE and DELETE, for new and for resumed operations.

A file that is copied or moved onto an equal one is a special case. Another bridge may be moving
that file away, and its delete can't tell the copy from the file that it means: both have the same
ETag. So a COPY or MOVE waits until no such delete can arrive any more, and then checks that its
copy is there, before the source is deleted. If equal files are moved onto one another, in circles
of any length, one of them stays.

Invariant: a step returns what it couldn't do of its plan. If it raises a StoreError, it has changed
nothing that the plan names.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from davbridge.errors import DeadlinePassedError, PreconditionFailedError, StoreError
from davbridge.paths import ResourcePath
from davbridge.store.base import NO_ETAGS, PAGE_SIZE, DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.journal.entry import JournalEntry
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.plan import Keys, Plan, left_behind, shown_path
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.reads import row_at
from davbridge.tree.resource import Failure
from davbridge.tree.steps.batches import Batches, versions_of
from davbridge.tree.steps.checked_deletes import CHECK_VALID_SECONDS, CheckedDeletes
from davbridge.tree.steps.clashes import Clashes
from davbridge.tree.steps.copies import Copies, CopyResult
from davbridge.tree.steps.late_properties import LateProperties, Source
from davbridge.tree.steps.parallel_requests import ParallelRequests
from davbridge.tree.steps.progress import RunningOperation
from davbridge.tree.steps.removals import Removals
from davbridge.tree.steps.undo import Undo
from davbridge.tree.writes.parents import Parents

_log = logging.getLogger(__name__)

SECOND = 1.1
"""After this time, whatever is written has a later time than what was there before."""

LATE_DELETE_SECONDS = CHECK_VALID_SECONDS + 2
"""After this time, no delete can arrive any more that was sent before, even if clocks are off, and
times are cut to whole seconds."""


class Steps:
    """Below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        parents: Parents,
        property_store: PropertyStore,
        parallel_requests: ParallelRequests,
        path_locks: PathLocks,
        timer: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._store = store
        self._mount = mount
        self._batches = Batches(store, parallel_requests)
        self.removals = Removals(store, mount, self._batches)
        self._deletes = CheckedDeletes(store, self._batches, timer)
        self._late = LateProperties(store, property_store.sidecars, self._deletes)
        self._undo = Undo(store, mount, self._deletes)
        self._parents = parents
        self._property_store = property_store
        self._copies = Copies(store, mount, parallel_requests, timer)
        self._clashes = Clashes(store, mount, self._copies, self.removals)
        self._path_locks = path_locks
        self._timer = timer
        self._pause = pause

    def copy(
        self,
        plan: Plan,
        target: ResourcePath,
        tree: str | None,
        running: RunningOperation,
        *,
        is_onto_equals: bool = False,
        cleared: Sequence[ObjectRow] = (),
    ) -> CopyResult:
        """Makes the copies and verifies them. ``tree``: the target's prefix, if it is a collection.

        ``is_onto_equals``: whether a part of the target has the same ETag as what replaces it.
        ``cleared``: what of the target clashed with the plan, also what is deleted already.
        """
        with running.under_lease():
            self._parents.normalise_marker(target)
        if is_onto_equals:
            self._pause(SECOND)
        copied = self._clashes.copy(plan, running, cleared)
        if copied.failures:
            return copied
        if is_onto_equals:
            self._pause(LATE_DELETE_SECONDS)
        if tree is not None:
            return self._copies.verified(copied, plan, tree, running)
        try:
            return self._verified_file(copied, plan, is_onto_equals=is_onto_equals)
        except StoreError as error:
            return copied._replace(failures=[Failure(target, error)])

    def delete_clashes(
        self,
        plan: Plan,
        copied: CopyResult,
        target: ResourcePath,
        tree: str | None,
        running: RunningOperation,
        *,
        cleared: Sequence[ObjectRow] = (),
    ) -> CopyResult:
        """Call this when the copies have their properties: deletes what of the target clashed with
        them."""
        return self._clashes.delete(plan, copied, target, tree, running, cleared)

    def _verified_file(self, copied: CopyResult, plan: Plan, *, is_onto_equals: bool) -> CopyResult:
        """Checks that the copy is there to stay and, for a MOVE, that the source may be deleted.
        Raises PreconditionFailedError."""
        if not plan.copies:  # It was there before this was resumed.
            return copied
        (copy,) = plan.copies
        if is_onto_equals:
            checked_at = self._timer()
            created = row_at(self._store, copy.target)
            if not created or _second(created) != _second(copied.created[copy.target]):
                raise PreconditionFailedError(f"{copy.target!r} was taken away or written anew")
            if not plan.deletions:
                return copied
            source = row_at(self._store, copy.source.key)
            if not source or source.etag != copy.source.etag or _second(source) >= _second(created):
                raise PreconditionFailedError(f"{copy.source.key!r} was written anew")
            return copied._replace(checked_at=checked_at)
        if not plan.replaced and (copied.has_deleted_clashes or not plan.clashes):
            self._clashes.require_alone(plan)
        return copied

    def set_properties(
        self,
        plan: Plan,
        new_etags: Mapping[str, str],
        target: ResourcePath,
        properties: Properties,
        running: RunningOperation,
        source: ObjectRow | None = None,
    ) -> list[Failure]:
        """Sets the properties in the tree, and the target's own. ``source``: the row of a file."""
        with running.under_lease():
            return self._property_store.rebind_tree(
                plan, new_etags
            ) or self._property_store.copy_to(target, properties, source)

    def delete_extras(
        self, plan: Plan, running: RunningOperation, planned: Sequence[ObjectRow] = ()
    ) -> list[Failure]:
        """Deletes the members of the target that the source doesn't have. ``planned``: all of them,
        also those that are deleted already."""
        return self.removals.delete_from_target(plan, plan.extras, running, planned=planned)

    def delete(
        self, keys: Keys, running: RunningOperation, *, tree: str | None, checked_at: float
    ) -> list[Failure]:
        """Deletes a resource as far as possible, and returns what is left. ``tree``: the prefix of
        a collection. ``checked_at``: when the keys were listed. If that was too long ago, members
        that were written since stay."""
        going = (*keys.proper, *keys.beside)
        if tree is None or len(going) <= PAGE_SIZE:
            deadline = self._deletes.deadline(checked_at)
            failures = self.removals.delete(keys, running, tree=tree, deadline=deadline)
            if not any(isinstance(one.error, DeadlinePassedError) for one in failures):
                return failures
        if tree is None:
            return self.removals.delete(keys, running, tree=None)
        try:
            deleted = self._deletes.tree(tree, going, running)
        except StoreError as error:
            return [Failure(shown_path(self._mount, tree), error)]
        return left_behind(self._mount, keys) + self.removals.failures(deleted.failed)

    def undo(
        self, entry: JournalEntry, created: Mapping[str, ObjectRow], running: RunningOperation
    ) -> bool:
        """Deletes what a failed COPY or MOVE has created, after its journal was marked. Returns
        whether it could be marked. What can't be deleted now is left to the bridge that resumes the
        journal."""
        try:
            created = {**self._undo.unacknowledged(entry.plan, created), **created}
        except StoreError as error:
            _log.warning("what %s has made can't be listed: %s", entry.request, error)
        if not running.begin_undo(entry, created.values()):
            return False
        self.resume_undo(entry, created.values(), running)
        return True

    def resume_undo(
        self, entry: JournalEntry, created: Iterable[ObjectRow], running: RunningOperation
    ) -> None:
        """As `undo`, for a journal that is marked already."""
        running.is_abandoned = not self._undo.delete_created(entry, created, running)

    def delete_source(
        self,
        source: ResourcePath,
        plan: Plan,
        tree: str | None,
        running: RunningOperation,
        checked_at: float,
        deleted_before: Sequence[ObjectRow] = (),
        new_etags: Mapping[str, str] = NO_ETAGS,
    ) -> list[Failure]:
        """Deletes the source of a MOVE, unless its parent needs a marker that can't be written. If
        nothing is to be deleted, the parent may be gone as well, and isn't marked.

        ``checked_at``: when a file was last seen to be the planned version. ``deleted_before``:
        what was deleted from a tree before this was resumed. ``new_etags``: as in CopyResult.
        Properties that others have set in a tree meanwhile are moved as well.
        """
        with self._parents.removing(source), self._path_locks.exclude_writes(source):
            try:
                if plan.deletions:
                    with running.under_lease():
                        self._parents.mark_before_removal_of(source)
                if tree is None:
                    return self._delete_file(plan.deletions, running, checked_at)
                deleted = self._late.delete_source(
                    Source(tree, plan, new_etags), running, deleted_before
                )
            except StoreError as error:
                return [Failure(source, error)]
        running.is_incomplete = bool(deleted.failed or deleted.remaining)
        return self.removals.failures(deleted.failed)

    def _delete_file(
        self, rows: Sequence[ObjectRow], running: RunningOperation, checked_at: float
    ) -> list[Failure]:
        """Deletes the file, and what lies beside it."""
        if not rows:
            return []
        file, *beside = rows
        try:
            self._deletes.file(file, running, checked_at)
        except StoreError as error:
            return self.removals.failures([DeleteFailure(file.key, error)])
        keys = [row.key for row in beside]
        return self.removals.failures(self._batches.delete(keys, running, versions_of(beside)))


def _second(row: ObjectRow) -> int:
    return int(row.modified.timestamp())
