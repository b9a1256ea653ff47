"""DELETE, COPY and MOVE of resources: what is carried out, in which order.

Owns the order, and what goes along with a resource: its properties, and its parent's marker. Must
not know how a plan is made, nor how the store is asked.

Invariants:
- Everything that can be refused is refused before the first write.
- Clashes, marker, copies, verification, the target's properties, extras; only then a MOVE deletes,
  and the source's properties go last. Whatever it stops at, each object is at the source or the
  target, or at both.
- A MOVE deletes nothing until every copy is verified. If one isn't, what was copied anew is
  removed again, and the source stays whole.
- A file over a collection, or the reverse, deletes the target first, since stores that keep
  folders can't hold both. In all other overwrites nothing of the target goes before the copies
  are verified.
- Operations on the same trees take turns, and look things up when theirs has come.
- One object's failure is raised; failures of a tree's members are returned.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from davbridge.errors import InvalidNameError, StoreError
from davbridge.paths import ResourcePath, prefix_of
from davbridge.store.base import ObjectStore
from davbridge.tree.belongings import Belongings
from davbridge.tree.copies import Copied, Copies
from davbridge.tree.facts import Properties
from davbridge.tree.lanes import Lanes
from davbridge.tree.markers import DirectoryVerdicts
from davbridge.tree.parents import Parents
from davbridge.tree.plan import Keys, Plan, left_behind
from davbridge.tree.removals import Removals
from davbridge.tree.resource import Failure, Resource
from davbridge.tree.route import Route, Routes
from davbridge.tree.turns import Turns
from davbridge.tree.view import View

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
        belongings: Belongings,
        lanes: Lanes,
    ) -> None:
        self._view = view
        self._parents = parents
        self._belongings = belongings
        self._routes = Routes(store, view, verdicts, parents, lanes)
        self._copies = Copies(store, view.prefix, lanes)
        self._removals = Removals(store, view.prefix, lanes)
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
        """Around the commit of a new version at ``path``: not between a MOVE's last look at the
        old one and its delete."""
        return self._turns.of(written=[path])

    def _delete(self, path: ResourcePath) -> Outcome:
        resource = self._view.lookup(path)
        path = resource.path
        if not path:
            raise InvalidNameError("the root can't be deleted")
        has_belongings = bool(self._belongings.of(path))
        with self._parents.leave(path):
            keys = self._routes.keys(resource)
            self._parents.keep(path)
            tree = prefix_of(self._view.prefix, path) if resource.is_collection else None
            failures = self._removals.remove(keys, tree=tree)
        _raise_for_one(resource, failures)
        if failures:
            return Outcome(failures)
        if has_belongings:
            self._belongings.forget(path)
        return Outcome([], -sum(row.size for row in (*keys.own, *keys.beside)))

    def _copy(
        self,
        source: ResourcePath,
        target: ResourcePath,
        *,
        recursive: bool,
        require_room: RequireRoom,
    ) -> Outcome:
        route = self._routes.between(source, target, recursive=recursive)
        if blocked := route.obstacles(self._view.prefix, is_move=False):
            return Outcome(blocked)
        require_room(route.plan.added_bytes)
        properties = self._belongings.of(route.source.path)
        if failures := self._make_copies(route, properties).failures:
            _raise_for_one(route.source, failures)
            return Outcome(failures)
        return Outcome(self._drop_extras(route.plan), route.plan.added_bytes)

    def _move(self, source: ResourcePath, target: ResourcePath) -> Outcome:
        route = self._routes.between(source, target, recursive=True)
        if blocked := route.obstacles(self._view.prefix, is_move=True):
            return Outcome(blocked)
        plan, origin = route.plan, route.source
        properties = self._belongings.of(origin.path)
        copied = self._make_copies(route, properties)
        if copied.failures:
            self._removals.undo(plan, copied.created)
            _raise_for_one(origin, copied.failures)
            return Outcome(copied.failures)
        failures = self._drop_extras(plan)
        with self._parents.leave(origin.path), self._turns.shut(origin.path):
            left = self._leave_parent(origin.path)
            left = left or self._removals.drop_source(plan, tree=route.source_tree)
        _raise_for_one(origin, left)
        if left:
            return Outcome(failures + left, plan.added_bytes)
        if properties:
            self._belongings.forget(origin.path)
        shadow = left_behind(self._view.prefix, Keys((), shadow=route.source_keys.shadow))
        removed = sum(row.size for row in plan.leaving)
        return Outcome(failures + shadow, plan.added_bytes - removed)

    def _make_copies(self, route: Route, properties: Properties) -> Copied:
        """Up to the verified copies with their properties."""
        plan = route.plan
        self._parents.settle(route.target)
        if route.is_to_new:
            self._belongings.clear(route.target)
        if blocked := self._removals.clear(plan, plan.clashes):
            return Copied({}, blocked)
        copied = self._copies.make(plan, tree=route.target_tree)
        failures = (
            copied.failures
            or self._belongings.rebind_inside(plan, copied.renewed)
            or self._belongings.give(route.target, properties, route.source.row)
        )
        return copied._replace(failures=failures)

    def _drop_extras(self, plan: Plan) -> list[Failure]:
        """Deletes the members of the target that the source hasn't."""
        return self._removals.clear(plan, plan.extras)

    def _leave_parent(self, path: ResourcePath) -> list[Failure]:
        """Marks the parent where it needs that; else the source stays, as well as its copy."""
        try:
            self._parents.keep(path)
        except StoreError as error:
            return [Failure(path, error)]
        return []


def _raise_for_one(resource: Resource, failures: list[Failure]) -> None:
    """There are no members to tell of: the failure is that of the whole request."""
    if failures and not resource.is_collection:
        raise failures[0].error
