"""The steps of COPY, MOVE and DELETE, for new and for resumed operations.

A file that is copied or moved onto an equal one is a special case. Another bridge may be moving
that file away, and its delete can't distinguish the copy from that file: both have the same ETag.
So a COPY or MOVE waits until no such delete can arrive any more, and then checks that its copy is
there, before the source is deleted. If equal files are moved onto one another, in circles of any
length, one of them stays.

A MOVE of a file waits as well if what it replaces was written a moment ago: the file may be a copy
that another bridge has made from the name to which it is moved back now. That bridge may have made
it long ago, and send its delete only now. A file that this bridge has uploaded itself is no such
copy.

Invariant: a step returns what it couldn't do of its plan. If it raises a StoreError, it has changed
nothing that the plan names.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from davbridge.errors import DeadlinePassedError, PreconditionFailedError, StoreError
from davbridge.paths import ResourcePath
from davbridge.store.base import NO_ETAGS, PAGE_SIZE, DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.journal.entry import JournalEntry
from davbridge.tree.own_versions import OwnVersions
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.plan import Copy, Keys, Plan, is_marker, left_behind, shown_path
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


class OperationSteps:
    """Below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        parents: Parents,
        property_store: PropertyStore,
        parallel_requests: ParallelRequests,
        path_locks: PathLocks,
        own_versions: OwnVersions,
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
        self._copies = Copies(store, mount, parallel_requests, property_store.sidecars, timer)
        self._clashes = Clashes(store, mount, self._copies, self.removals, path_locks)
        self._path_locks = path_locks
        self._own_versions = own_versions
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
        ``cleared``: all clashes of the plan, also those that are deleted already.
        """
        with running.under_lease():
            self._parents.normalise_marker(target)
        if is_onto_equals:
            self._pause(SECOND)
        copied = self._clashes.copy(plan, running, cleared)
        if copied.failures:
            return copied
        may_be_deleted = is_onto_equals or self._may_be_deleted(plan, copied)
        if may_be_deleted and tree is None and plan.deletions:
            copied = self._copied_in_a_later_second(plan, copied, running)
            if copied.failures:
                return copied
        if may_be_deleted:
            self._pause(LATE_DELETE_SECONDS)
        try:
            copied = (
                self._verified_file(copied, plan, may_be_deleted=may_be_deleted)
                if tree is None
                else self._copies.verified(copied, plan, tree, running)
            )
        except StoreError as error:
            return copied._replace(failures=[Failure(target, error)], is_unverified=True)
        if not copied.failures:
            self._record_own(plan, copied, was_awaited=may_be_deleted)
        return copied

    def _may_be_deleted(self, plan: Plan, copied: CopyResult) -> bool:
        """Whether a MOVE by another bridge may still delete a copy: the source may be what that
        MOVE has copied from the same name, however long ago, and the target has been replaced
        since."""
        replaced = {row.key: row for row in plan.replaced}
        return bool(plan.deletions) and any(
            copy.source not in self._own_versions
            and _is_recent(replaced[copy.target], copied.created[copy.target])
            for copy in _made(plan, copied)
            if copy.target in replaced
        )

    def _copied_in_a_later_second(
        self, plan: Plan, copied: CopyResult, running: RunningOperation
    ) -> CopyResult:
        """Makes the copy of a file again if its time could be that of its source: then a later
        check couldn't tell whether the source was written anew."""
        for copy in _made(plan, copied):
            created = copied.created[copy.target]
            if not _is_older(copy.source, created):
                self._pause(SECOND)
                again = self._copies.make(plan._replace(replaced=(created,)), running)
                created_by_both = {**copied.created, **again.created}
                return again._replace(created=created_by_both, is_unverified=bool(again.failures))
        return copied

    def _record_own(self, plan: Plan, copied: CopyResult, *, was_awaited: bool) -> None:
        """No MOVE by another bridge has a delete to send that could mean these copies."""
        for copy in _made(plan, copied):
            if was_awaited or copy.source in self._own_versions:
                self._own_versions.add(copied.created[copy.target])

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

    def _verified_file(self, copied: CopyResult, plan: Plan, *, may_be_deleted: bool) -> CopyResult:
        """Checks that no other bridge will delete the copy and, for a MOVE, that the source may be
        deleted. Raises PreconditionFailedError."""
        if not plan.copies:  # It was there before this was resumed.
            return copied
        (copy,) = plan.copies
        if may_be_deleted:
            checked_at = self._timer()
            created = row_at(self._store, copy.target)
            if not created or not _is_of_second(created, copied.created[copy.target]):
                raise PreconditionFailedError(f"{copy.target!r} was taken away or written anew")
            if not plan.deletions:
                return copied
            source = row_at(self._store, copy.source.key)
            if not source or source.etag != copy.source.etag or not _is_older(source, created):
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
        *,
        is_new: bool,
    ) -> list[Failure]:
        """Sets the properties in the tree, and the target's own. ``source``: the row of a file."""
        with running.under_lease():
            return self._property_store.rebind_tree(
                plan, new_etags
            ) or self._property_store.copy_to(target, properties, source, is_new=is_new)

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
        going = (*keys.proper, *keys.outer_markers)
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
        """Deletes the file, and its outer markers."""
        if not rows:
            return []
        file, *outer_markers = rows
        try:
            self._deletes.file(file, running, checked_at)
        except StoreError as error:
            return self.removals.failures([DeleteFailure(file.key, error)])
        keys = [row.key for row in outer_markers]
        return self.removals.failures(
            self._batches.delete(keys, running, versions_of(outer_markers))
        )


def _second(row: ObjectRow) -> int:
    return int(row.modified.timestamp())


def _is_of_second(row: ObjectRow, created: ObjectRow) -> bool:
    """Whether it was written in the same second. Where the store has no times, it is taken for the
    same object if it has the same bytes."""
    if row.has_time and created.has_time:
        return _second(row) == _second(created)
    return (row.etag, row.size) == (created.etag, created.size)


def _is_older(row: ObjectRow, created: ObjectRow) -> bool:
    """Whether it was written in an earlier second; True where the store has no times."""
    has_times = row.has_time and created.has_time
    return not has_times or _second(row) < _second(created)


def _made(plan: Plan, copied: CopyResult) -> list[Copy]:
    return [
        copy for copy in plan.copies if copy.target in copied.created and not is_marker(copy.target)
    ]


def _is_recent(row: ObjectRow, created: ObjectRow) -> bool:
    """Whether ``row`` may have been written so shortly before ``created`` that a delete could still
    arrive. Some stores give an object of several parts the time at which its upload began."""
    age = created.modified - row.modified
    return age <= timedelta(seconds=LATE_DELETE_SECONDS) or "-" in row.etag
