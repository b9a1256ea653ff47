"""What a DELETE or an overwrite deletes, in an order that loses nothing.

What a MOVE deletes is in `checked_deletes`.

Invariants:
- Members are deleted before the markers and the sidecars of their collections. Of a sidecar that
  an overwrite deletes, the head is deleted before the segments that it names.
- An overwrite deletes only versions that were listed. The store itself checks that by ETags, where
  it can.
- What can't be deleted is returned as a Failure with its path.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.plan import (
    Keys,
    Plan,
    deletion_order,
    is_marker,
    left_behind,
    shown_path,
)
from davbridge.tree.properties.sidecar_format import is_head, is_segment
from davbridge.tree.reads import rows_below
from davbridge.tree.reserved_names import is_own
from davbridge.tree.resource import Failure
from davbridge.tree.steps.batches import (
    Batches,
    Deadline,
    collection_of,
    goes_last,
    of_emptied,
    versions_of,
)
from davbridge.tree.steps.progress import RunningOperation


class Removals:
    """Deletes below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, batches: Batches) -> None:
        self._store = store
        self._mount = mount
        self._batches = batches

    def delete(
        self,
        keys: Keys,
        running: RunningOperation,
        *,
        tree: str | None,
        deadline: Deadline = nullcontext,
    ) -> list[Failure]:
        """Deletes what may be deleted, and returns what is left. ``tree``: the prefix of a
        collection. ``deadline``: until when that may have an effect."""
        staying = {row.key for row in (*keys.blockers, *keys.hidden)}
        going = (*keys.proper, *keys.outer_markers)
        failed = self._delete_tree(going, tree, staying, running, deadline)
        return left_behind(self._mount, keys) + self.failures(failed)

    def delete_version(self, rows: Sequence[ObjectRow], running: RunningOperation) -> list[Failure]:
        """Deletes a file, the first of the rows, if it is still this version, and then its outer
        markers. Unlike with a member, it matters who has deleted the file: NotFoundError is a
        failure."""
        file, *outer_markers = rows
        try:
            with running.under_lease():
                self._store.delete_object(file.key, version=file)
        except StoreError as error:
            return self.failures([DeleteFailure(file.key, error)])
        running.advance()
        keys = [row.key for row in outer_markers]
        return self.failures(self._batches.delete(keys, running, versions_of(outer_markers)))

    def delete_from_target(
        self,
        plan: Plan,
        rows: Sequence[ObjectRow],
        running: RunningOperation,
        *,
        planned: Sequence[ObjectRow] = (),
    ) -> list[Failure]:
        """Deletes a part of the target: what clashes with the plan, or has no source. The sidecar
        of a member that can't be deleted stays. ``planned``: all of that part, also what is deleted
        already. Stores that keep folders may still have the folders around it."""
        keys = {row.key for row in (*rows, *planned)}
        order = deletion_order(keys, plan.target_prefix, plan.wanted)
        versions = versions_of(rows)
        members = [key for key in order if key in versions and not goes_last(key)]
        late = [key for key in order if is_own(key) and key in versions]
        markers = [key for key in order if is_marker(key)]
        if not late:
            return self.failures(self._batches.delete([*members, *markers], running, versions))
        failed = self._batches.delete(members, running, versions)
        occupied = {collection_of(one.key) for one in failed}
        late = [key for key in late if collection_of(key) not in occupied]
        if segments := [key for key in late if is_segment(key)]:
            heads = [key for key in late if not is_segment(key)]
            failed += self._batches.delete(heads, running, versions)
            late = of_emptied(segments, [one.key for one in failed])
        return self.failures(failed + self._batches.delete([*late, *markers], running, versions))

    def failures(self, failed: Iterable[DeleteFailure]) -> list[Failure]:
        """The same failures, by paths."""
        return [Failure(shown_path(self._mount, one.key), one.error) for one in failed]

    def _delete_tree(
        self,
        rows: Sequence[ObjectRow],
        tree: str | None,
        staying: Collection[str],
        running: RunningOperation,
        deadline: Deadline,
    ) -> list[DeleteFailure]:
        """Deletes markers and sidecars last, and only from collections in which nothing is left.
        Sidecars that were changed meanwhile go with the segments that they have by now."""
        going = {row.key for row in rows}.difference(staying)
        order = deletion_order(going, tree, staying)
        late = [key for key in order if goes_last(key)]
        first = [key for key in order if not goes_last(key)]
        if not any(map(is_own, late)):
            # A collection that keeps a member needs no marker: nothing depends on what fails.
            return self._batches.delete([*first, *of_emptied(late, staying)], running, {}, deadline)
        failed = self._batches.delete(first, running, {}, deadline)
        rest = of_emptied(late, [*staying, *(one.key for one in failed)])
        heads = {row.key: row for row in rows if is_head(row.key)}
        last = self._batches.delete(rest, running, heads, deadline)
        changed = {one.key for one in last if isinstance(one.error, PreconditionFailedError)}
        if not changed:
            return failed + last
        try:
            # Another bridge has changed the properties, and they may have new segments.
            late = [key for head in sorted(changed) for key in rows_below(self._store, head)]
        except StoreError:
            return failed + last
        again = {*changed, *filter(is_marker, rest)}
        failed += [one for one in last if one.key not in again]
        late += [key for key in rest if is_marker(key)]
        return failed + self._batches.delete(late, running, {}, deadline)
