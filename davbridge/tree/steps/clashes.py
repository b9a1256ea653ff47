"""What a COPY or MOVE replaces by something of the other kind: a file by a collection, or the
reverse. It goes once all that comes in its place is there.

Flat stores hold both names side by side, and so does SeaweedFS, but for the collection's own
marker: that is written when the file has gone. Until then a collection hides a file of its name, as
anywhere. A store that can't hold both (MinIO, versitygw) refuses the copies with
AlreadyExistsError; there alone the target goes first, once the sources were seen to be readable.

Invariant: nothing of the target goes before the copies that replace it are made, unless the store
has just refused one of them for the sake of what is there.
"""

from collections.abc import Sequence

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER, ResourcePath
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.plan import Plan, parent_keys, shown_path
from davbridge.tree.reads import rows_below
from davbridge.tree.resource import Failure
from davbridge.tree.steps.copies import Copied, Copies
from davbridge.tree.steps.progress import RunningOperation
from davbridge.tree.steps.removals import Removals


class Clashes:
    """Of plans below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, copies: Copies, removals: Removals) -> None:
        self._store = store
        self._mount = mount
        self._copies = copies
        self._removals = removals

    def copy(self, plan: Plan, running: RunningOperation, planned: Sequence[ObjectRow]) -> Copied:
        """The copies, not verified yet. ``planned``: the clashes, be they gone by now."""
        copied = self._copies.make(plan, running)
        if not copied.refused or not plan.displacing.issuperset(
            one.target for one in copied.refused
        ):
            return copied
        for refused in copied.refused:
            try:
                self._require_readable(refused.source)
            except StoreError as error:
                failure = Failure(shown_path(self._mount, refused.source.key), error)
                return copied._replace(failures=[failure])
        if blocked := self._removals.clear(plan, plan.clashes, running, planned=planned):
            return copied._replace(failures=blocked)
        rest = plan._replace(
            clashes=(),
            marker=None if plan.marker in copied.made else plan.marker,
            copies=tuple(one for one in plan.copies if one.target not in copied.made),
        )
        again = self._copies.make(rest, running)
        made = {**copied.made, **again.made}
        return again._replace(made=made, looked_at=copied.looked_at, is_cleared=True)

    def clear(
        self,
        plan: Plan,
        copied: Copied,
        target: ResourcePath,
        tree: str | None,
        running: RunningOperation,
        planned: Sequence[ObjectRow],
    ) -> Copied:
        """Deletes what the copies replace, and writes the markers that it was in the way of.
        ``tree``: the target's prefix, if it is a collection."""
        if copied.is_cleared or not (plan.clashes or planned):
            return copied
        try:
            if tree is None and plan.clashes:
                self._require_nothing_new(plan)
            if blocked := self._removals.clear(plan, plan.clashes, running, planned=planned):
                return copied._replace(failures=blocked)
            copied = copied._replace(is_cleared=True)
            if tree is not None:
                return self._copies.mark(plan, copied, running)
            self.require_alone(plan)
        except StoreError as error:
            return copied._replace(failures=[Failure(target, error)])
        return copied

    def require_alone(self, plan: Plan) -> None:
        """That no collection hides the copy of a file. Raises PreconditionFailedError."""
        if next(self._store.list_objects(plan.target_prefix, page_size=1)).rows:
            raise PreconditionFailedError(f"a collection has come to be at {plan.target_prefix!r}")

    def _require_nothing_new(self, plan: Plan) -> None:
        """In the collection that a file replaces: what has come meanwhile would stay, and hide the
        file, for which the rest would be gone. Raises PreconditionFailedError."""
        known = {row.key for row in plan.clashes}
        new = rows_below(self._store, plan.target_prefix).keys() - known
        if new - {name + DELIMITER for name in parent_keys(known)}:
            raise PreconditionFailedError(f"{sorted(new)} have come meanwhile")

    def _require_readable(self, row: ObjectRow) -> None:
        """Asks past all caches: what goes before the copies mustn't go for a source that is gone
        by now, or another one, or in an archive."""
        with self._store.get_object(row.key, end=1 if row.size else None, if_match=row.etag) as it:
            it.read(1)
