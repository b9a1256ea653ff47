"""COPY, MOVE and DELETE, carried out: plans become requests.

Owns the order of the requests. Must not decide which keys are concerned; plans do.

Invariants:
- Clashes, marker, copies, verification, the target's properties, extras; only then a MOVE deletes,
  and the source's properties go last. Whatever it stops at, each object is at the source or the
  target, or at both.
- A MOVE deletes nothing until every copy is verified. If one isn't, what was copied anew is
  removed again, and the source stays whole.
- A copy is of the very version that was listed, and never falls on an object that the listing
  didn't show. A MOVE of a tree deletes only what is still that version.
- What can't be dealt with comes back as a Failure with its path.
"""

import logging
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import NamedTuple

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError, UnavailableError
from davbridge.paths import DELIMITER
from davbridge.store.base import ALWAYS, IF_ABSENT, Condition, DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree import journal
from davbridge.tree.journal import is_journal, is_own
from davbridge.tree.markers import MARKER
from davbridge.tree.plan import (
    Copy,
    Keys,
    Plan,
    deletion_order,
    is_marker,
    left_behind,
    parent_keys,
    shown_path,
)
from davbridge.tree.resource import Failure

_BATCH = 256
"""Copies that are handed to the pool at once: transfers take turns between batches, and one that
fails stops soon."""

_log = logging.getLogger(__name__)


class Copied(NamedTuple):
    """What the first half of a transfer did: everything up to the verified copies."""

    created: Mapping[str, str]
    """Keys that were not there before, with the ETags of what was made there."""
    failures: list[Failure]
    renewed: Mapping[str, str] = MappingProxyType({})
    """In a tree: the ETags, by key, of copies that have another than their source."""


