"""What a DELETE, an overwrite or a MOVE takes away: batches, in an order that loses nothing.

Owns how deletions are asked for. Must not decide which keys are concerned: plans do.

Invariants:
- Members go before the markers and the sidecars of their collections.
- A MOVE deletes only what is still the version that was copied, and an overwrite only what was
  listed. The store itself holds that, by ETags, where it can. Markers have none: they are alike.
- What can't be deleted comes back as a Failure with its path.
"""

import logging
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER
from davbridge.store.base import NO_VERSIONS, DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.lanes import Lanes
from davbridge.tree.plan import (
    Keys,
    Plan,
    deletion_order,
    is_marker,
    left_behind,
    parent_keys,
    shown_path,
)
from davbridge.tree.reserved import is_own
from davbridge.tree.resource import Failure
from davbridge.tree.rows import row_at, rows_below
from davbridge.tree.works import Work

BATCH = 250
"""Keys. SeaweedFS goes through a batch key by key; four of them side by side take less than half
the time of one that is as large (0.9 and 0.4 s for 1,000 keys), and more don't take less."""

BATCHES_AT_ONCE = 4
"""Together a thousand keys, which AWS takes at a time anyway: it limits deletes by the second."""

_log = logging.getLogger(__name__)


class Removals:
    """Deletes below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, lanes: Lanes) -> None:
        self._store = store
        self._mount = mount
        self._lanes = lanes

    def remove(self, keys: Keys, work: Work, *, tree: str | None) -> list[Failure]:
        """Deletes what may be deleted, and tells what is left. ``tree``: a collection's prefix."""
        left = {row.key for row in (*keys.blockers, *keys.hidden)}
        failed = self._delete_tree((*keys.proper, *keys.beside), tree, left, work, NO_VERSIONS)
        return left_behind(self._mount, keys) + self._failures(failed)

    def remove_version(self, rows: Sequence[ObjectRow], work: Work) -> list[Failure]:
        """Deletes a file, the first of the rows, if it is still this version, and what lies beside
        it. Unlike for a member, it matters who has deleted it: NotFoundError is a failure."""
        file, *beside = rows
        try:
            work.require()
            self._store.delete_object(file.key, version=file)
        except StoreError as error:
            return self._failures([DeleteFailure(file.key, error)])
        work.advance()
        return self._failures(self._delete([row.key for row in beside], work, _versions(beside)))

    def clear(self, plan: Plan, rows: Sequence[ObjectRow], work: Work) -> list[Failure]:
        """Deletes a part of the target: what clashes with a plan, or has no source. The sidecar of
        a member that can't be deleted stays."""
        order = deletion_order((row.key for row in rows), plan.target_prefix, plan.wanted)
        versions = _versions(rows)
        members = [key for key in order if not (is_marker(key) or is_own(key))]
        if len(members) == len(order):
            return self._failures(self._delete(order, work, versions))
        failed = self._delete(members, work, versions)
        held = {_home(one.key) for one in failed}
        late = [key for key in order if is_own(key) and _home(key) not in held]
        late += [key for key in order if is_marker(key)]
        return self._failures(failed + self._delete(late, work, versions))

    def undo(
        self,
        plan: Plan,
        made: Mapping[str, str],
        work: Work,
        *,
        source_tree: str | None,
    ) -> None:
        """Removes what was copied anew, unless somebody has written it since, or its source is
        gone: another bridge may have taken that away, for the sake of this very copy."""
        replaced = {row.key for row in plan.replaced}
        created = {key: etag for key, etag in made.items() if key not in replaced}
        seen = self._lanes.each(self._still, list(created.items()))
        versions = {row.key: row for row in seen if row}
        sources = {copy.target: copy.source.key for copy in plan.copies}
        try:
            there = self._sources_now(sources.values(), source_tree)
        except StoreError as error:
            _log.error("a move that failed is left half done: %s", error)
            return
        ours = [key for key in versions if sources.get(key) in there or key not in sources]
        staying = {*replaced, *(created.keys() - set(ours))}
        order = deletion_order(ours, plan.target_prefix, staying)
        versions = _versions([versions[key] for key in ours])
        for failure in self._delete(order, work, versions):
            _log.error("left of a move that failed: %r (%s)", failure.key, failure.error)

    def drop_source(self, plan: Plan, work: Work, *, tree: str | None) -> list[Failure]:
        """The end of a MOVE. ``tree``: the source's prefix; what changed in it meanwhile stays."""
        if tree is None:
            return self.remove_version(plan.leaving, work)
        try:
            now = rows_below(self._store, tree)
        except StoreError as unseen:
            return [Failure(shown_path(self._mount, tree), unseen)]
        error = PreconditionFailedError("was changed while it was moved, and is left")
        changed = [
            DeleteFailure(row.key, error)
            for row in plan.leaving
            if _is_changed(row, now.get(row.key))
        ]
        left = now.keys() - {row.key for row in plan.leaving}
        left |= {failure.key for failure in changed}
        versions = _versions(plan.leaving)
        failed = [*changed, *self._delete_tree(plan.leaving, tree, left, work, versions)]
        work.leaves_source = bool(failed or left)
        return self._failures(failed)

    def _still(self, made: tuple[str, str]) -> ObjectRow | None:
        """What is at the key, if it has this ETag."""
        key, etag = made
        try:
            row = self._store.head_object(key).row
        except StoreError as error:
            _log.error("left of a move that failed: %r (%s)", key, error)
            return None
        return row if row.etag == etag else None

    def _sources_now(self, keys: Iterable[str], tree: str | None) -> Container[str]:
        """Those that are there still."""
        if tree is not None:
            return rows_below(self._store, tree)
        return {row.key for row in (row_at(self._store, key) for key in keys) if row}

    def _delete_tree(
        self,
        rows: Sequence[ObjectRow],
        tree: str | None,
        left: Collection[str],
        work: Work,
        versions: Mapping[str, ObjectRow],
    ) -> list[DeleteFailure]:
        """Markers and sidecars go last, and only from collections in which nothing is left."""
        going = {row.key for row in rows}.difference(left)
        order = deletion_order(going, tree, left)
        late = [key for key in order if is_marker(key) or is_own(key)]
        first = [key for key in order if not (is_marker(key) or is_own(key))]
        if not any(map(is_own, late)):
            # A collection that keeps a member needs no marker: nothing depends on what fails.
            return self._delete([*first, *_outside(late, left)], work, versions)
        failed = self._delete(first, work, versions)
        rest = _outside(late, [*left, *(one.key for one in failed)])
        return failed + self._delete(rest, work, versions)

    def _delete(
        self, keys: Sequence[str], work: Work, versions: Mapping[str, ObjectRow]
    ) -> list[DeleteFailure]:
        """In their order; but many go side by side, and the markers after all others."""
        if len(keys) <= BATCH:
            return self._delete_batch(work, versions, keys)
        members = [key for key in keys if not is_marker(key)]
        batches = [members[at : at + BATCH] for at in range(0, len(members), BATCH)]
        failed = self._lanes.each(
            partial(self._delete_batch, work, versions), batches, at_once=BATCHES_AT_ONCE
        )
        markers = [key for key in keys if is_marker(key)]
        return [*chain.from_iterable(failed), *self._delete_batch(work, versions, markers)]

    def _delete_batch(
        self, work: Work, versions: Mapping[str, ObjectRow], keys: Sequence[str]
    ) -> list[DeleteFailure]:
        try:
            work.require()
            if len(keys) == 1:
                with suppress(NotFoundError):
                    self._store.delete_object(keys[0], version=versions.get(keys[0]))
                failed = []
            else:
                failed = self._store.delete_objects(keys, versions=versions) if keys else []
        except StoreError as error:
            return [DeleteFailure(key, error) for key in keys]
        work.advance(len(keys) - len(failed))
        return failed

    def _failures(self, failed: Sequence[DeleteFailure]) -> list[Failure]:
        return [Failure(shown_path(self._mount, one.key), one.error) for one in failed]


def _versions(rows: Iterable[ObjectRow]) -> dict[str, ObjectRow]:
    """By key. Stores that keep folders may tell another ETag of a marker at each look."""
    return {row.key: row for row in rows if not is_marker(row.key)}


def _is_changed(planned: ObjectRow, now: ObjectRow | None) -> bool:
    """By what was copied. The time doesn't count here: one that a write has told may differ from a
    listing's by a second. (`remains`, which compares hours later, takes it in.)"""
    return now is not None and (now.etag, now.size) != (planned.etag, planned.size)


def _outside(keys: Iterable[str], left: Iterable[str]) -> list[str]:
    """Those markers and sidecars whose collections hold nothing that is left."""
    held = parent_keys(left)
    return [key for key in keys if _home(key) not in held]


def _home(key: str) -> str:
    """The slashless key of the collection that ``key`` marks, or is directly in."""
    return key.rpartition(DELIMITER)[0]
