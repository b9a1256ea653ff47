"""Looks up the paths of a COPY, MOVE or DELETE, and makes its plan. Writes nothing."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from davbridge.errors import NotFoundError, OverlappingPathsError
from davbridge.paths import ResourcePath, key_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore, is_same_version
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.listing.markers import FOLDER_SUFFIX, DirectoryChecks
from davbridge.tree.listing.view import View
from davbridge.tree.operations.archived import archived_members
from davbridge.tree.plan import (
    NO_KEYS,
    Keys,
    Plan,
    keys_inside,
    obstacles,
    plan_file,
    plan_tree,
)
from davbridge.tree.reads import row_at, rows_below
from davbridge.tree.resource import Failure, Resource
from davbridge.tree.steps.parallel_requests import ParallelRequests
from davbridge.tree.writes.parents import Parents
from davbridge.waiting import store_wait


class SourceAndTarget(NamedTuple):
    """What is at the two paths of a COPY or MOVE."""

    source: Resource
    target: Resource | None


class PlannedTransfer(NamedTuple):
    """A COPY or MOVE with all that was looked up for it, and its plan."""

    source: Resource
    target: ResourcePath
    source_keys: Keys
    target_keys: Keys
    plan: Plan
    source_tree: str | None = None
    """The source's prefix, if it is a collection."""
    target_tree: str | None = None
    """The target's prefix, if the source is a collection."""

    @property
    def is_to_new(self) -> bool:
        """Whether nothing is at the target."""
        return self.target_keys == NO_KEYS

    def is_over(self, created: Mapping[str, ObjectRow]) -> bool:
        """Whether earlier attempts have ``created`` anything, and all that is at the target."""
        return bool(created) and all(
            row.key in created and is_same_version(row, created[row.key])
            for row in self.target_keys.proper
        )

    def has(self, created: Mapping[str, ObjectRow]) -> bool:
        """Whether all that earlier attempts have ``created`` is still at the target."""
        there = {row.key: row for row in self.target_keys.proper}
        return all(
            key in there and is_same_version(there[key], row) for key, row in created.items()
        )

    def keeping_extras(self) -> "PlannedTransfer":
        """The same, but deletes no members of the target that the source doesn't have: they may
        have been moved there."""
        return self._replace(plan=self.plan._replace(extras=()))

    def keeping_source(self) -> "PlannedTransfer":
        """The same, but deletes nothing of the source: a COPY."""
        return self._replace(plan=self.plan._replace(deletions=()))


