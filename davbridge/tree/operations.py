"""DELETE, COPY and MOVE of resources: what is looked up, planned and carried out, in order.

Owns the way from two paths to a plan, and what goes along with a resource: its properties, and
its parent's marker. Must not know how a plan is carried out.

Invariants:
- Everything that can be refused is refused before the first write.
- A file over a collection, or the reverse, deletes the target first, since stores that keep
  folders can't hold both. In all other overwrites nothing of the target goes before the copies
  are verified.
- Properties: the target's entry is written once its copies are verified, and before a MOVE deletes
  anything; the source's is removed last. A stop between leaves an entry for a name that is gone,
  and who makes that name anew removes it.
- Operations on the same trees take turns, and look things up when theirs has come.
- One object's failure is raised; failures of a tree's members are returned.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from davbridge.errors import AlreadyExistsError, InvalidNameError, StoreError
from davbridge.paths import DELIMITER, ResourcePath, key_of, path_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree import journal
from davbridge.tree.facts import Properties, rebound
from davbridge.tree.markers import DirectoryVerdicts
from davbridge.tree.parents import Parents
from davbridge.tree.plan import (
    NO_KEYS,
    Keys,
    Plan,
    keys_inside,
    left_behind,
    obstacles,
    plan_file,
    plan_tree,
)
from davbridge.tree.properties import MemberProperties, Sidecars, is_sidecar
from davbridge.tree.resource import Failure, Resource
from davbridge.tree.transfer import Transfers
from davbridge.tree.turns import Turns
from davbridge.tree.view import View

_log = logging.getLogger(__name__)

RequireRoom = Callable[[int], object]
"""Raises OutOfSpaceError where so many bytes more don't fit."""


class Outcome(NamedTuple):
    """How an operation ended, and by how much it made the bucket grow, as far as is known."""

    failures: list[Failure]
    added_bytes: int = 0


