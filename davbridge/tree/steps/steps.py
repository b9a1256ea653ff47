"""The steps of COPY and MOVE that both a new one and a resumed one take.

Owns what belongs to each step: properties, the parent's marker, who is shut out meanwhile, and what
is looked at before a MOVE's source goes. Must not know why a plan is as it is.

A file that is copied or moved onto an equal one is a case of its own. Another bridge may be moving
that one away, and its delete can't tell the copy from what it means: both have the same ETag. So a
COPY or MOVE waits until no such delete can arrive any more, and then looks whether its copy is
there, before the source goes. Of equal files that are moved onto one another, in circles of any
length, one stays.

Invariant: a step returns what it couldn't do of its plan; where it raises a StoreError, it has
touched nothing that the plan names.
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
from davbridge.tree.steps.checked_deletes import LOOK_SECONDS, CheckedDeletes
from davbridge.tree.steps.clashes import Clashes
from davbridge.tree.steps.copies import Copied, Copies
from davbridge.tree.steps.late_properties import LateProperties, Source
from davbridge.tree.steps.parallel_requests import ParallelRequests
from davbridge.tree.steps.progress import RunningOperation
from davbridge.tree.steps.removals import Removals
from davbridge.tree.steps.undo import Undo
from davbridge.tree.writes.parents import Parents

_log = logging.getLogger(__name__)

SECOND = 1.1
"""After which whatever is written has a later time than what was there before."""

SETTLE_SECONDS = LOOK_SECONDS + 2
"""After which no delete can arrive any more that was asked for before, by whatever clocks and whole
seconds may be off."""


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
    ) -> Copied:
        """Up to the verified copies; ``tree``: the target's prefix, if it is a collection.

        ``is_onto_equals``: whether some of the target had the ETags of what comes in its place.
        ``cleared``: of the target, what clashed with the plan, be it gone by now.
        """
        with running.step():
            self._parents.normalise_marker(target)
        if is_onto_equals:
            self._pause(SECOND)
        copied = self._clashes.copy(plan, running, cleared)
        if copied.failures:
            return copied
        if is_onto_equals:
            self._pause(SETTLE_SECONDS)
        if tree is not None:
            return self._copies.verified(copied, plan, tree, running)
        try:
            return self._verified_file(copied, plan, is_onto_equals=is_onto_equals)
        except StoreError as error:
            return copied._replace(failures=[Failure(target, error)])

    def clear(
        self,
        plan: Plan,
        copied: Copied,
        target: ResourcePath,
        tree: str | None,
        running: RunningOperation,
        *,
        cleared: Sequence[ObjectRow] = (),
    ) -> Copied:
        """Once they have their properties: what of the target clashed with the copies goes."""
        return self._clashes.clear(plan, copied, target, tree, running, cleared)

    def _verified_file(self, copied: Copied, plan: Plan, *, is_onto_equals: bool) -> Copied:
        """Whether the copy is there to stay, and of a MOVE whether the source may go for the sake
        of it. Raises PreconditionFailedError."""
        if not plan.copies:  # It was there before this was resumed.
            return copied
        (copy,) = plan.copies
        if is_onto_equals:
            looked_at = self._timer()
            made = row_at(self._store, copy.target)
            if not made or _second(made) != _second(copied.made[copy.target]):
                raise PreconditionFailedError(f"{copy.target!r} was taken away or written anew")
            if not plan.leaving:
                return copied
            source = row_at(self._store, copy.source.key)
            if not source or source.etag != copy.source.etag or _second(source) >= _second(made):
                raise PreconditionFailedError(f"{copy.source.key!r} was written anew")
            return copied._replace(looked_at=looked_at)
        if not plan.replaced and (copied.is_cleared or not plan.clashes):
            self._clashes.require_alone(plan)
        return copied

    def give(
        self,
        plan: Plan,
        renewed: Mapping[str, str],
        target: ResourcePath,
        properties: Properties,
        running: RunningOperation,
        source: ObjectRow | None = None,
    ) -> list[Failure]:
        """The properties: those in the tree, and the target's own. ``source``: a file's row."""
        with running.step():
            return self._property_store.rebind_tree(plan, renewed) or self._property_store.copy_to(
                target, properties, source
            )

    def drop_extras(
        self, plan: Plan, running: RunningOperation, planned: Sequence[ObjectRow] = ()
    ) -> list[Failure]:
        """Deletes the members of the target that the source hasn't. ``planned``: all of those, be
        they gone by now."""
        return self.removals.clear(plan, plan.extras, running, planned=planned)

    def remove(
        self, keys: Keys, running: RunningOperation, *, tree: str | None, looked_at: float
    ) -> list[Failure]:
        """Deletes what may be deleted of a resource, and tells what is left. ``tree``: a
        collection's prefix. ``looked_at``: when the keys were asked for. Of a tree what was written
        since stays, where that was too long ago."""
        going = (*keys.proper, *keys.beside)
        if tree is None or len(going) <= PAGE_SIZE:
            bounds = self._deletes.bounds(looked_at)
            failures = self.removals.remove(keys, running, tree=tree, bounds=bounds)
            if not any(isinstance(one.error, DeadlinePassedError) for one in failures):
                return failures
        if tree is None:
            return self.removals.remove(keys, running, tree=None)
        try:
            deleted = self._deletes.tree(tree, going, running)
        except StoreError as error:
            return [Failure(shown_path(self._mount, tree), error)]
        return left_behind(self._mount, keys) + self.removals.failures(deleted.failed)

    def undo(
        self, entry: JournalEntry, made: Mapping[str, ObjectRow], running: RunningOperation
    ) -> bool:
        """Takes back what a COPY or MOVE that has failed has made, once its journal says so;
        whether that could be said. What can't be removed now is left to whoever resumes it."""
        try:
            made = {**self._undo.unanswered(entry.plan, made), **made}
        except StoreError as error:
            _log.warning("what %s has made can't be listed: %s", entry.request, error)
        if not running.begin_undo(entry, made.values()):
            return False
        self.resume_undo(entry, made.values(), running)
        return True

    def resume_undo(
        self, entry: JournalEntry, made: Iterable[ObjectRow], running: RunningOperation
    ) -> None:
        """The same of one whose journal says so."""
        running.is_left = not self._undo.take_back(entry, made, running)

    def leave(
        self,
        source: ResourcePath,
        plan: Plan,
        tree: str | None,
        running: RunningOperation,
        looked_at: float,
        gone: Sequence[ObjectRow] = (),
        renewed: Mapping[str, str] = NO_ETAGS,
    ) -> list[Failure]:
        """Deletes the source, unless its parent can't be marked where it needs that. (Where nothing
        goes the parent may be gone as well, and isn't made again.)

        ``looked_at``: when a file was last seen to be the version that goes. ``gone``: what has
        gone of a tree before. ``renewed``: see Copied. Properties that others have set in a tree
        meanwhile go along.
        """
        with self._parents.removing(source), self._path_locks.exclude_writes(source):
            try:
                if plan.leaving:
                    with running.step():
                        self._parents.mark_before_removal_of(source)
                if tree is None:
                    return self._delete_file(plan.leaving, running, looked_at)
                deleted = self._late.leave(Source(tree, plan, renewed), running, gone)
            except StoreError as error:
                return [Failure(source, error)]
        running.leaves_source = bool(deleted.failed or deleted.left)
        return self.removals.failures(deleted.failed)

    def _delete_file(
        self, rows: Sequence[ObjectRow], running: RunningOperation, looked_at: float
    ) -> list[Failure]:
        """The file, and what lies beside it."""
        if not rows:
            return []
        file, *beside = rows
        try:
            self._deletes.file(file, running, looked_at)
        except StoreError as error:
            return self.removals.failures([DeleteFailure(file.key, error)])
        keys = [row.key for row in beside]
        return self.removals.failures(self._batches.delete(keys, running, versions_of(beside)))


def _second(row: ObjectRow) -> int:
    return int(row.modified.timestamp())