class Planner:
    """Below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        directory_checks: DirectoryChecks,
        parents: Parents,
        parallel_requests: ParallelRequests,
    ) -> None:
        self._store = store
        self._view = view
        self._directory_checks = directory_checks
        self._parents = parents
        self._parallel_requests = parallel_requests

    def look_up(self, request: OperationRequest) -> SourceAndTarget:
        """Raises NotFoundError if there is no source."""
        source, target = self._view.lookup(request.source), self._view.find(request.target)
        if request.verb == "MOVE" and target and is_respelled(source, target, request.target):
            target = None
        return SourceAndTarget(source, target)

    def between(
        self,
        found: SourceAndTarget,
        target: ResourcePath,
        *,
        recursive: bool,
        verify_target: bool,
    ) -> PlannedTransfer:
        """Plans a COPY or MOVE to ``target`` of what was ``found``; not ``recursive``: without
        members. ``verify_target``: asks past all caches whether something is at the target."""
        origin, existing = found
        target = existing.path if existing else target
        require_no_overlap(origin.path, target, is_collection=origin.is_collection)
        target = self._parents.write_path(target, existing)
        # Once more: the parent may be spelt otherwise in the bucket.
        require_no_overlap(origin.path, target, is_collection=origin.is_collection)
        look = None
        if existing or origin.is_collection or verify_target:
            look = self._parallel_requests.begin(partial(self._target_keys, existing, target))
        is_whole = recursive or not origin.is_collection
        source_keys = self.keys(origin) if is_whole else NO_KEYS
        with store_wait():
            target_keys = look.result() if look else NO_KEYS
        if origin.is_collection and not source_keys.has_inside:
            self._require_there(origin)
        return self._planned(origin, target, source_keys, target_keys)

    def obstacles(self, transfer: PlannedTransfer, *, is_move: bool) -> list[Failure]:
        """Why a COPY or MOVE must not begin. Raises ArchivedError for a single file, and
        MissingRightError if what it would delete in the end can't be deleted."""
        mount, plan = self._view.prefix, transfer.plan
        going = (*plan.deletions, *plan.extras, *plan.clashes)
        self._store.require_deletable(row.key for row in going)
        blocked = obstacles(
            mount, plan, transfer.source_keys, transfer.target_keys, is_move=is_move
        )
        if blocked:
            return blocked
        archived = archived_members(self._store, mount, plan.copies, self._parallel_requests)
        if archived and transfer.source_tree is None:
            raise archived[0].error
        return archived

    def keys(self, resource: Resource) -> Keys:
        """All keys of a resource."""
        key = key_of(self._view.prefix, resource.path)
        folder = self._view.folder_marker(key)
        outer = (folder,) if folder else ()
        if resource.row is not None:
            return Keys((resource.row,), outer_markers=outer)
        mount, prefix = self._view.prefix, prefix_of(self._view.prefix, resource.path)
        rows = tuple(rows_below(self._store, prefix).values())
        keys = keys_inside(mount, rows)
        if directories := self._directory_checks.find_directories(keys.hidden):
            keys = keys_inside(mount, rows, directories)
        row = self._store.lookup(key).row
        if row is None or self._directory_checks.is_directory(row):
            return keys._replace(outer_markers=(row, *outer) if row else outer)
        return keys._replace(outer_markers=outer, same_name_object=row)

    def _target_keys(self, existing: Resource | None, path: ResourcePath) -> Keys:
        """Asks past all caches if nothing is known to be there. If a folder is copied to where
        another bridge has put something, it would hide a file, or fail at each member."""
        if existing is None:
            key = key_of(self._view.prefix, path)
            row, is_prefix = self._store.lookup(key, bypass_cache=True)
            if row is None and not is_prefix:
                return NO_KEYS
            existing = Resource(path, None if is_prefix else row)
        return self.keys(existing)

    def _require_there(self, collection: Resource) -> None:
        """Asks past all caches. What a cached listing shows, another bridge may have moved away:
        then the whole target would be deleted as members that the source doesn't have. Raises
        NotFoundError."""
        key, prefix = (at(self._view.prefix, collection.path) for at in (key_of, prefix_of))
        if next(self._store.list_objects(prefix)).rows:
            return
        row = row_at(self._store, key)
        if row and self._directory_checks.is_directory(row):
            return
        if not row_at(self._store, key + FOLDER_SUFFIX):
            raise NotFoundError(f"no collection is at {key!r} any more")

    def _planned(
        self, origin: Resource, target: ResourcePath, source_keys: Keys, target_keys: Keys
    ) -> PlannedTransfer:
        mount = self._view.prefix
        if not origin.is_collection:
            plan = plan_file(source_keys, key_of(mount, target), target_keys)
            return PlannedTransfer(origin, target, source_keys, target_keys, plan)
        trees = prefix_of(mount, origin.path), prefix_of(mount, target)
        plan = plan_tree(trees[0], source_keys, trees[1], target_keys)
        return PlannedTransfer(origin, target, source_keys, target_keys, plan, *trees)


def is_respelled(source: Resource, found: Resource, target: ResourcePath) -> bool:
    """Whether what was ``found`` at the target of a MOVE is its own source, whose name has another
    Unicode form there. Nothing is at the target then."""
    return bool(target) and found.path == source.path and target[-1] != source.path[-1]


def require_no_overlap(source: ResourcePath, target: ResourcePath, *, is_collection: bool) -> None:
    """Raises OverlappingPathsError. A collection inside itself would have no end; a target that
    holds the source would lose it (RFC 4918 §9.8.5, §9.9.4). Nothing can be inside a file, but that
    is another error."""
    if source == target:
        raise OverlappingPathsError("the source and the target are the same")
    if is_collection and target[: len(source)] == source:
        raise OverlappingPathsError("the target is inside the source")
    if source[: len(target)] == target:
        raise OverlappingPathsError("the source is inside the target")