class Transfers:
    """Carries out plans below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, workers: int) -> None:
        self._store = store
        self._mount = mount
        self._pool = ThreadPoolExecutor(workers, "davbridge-transfer")

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def copy(self, plan: Plan, *, tree: str | None) -> Copied:
        """Makes and verifies the copies; ``tree`` is the target's prefix if it is a collection."""
        if blocked := self._clear(plan, plan.clashes):
            return Copied({}, blocked)
        created: dict[str, str] = {}
        if plan.marker is not None:
            try:
                created[plan.marker] = self._store.put_object(plan.marker, b"", MARKER).etag
            except StoreError as error:
                return Copied({}, [Failure(shown_path(self._mount, plan.marker), error)])
        replaced = {row.key for row in plan.replaced}
        ended = self._copy_all(plan.copies, replaced)
        made = [outcome for _, outcome in ended if isinstance(outcome, ObjectRow)]
        created |= {row.key: row.etag for row in made if row.key not in replaced}
        failures = [
            Failure(shown_path(self._mount, copy.source.key), outcome)
            for copy, outcome in ended
            if isinstance(outcome, StoreError)
        ]
        renewed: dict[str, str] = {}
        if not failures and tree is not None and plan.copies:
            failures, renewed = self._verify(plan.copies, tree)
        return Copied(created, failures, renewed)

    def undo(self, plan: Plan, created: Mapping[str, str]) -> None:
        """Removes what was copied anew, unless somebody has written it since."""
        is_ours = self._pool.map(self._is_still, created.items())
        ours = [key for key, still in zip(created, is_ours, strict=True) if still]
        staying = {*(row.key for row in plan.replaced), *(created.keys() - set(ours))}
        for failure in self._delete(deletion_order(ours, plan.target_prefix, staying)):
            _log.error("left of a move that failed: %r (%s)", failure.key, failure.error)

    def _is_still(self, version: tuple[str, str]) -> bool:
        key, etag = version
        try:
            return self._store.head_object(key).row.etag == etag
        except StoreError as error:
            _log.error("left of a move that failed: %r (%s)", key, error)
            return False

    def drop_extras(self, plan: Plan) -> list[Failure]:
        """Deletes the members of the target that the source hasn't."""
        return self._clear(plan, plan.extras)

    def drop_source(self, plan: Plan, *, tree: str | None) -> list[Failure]:
        """The end of a MOVE. ``tree``: the source's prefix; what changed in it meanwhile stays."""
        if tree is None:
            return self._failures(self._delete([row.key for row in plan.leaving]))
        try:
            journal.begin(self._store, tree, plan.target_prefix)
            now = self._listed(tree)
        except StoreError as unseen:
            return [Failure(shown_path(self._mount, tree), unseen)]
        del now[tree + journal.JOURNAL_NAME]
        leaving = [row for row in plan.leaving if not is_journal(row.key)]
        error = PreconditionFailedError("was changed while it was moved, and is left")
        changed = [
            DeleteFailure(row.key, error) for row in leaving if _is_changed(row, now.get(row.key))
        ]
        left = now.keys() - {row.key for row in leaving}
        left |= {failure.key for failure in changed}
        failed = [*changed, *self._delete_tree(leaving, tree, left)]
        if not failed and not left:
            # Stores that keep folders let the marker go only once nothing else is inside.
            failed = self._delete([tree + journal.JOURNAL_NAME, tree])
        return self._failures(failed)

    def delete(self, keys: Keys, *, tree: str | None) -> list[Failure]:
        """Deletes what may be deleted, and tells what is left. ``tree``: a collection's prefix."""
        left = {row.key for row in (*keys.blockers, *keys.hidden)}
        failed = self._delete_tree((*keys.own, *keys.beside), tree, left)
        return left_behind(self._mount, keys) + self._failures(failed)

    def _clear(self, plan: Plan, rows: Sequence[ObjectRow]) -> list[Failure]:
        """Deletes a part of the target."""
        order = deletion_order((row.key for row in rows), plan.target_prefix, plan.wanted)
        return self._failures(self._delete(order))

    def _delete_tree(
        self, rows: Sequence[ObjectRow], tree: str | None, left: Collection[str]
    ) -> list[DeleteFailure]:
        """Markers and sidecars go last, and only from collections in which nothing is left."""
        order = deletion_order({row.key for row in rows}.difference(left), tree, left)
        late = [key for key in order if is_marker(key) or is_own(key)]
        first = [key for key in order if not (is_marker(key) or is_own(key))]
        if not any(map(is_own, late)):
            # A collection that keeps a member needs no marker: one batch does it all.
            return self._delete([*first, *_outside(late, left)])
        failed = self._delete(first)
        return failed + self._delete(_outside(late, [*left, *(one.key for one in failed)]))

    def _delete(self, keys: Sequence[str]) -> list[DeleteFailure]:
        if len(keys) > 1:
            return self._store.delete_objects(keys)
        try:
            for key in keys:
                self._store.delete_object(key)
        except StoreError as error:
            return [DeleteFailure(key, error) for key in keys]
        return []

    def _failures(self, failed: Sequence[DeleteFailure]) -> list[Failure]:
        return [Failure(shown_path(self._mount, one.key), one.error) for one in failed]

    def _copy_all(
        self, copies: Sequence[Copy], replaced: set[str]
    ) -> list[tuple[Copy, ObjectRow | StoreError]]:
        """Every copy with how it ended. After a batch with a failure no other is begun: the
        first of the rest then stands for them."""

        def copy_one(copy: Copy) -> ObjectRow | StoreError:
            try:
                return self._copy(copy, ALWAYS if copy.target in replaced else IF_ABSENT)
            except StoreError as error:
                return error

        if len(copies) == 1:
            return [(copies[0], copy_one(copies[0]))]
        ended: list[tuple[Copy, ObjectRow | StoreError]] = []
        for start in range(0, len(copies), _BATCH):
            batch = copies[start : start + _BATCH]
            results = list(zip(batch, self._pool.map(copy_one, batch), strict=True))
            ended += results
            if any(isinstance(outcome, StoreError) for _, outcome in results):
                break
        if len(ended) < len(copies):
            stopped = UnavailableError(f"{len(copies) - len(ended)} copies were not begun")
            ended.append((copies[len(ended)], stopped))
        return ended

    def _copy(self, copy: Copy, condition: Condition) -> ObjectRow:
        if is_marker(copy.target):
            # To stores that keep folders, a marker is there as soon as anything inside it is.
            condition = ALWAYS
        try:
            return self._store.copy_object(
                copy.source, copy.target, attributes=copy.attributes, condition=condition
            )
        except NotFoundError:
            if copy.source.size or not is_marker(copy.target):
                raise
            # Such stores may not copy folders either (SeaweedFS).
            return self._store.put_object(copy.target, b"", MARKER)

    def _listed(self, prefix: str) -> dict[str, ObjectRow]:
        return {row.key: row for page in self._store.list_objects(prefix) for row in page.rows}

    def _verify(self, copies: Sequence[Copy], target: str) -> tuple[list[Failure], dict[str, str]]:
        """What isn't there as it should be, and the ETags that differ from the source's."""
        try:
            rows = self._listed(target)
            if lost := [each for each in copies if _is_lost_marker(each, rows)]:
                for copy in lost:
                    self._copy(copy, ALWAYS)
                rows = self._listed(target)
        except StoreError as error:
            return [Failure(shown_path(self._mount, target), error)], {}
        missing = UnavailableError("the copy isn't there as it should be")
        failures = [
            Failure(shown_path(self._mount, copy.target), missing)
            for copy in copies
            if copy.target not in rows or rows[copy.target].size != copy.source.size
        ]
        if failures:
            return failures, {}
        pairs = ((copy.source.etag, rows[copy.target]) for copy in copies)
        return [], {row.key: row.etag for etag, row in pairs if row.etag != etag}


def _is_lost_marker(copy: Copy, rows: Container[str]) -> bool:
    """SeaweedFS, as it makes a folder for a member, may undo a marker that comes right then."""
    return is_marker(copy.target) and copy.target not in rows


def _is_changed(planned: ObjectRow, now: ObjectRow | None) -> bool:
    return now is not None and (now.etag, now.size) != (planned.etag, planned.size)


def _outside(keys: Iterable[str], left: Iterable[str]) -> list[str]:
    """Those markers and sidecars whose collections hold nothing that is left."""
    held = parent_keys(left)
    return [key for key in keys if key.rpartition(DELIMITER)[0] not in held]
