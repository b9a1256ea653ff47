"""The steps of COPY and MOVE that both a new one and a resumed one take.

Owns what belongs to each step: properties, the parent's marker, who is shut out meanwhile. Must
not know why a plan is as it is.

Invariant: a step returns what it couldn't do of its plan; where it raises a StoreError, it has
touched nothing that the plan names.
"""

from collections.abc import Mapping

from davbridge.errors import StoreError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.belongings import Belongings
from davbridge.tree.copies import Copied, Copies
from davbridge.tree.facts import Properties
from davbridge.tree.lanes import Lanes
from davbridge.tree.parents import Parents
from davbridge.tree.plan import Plan
from davbridge.tree.removals import Removals
from davbridge.tree.resource import Failure
from davbridge.tree.turns import Turns
from davbridge.tree.works import Work


class Steps:
    """Below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        parents: Parents,
        belongings: Belongings,
        lanes: Lanes,
        turns: Turns,
    ) -> None:
        self._store = store
        self.removals = Removals(store, mount, lanes)
        self._parents = parents
        self._belongings = belongings
        self._copies = Copies(store, mount, lanes)
        self._turns = turns

    def copy(
        self,
        plan: Plan,
        target: ResourcePath,
        tree: str | None,
        work: Work,
        *,
        is_careful: bool = False,
    ) -> Copied:
        """Up to the verified copies; ``tree``: the target's prefix, if it is a collection.
        ``is_careful``: as for `Copies.make`."""
        self._parents.settle(target)
        if plan.clashes and tree is None:
            try:
                self._require_readable(plan.copies[0].source)
            except StoreError as error:
                return Copied({}, [Failure(target, error)])
        if blocked := self.removals.clear(plan, plan.clashes, work):
            return Copied({}, blocked)
        return self._copies.make(plan, work, tree=tree, is_careful=is_careful)

    def _require_readable(self, row: ObjectRow) -> None:
        """Asks past all caches: what a file replaces goes before it is copied, and mustn't go for
        one that is gone by now, or another one, or in an archive."""
        with self._store.get_object(row.key, end=1 if row.size else None, if_match=row.etag) as it:
            it.read(1)

    def give(
        self,
        plan: Plan,
        renewed: Mapping[str, str],
        target: ResourcePath,
        properties: Properties,
        work: Work,
        source: ObjectRow | None = None,
    ) -> list[Failure]:
        """The properties: those in the tree, and the target's own. ``source``: a file's row."""
        work.require()
        return self._belongings.rebind_inside(plan, renewed) or self._belongings.give(
            target, properties, source
        )

    def drop_extras(self, plan: Plan, work: Work) -> list[Failure]:
        """Deletes the members of the target that the source hasn't."""
        return self.removals.clear(plan, plan.extras, work)

    def leave(
        self, source: ResourcePath, plan: Plan, tree: str | None, work: Work
    ) -> list[Failure]:
        """Deletes the source, unless its parent can't be marked where it needs that. (Where nothing
        goes the parent may be gone as well, and isn't made again.)"""
        with self._parents.leave(source), self._turns.shut(source):
            try:
                if plan.leaving:
                    self._parents.keep(source)
            except StoreError as error:
                return [Failure(source, error)]
            return self.removals.drop_source(plan, work, tree=tree)
