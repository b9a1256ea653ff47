"""Files of the target that a collection replaces, and the reverse.

They are deleted once all copies that replace them are there. Flat stores hold both names at the
same time. So does SeaweedFS, except for the collection's own marker: that is written after the file
is deleted. Until then the collection hides the file, as it would anywhere. A store that can't hold
both names (MinIO, versitygw) refuses the copies with AlreadyExistsError. Only there, the target is
deleted first, after a check that the sources can be read.

Invariants:
- Nothing of the target is deleted before the copies that replace it are made, unless the store has
  just refused one of them because of the target.
- Meanwhile this process writes nothing into the target: it would hide a file.
"""

from collections.abc import Sequence

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER, ResourcePath
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.plan import Plan, parent_keys, shown_path
from davbridge.tree.reads import rows_below
from davbridge.tree.resource import Failure
from davbridge.tree.steps.copies import Copies, CopyResult
from davbridge.tree.steps.progress import RunningOperation
from davbridge.tree.steps.removals import Removals


class Clashes:
    """Below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        copies: Copies,
        removals: Removals,
        path_locks: PathLocks,
    ) -> None:
        self._store = store
        self._mount = mount
        self._copies = copies
        self._removals = removals
        self._path_locks = path_locks

    def copy(
        self, plan: Plan, running: RunningOperation, planned: Sequence[ObjectRow]
    ) -> CopyResult:
        """Makes the copies, and doesn't verify them. ``planned``: all clashes of the plan, also
        those that are deleted already."""
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
        if blocked := self._removals.delete_from_target(
            plan, plan.clashes, running, planned=planned
        ):
            return copied._replace(failures=blocked)
        rest = plan._replace(
            clashes=(),
            marker=None if plan.marker in copied.created else plan.marker,
            copies=tuple(one for one in plan.copies if one.target not in copied.created),
        )
        again = self._copies.make(rest, running)
        created = {**copied.created, **again.created}
        return again._replace(
            created=created, checked_at=copied.checked_at, has_deleted_clashes=True
        )

    def delete(
        self,
        plan: Plan,
        copied: CopyResult,
        target: ResourcePath,
        tree: str | None,
        running: RunningOperation,
        planned: Sequence[ObjectRow],
    ) -> CopyResult:
        """Deletes the clashes, and writes the markers that the store refused because of them.
        ``tree``: the target's prefix, if it is a collection."""
        if copied.has_deleted_clashes or not (plan.clashes or planned):
            return copied
        try:
            # What is being written into a collection would hide the file that replaces it.
            with self._path_locks.exclude_writes(target):
                if tree is None and plan.clashes:
                    self._require_nothing_new(plan)
                if blocked := self._removals.delete_from_target(
                    plan, plan.clashes, running, planned=planned
                ):
                    return copied._replace(failures=blocked)
                copied = copied._replace(has_deleted_clashes=True)
                if tree is not None:
                    return self._copies.mark(plan, copied, running)
                self.require_alone(plan)
        except StoreError as error:
            return copied._replace(failures=[Failure(target, error)])
        return copied

    def require_alone(self, plan: Plan) -> None:
        """Raises PreconditionFailedError if a collection hides the copy of a file."""
        if next(self._store.list_objects(plan.target_prefix, page_size=1)).rows:
            raise PreconditionFailedError(f"a collection has appeared at {plan.target_prefix!r}")

    def _require_nothing_new(self, plan: Plan) -> None:
        """Raises PreconditionFailedError if members have been added to the collection that a file
        replaces. They would stay, and hide the file."""
        known = {row.key for row in plan.clashes}
        new = rows_below(self._store, plan.target_prefix).keys() - known
        if new - {name + DELIMITER for name in parent_keys(known)}:
            raise PreconditionFailedError(f"{sorted(new)} have appeared meanwhile")

    def _require_readable(self, row: ObjectRow) -> None:
        """Asks past all caches. The target must not be deleted for a source that is gone, has
        another version, or is in an archive."""
        with self._store.get_object(row.key, end=1 if row.size else None, if_match=row.etag) as it:
            it.read(1)