class Operations:
    """Operations on trees below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        verdicts: DirectoryVerdicts,
        parents: Parents,
        sidecars: Sidecars,
        transfers: Transfers,
    ) -> None:
        self._store = store
        self._view = view
        self._verdicts = verdicts
        self._parents = parents
        self._sidecars = sidecars
        self._transfers = transfers
        self._turns = Turns()

    def delete(self, path: ResourcePath) -> Outcome:
        with self._turns.of(changed=[self._view.spelled(path)]):
            return self._delete(path)

    def copy(
        self,
        source: ResourcePath,
        target: ResourcePath,
        *,
        recursive: bool,
        require_room: RequireRoom,
    ) -> Outcome:
        spelled = self._view.spelled
        with self._turns.of(changed=[spelled(target)], read=[spelled(source)]):
            return self._copy(source, target, recursive=recursive, require_room=require_room)

    def move(self, source: ResourcePath, target: ResourcePath) -> Outcome:
        with self._turns.of(changed=[self._view.spelled(source), self._view.spelled(target)]):
            return self._move(source, target)

    def writing(self, path: ResourcePath) -> AbstractContextManager[None]:
        """Around the commit of a new version at ``path``: not between a MOVE's copy of the old
        one and its delete."""
        return self._turns.of(written=[path])

    def _delete(self, path: ResourcePath) -> Outcome:
        resource = self._view.lookup(path)
        if not resource.path:
            raise InvalidNameError("the root can't be deleted")
        with self._parents.leave(resource.path):
            return self._delete_all(resource, self._keys(resource))

    def _delete_all(self, resource: Resource, keys: Keys) -> Outcome:
        self._parents.keep(resource.path)
        tree = prefix_of(self._view.prefix, resource.path) if resource.is_collection else None
        failures = self._transfers.delete(keys, tree=tree)
        _raise_for_one(resource, failures)
        if failures:
            return Outcome(failures)
        self._forget_properties(resource.path)
        return Outcome([], -sum(row.size for row in (*keys.own, *keys.beside)))

    def _copy(
        self,
        source: ResourcePath,
        target: ResourcePath,
        *,
        recursive: bool,
        require_room: RequireRoom,
    ) -> Outcome:
        route = self._route(source, target, recursive=recursive)
        if blocked := route.obstacles(self._view.prefix, is_move=False):
            return Outcome(blocked)
        require_room(route.plan.added_bytes)
        _, failures = self._make_copies(route)
        if failures:
            _raise_for_one(route.source, failures)
            return Outcome(failures)
        return Outcome(self._transfers.drop_extras(route.plan), route.plan.added_bytes)

    def _move(self, source: ResourcePath, target: ResourcePath) -> Outcome:
        route = self._route(source, target, recursive=True)
        if blocked := route.obstacles(self._view.prefix, is_move=True):
            return Outcome(blocked)
        created, failures = self._make_copies(route)
        if failures:
            self._transfers.undo(route.plan, created)
            _raise_for_one(route.source, failures)
            return Outcome(failures)
        failures = self._transfers.drop_extras(route.plan)
        with self._parents.leave(route.source.path):
            left = self._leave_parent(route.source.path)
            left = left or self._transfers.drop_source(route.plan, tree=route.source_tree)
        _raise_for_one(route.source, left)
        if left:
            return Outcome(failures + left, route.plan.added_bytes)
        self._forget_properties(route.source.path)
        shadow = left_behind(self._view.prefix, Keys((), shadow=route.source_keys.shadow))
        removed = sum(row.size for row in route.plan.leaving)
        return Outcome(failures + shadow, route.plan.added_bytes - removed)

    def _route(self, source: ResourcePath, target: ResourcePath, *, recursive: bool) -> "_Route":
        """Looks everything up and plans; writes nothing."""
        origin = self._view.lookup(source)
        target = self._view.spelled(target)
        _require_apart(origin.path, target)
        self._parents.require_creatable(target)
        existing = self._view.find(target)
        if existing is None:
            self._parents.require(target)
        mount = self._view.prefix
        is_whole = recursive or not origin.is_collection
        source_keys = self._keys(origin) if is_whole else NO_KEYS
        target_keys = self._keys(existing) if existing else NO_KEYS
        if not origin.is_collection:
            plan = plan_file(source_keys, key_of(mount, target), target_keys)
            return _Route(origin, target, source_keys, target_keys, plan, None, None)
        trees = prefix_of(mount, origin.path), prefix_of(mount, target)
        plan = plan_tree(trees[0], source_keys, trees[1], target_keys)
        if self._is_resumed(source_keys, *trees):
            plan = plan._replace(extras=())
        return _Route(origin, target, source_keys, target_keys, plan, *trees)

    def _is_resumed(self, source_keys: Keys, source: str, target: str) -> bool:
        """Whether members that the source hasn't may be in the target because they are moved."""
        if not any(row.key == source + journal.JOURNAL_NAME for row in source_keys.own):
            return False
        return journal.was_begun(self._store, source, target)

    def _make_copies(self, route: "_Route") -> tuple[Mapping[str, str], list[Failure]]:
        """Up to the verified copies with their properties: the keys made, and the failures."""
        origin, origin_row = route.source.path, route.source.row
        properties = self._sidecars.read(self._parents.prefix(origin)).get(origin[-1], {})
        self._parents.settle(route.target)
        created, failures, renewed = self._transfers.copy(route.plan, tree=route.target_tree)
        failures = failures or self._rebind_inside(route.plan, renewed)
        if failures:
            return created, failures
        return created, self._give_properties(route.target, properties, origin_row)

    def _give_properties(
        self, target: ResourcePath, properties: Properties, source: ObjectRow | None
    ) -> list[Failure]:
        try:
            if source is not None:
                properties = self._rebound(properties, source, target)
        except StoreError as error:
            return [Failure(target, error)]
        return self._write_properties(target, properties)

    def _rebind_inside(self, plan: Plan, renewed: Mapping[str, str]) -> list[Failure]:
        """The same as `_rebound` for the sidecars that were copied along in a tree."""
        sidecars = [copy.target for copy in plan.copies if is_sidecar(copy.target)]
        new_etags = {
            copy.target: (copy.source.etag, renewed[copy.target])
            for copy in plan.copies
            if copy.target in renewed
        }
        try:
            for prefix in {key[: key.rfind(DELIMITER) + 1] for key in sidecars}:
                self._sidecars.update_members(prefix, partial(_rebound_members, prefix, new_etags))
        except StoreError as error:
            return [Failure(path_of(self._view.prefix, plan.target_prefix) or (), error)]
        return []

    def _rebound(
        self, properties: Properties, source: ObjectRow, target: ResourcePath
    ) -> Properties:
        """What was told of the source's version is told of the copy, whose ETag differs where a
        store copies in parts what was uploaded in parts."""
        copied = self._store.lookup(key_of(self._view.prefix, target)).row
        return rebound(properties, source.etag, copied.etag) if copied else properties

    def _leave_parent(self, path: ResourcePath) -> list[Failure]:
        """Marks the parent where it needs that; else the source stays, as well as its copy."""
        try:
            self._parents.keep(path)
        except StoreError as error:
            return [Failure(path, error)]
        return []

    def _write_properties(self, path: ResourcePath, properties: Properties) -> list[Failure]:
        try:
            self._sidecars.put(self._parents.prefix(path), path[-1], properties)
        except StoreError as error:
            return [Failure(path, error)]
        return []

    def _forget_properties(self, path: ResourcePath) -> None:
        if self._write_properties(path, {}):
            _log.warning("the properties of %r are left, though it is gone", "/".join(path))

    def _keys(self, resource: Resource) -> Keys:
        """Everything that the resource consists of."""
        key = key_of(self._view.prefix, resource.path)
        folder = self._view.folder_row(key)
        beside = (folder,) if folder else ()
        if resource.row is not None:
            return Keys((resource.row,), beside=beside)
        mount, prefix = self._view.prefix, prefix_of(self._view.prefix, resource.path)
        rows = [row for page in self._store.list_objects(prefix) for row in page.rows]
        keys = keys_inside(mount, rows)
        if directories := self._verdicts.among(keys.hidden):
            keys = keys_inside(mount, rows, directories)
        row = self._store.lookup(key).row
        if row is None or self._verdicts.is_directory(row):
            return keys._replace(beside=(row, *beside) if row else beside)
        return keys._replace(beside=beside, shadow=row)


