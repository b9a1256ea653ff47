"""What a DELETE or an overwrite takes away, in an order that loses nothing.

Must not decide which keys are concerned: plans do. What a MOVE takes away is checked_deletes'.

Invariants:
- Members go before the markers and the sidecars of their collections.
- An overwrite deletes only what was listed. The store itself holds that, by ETags, where it can.
- What can't be deleted comes back as a Failure with its path.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext

from davbridge.errors import StoreError
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.plan import (
    Keys,
    Plan,
    deletion_order,
    is_marker,
    left_behind,
    shown_path,
)
from davbridge.tree.reserved_names import is_own
from davbridge.tree.resource import Failure
from davbridge.tree.steps.batches import Batches, Bounds, home, is_late, outside, versions_of
from davbridge.tree.steps.progress import RunningOperation


class Removals:
    """Deletes below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, batches: Batches) -> None:
        self._store = store
        self._mount = mount
        self._batches = batches

    def remove(
        self,
        keys: Keys,
        running: RunningOperation,
        *,
        tree: str | None,
        bounds: Bounds = nullcontext,
    ) -> list[Failure]:
        """Deletes what may be deleted, and tells what is left. ``tree``: a collection's prefix.
        ``bounds``: until when that may have an effect."""
        left = {row.key for row in (*keys.blockers, *keys.hidden)}
        failed = self._delete_tree((*keys.proper, *keys.beside), tree, left, running, bounds)
        return left_behind(self._mount, keys) + self.failures(failed)

    def remove_version(self, rows: Sequence[ObjectRow], running: RunningOperation) -> list[Failure]:
        """Deletes a file, the first of the rows, if it is still this version, and what lies beside
        it. Unlike for a member, it matters who has deleted it: NotFoundError is a failure."""
        file, *beside = rows
        try:
            with running.step():
                self._store.delete_object(file.key, version=file)
        except StoreError as error:
            return self.failures([DeleteFailure(file.key, error)])
        running.advance()
        keys = [row.key for row in beside]
        return self.failures(self._batches.delete(keys, running, versions_of(beside)))

    def clear(
        self,
        plan: Plan,
        rows: Sequence[ObjectRow],
        running: RunningOperation,
        *,
        planned: Sequence[ObjectRow] = (),
    ) -> list[Failure]:
        """Deletes a part of the target: what clashes with a plan, or has no source. The sidecar of
        a member that can't be deleted stays. ``planned``: all of that part, as far as some of it
        has gone before: stores that keep folders may still have those that it was in."""
        keys = {row.key for row in (*rows, *planned)}
        order = deletion_order(keys, plan.target_prefix, plan.wanted)
        versions = versions_of(rows)
        members = [key for key in order if key in versions and not is_late(key)]
        late = [key for key in order if is_own(key) and key in versions]
        markers = [key for key in order if is_marker(key)]
        if not late:
            return self.failures(self._batches.delete([*members, *markers], running, versions))
        failed = self._batches.delete(members, running, versions)
        held = {home(one.key) for one in failed}
        late = [key for key in late if home(key) not in held]
        return self.failures(failed + self._batches.delete([*late, *markers], running, versions))

    def failures(self, failed: Iterable[DeleteFailure]) -> list[Failure]:
        """The same, by paths."""
        return [Failure(shown_path(self._mount, one.key), one.error) for one in failed]

    def _delete_tree(
        self,
        rows: Sequence[ObjectRow],
        tree: str | None,
        left: Collection[str],
        running: RunningOperation,
        bounds: Bounds,
    ) -> list[DeleteFailure]:
        """Markers and sidecars go last, and only from collections in which nothing is left."""
        going = {row.key for row in rows}.difference(left)
        order = deletion_order(going, tree, left)
        late = [key for key in order if is_late(key)]
        first = [key for key in order if not is_late(key)]
        if not any(map(is_own, late)):
            # A collection that keeps a member needs no marker: nothing depends on what fails.
            return self._batches.delete([*first, *outside(late, left)], running, {}, bounds)
        failed = self._batches.delete(first, running, {}, bounds)
        rest = outside(late, [*left, *(one.key for one in failed)])
        return failed + self._batches.delete(rest, running, {}, bounds)