class _Route(NamedTuple):
    """A COPY or MOVE, looked up and planned."""

    source: Resource
    target: ResourcePath
    source_keys: Keys
    target_keys: Keys
    plan: Plan
    source_tree: str | None
    """The prefix, where the source is a collection; so for the target."""
    target_tree: str | None

    def obstacles(self, mount: str, *, is_move: bool) -> list[Failure]:
        return obstacles(mount, self.plan, self.source_keys, self.target_keys, is_move=is_move)


def _rebound_members(
    prefix: str, new_etags: Mapping[str, tuple[str, str]], members: MemberProperties
) -> MemberProperties:
    return {
        name: rebound(properties, *new_etags[prefix + name])
        if prefix + name in new_etags
        else properties
        for name, properties in members.items()
    }


def _require_apart(source: ResourcePath, target: ResourcePath) -> None:
    if source == target:
        raise AlreadyExistsError("the source and the target are the same")
    if target[: len(source)] == source:
        raise InvalidNameError("the target is inside the source")
    if source[: len(target)] == target:
        raise InvalidNameError("the source is inside the target")


def _raise_for_one(resource: Resource, failures: list[Failure]) -> None:
    """There are no members to tell of: the failure is that of the whole request."""
    if failures and not resource.is_collection:
        raise failures[0].error
