"""Deletes what a failed COPY or MOVE has created at its target.

The caller has marked the journal, if there is one, as undone. Otherwise another bridge could finish
the operation at the same time, and delete the source because of the copies that are deleted here.

Invariants: a replaced object isn't restored, since its old version is gone. What somebody has
written since stays. A copy whose source is gone stays, because it may be the last one. But a copy
is deleted if it hides something of the other kind that it was to replace and that is still there,
or is hidden by it.
"""

import logging
from collections.abc import Container, Iterable

from davbridge.errors import AccessDeniedError, NotFoundError, PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER, ResourcePath, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.journal.entry import JournalEntry
from davbridge.tree.listing.markers import write_marker
from davbridge.tree.plan import Plan
from davbridge.tree.properties.sidecar_format import head_of
from davbridge.tree.reads import is_copy, row_at, rows_below
from davbridge.tree.steps.checked_deletes import CheckedDeletes
from davbridge.tree.steps.progress import RunningOperation

_NEVER = float("-inf")

_log = logging.getLogger(__name__)


class Undo:
    """Below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, deletes: CheckedDeletes) -> None:
        self._store = store
        self._mount = mount
        self._deletes = deletes

    def unacknowledged(self, plan: Plan, created: Container[str]) -> dict[str, ObjectRow]:
        """Copies that exist although they aren't in ``created``, because the store's responses were
        lost. Only those that hide what they were to replace, or are hidden by it."""
        if not plan.clashes:
            return {}
        old, displacing = {row.key for row in plan.replaced}, plan.displacing
        lost = [one for one in plan.copies if one.target in displacing]
        lost = [one for one in lost if one.target not in old and one.target not in created]
        if not lost:
            return {}
        there = rows_below(self._store, plan.target_prefix)
        found = [(one, there.get(one.target) or row_at(self._store, one.target)) for one in lost]
        return {row.key: row for one, row in found if row and is_copy(self._store, one.source, row)}

    def delete_created(
        self, entry: JournalEntry, created: Iterable[ObjectRow], running: RunningOperation
    ) -> bool:
        """Deletes what was ``created``, and replaced nothing. Returns whether nothing of that is
        left to delete."""
        plan = entry.plan
        replaced = {row.key for row in plan.replaced}
        new = [row for row in created if row.key not in replaced]
        copied = {copy.target: copy.source.key for copy in plan.copies}
        # The segments of a sidecar stay or go with its head.
        sources = {row.key: source for row in new if (source := copied.get(head_of(row.key)))}
        try:
            keys = list(sources.values())
            there = self._there(entry.source, keys)
            gone = {row.key for row in new if row.key in sources and sources[row.key] not in there}
            spared = gone - self._in_the_way(plan) if gone else gone
            return self._remove(entry, [row for row in new if row.key not in spared], running)
        except StoreError as error:
            _log.error("%s has failed, and is left half done: %s", entry.request, error)
            return False

    def _in_the_way(self, plan: Plan) -> frozenset[str]:
        """The targets at or around which a clash is still there."""
        inside = rows_below(self._store, plan.target_prefix)
        clashes = [row for row in plan.clashes if self._is_there(row.key, plan, inside)]
        return plan._replace(clashes=tuple(clashes)).displacing

    def _is_there(self, key: str, plan: Plan, inside: Container[str]) -> bool:
        if key.startswith(plan.target_prefix):
            return key in inside
        return row_at(self._store, key) is not None

    def _there(self, source: ResourcePath, keys: list[str]) -> Container[str]:
        """Those keys of the source at which an object is."""
        inside = prefix_of(self._mount, source)
        found = {key for key in keys if not key.startswith(inside) and row_at(self._store, key)}
        if any(key.startswith(inside) for key in keys):
            found |= rows_below(self._store, inside).keys()
        return found

    def _remove(
        self, entry: JournalEntry, rows: list[ObjectRow], running: RunningOperation
    ) -> bool:
        plan, inside = entry.plan, entry.plan.target_prefix
        for row in rows:
            if not row.key.startswith(inside) and self._remove_file(row, running):
                self._mark_again(row.key, plan, running)
        members = [row for row in rows if row.key.startswith(inside)]
        if not members:
            return True
        was_file = any(row.key + DELIMITER == inside for row in plan.clashes)
        deleted = self._deletes.tree(inside, members, running, is_whole=entry.is_new or was_file)
        failed = [
            one for one in deleted.failed if not isinstance(one.error, PreconditionFailedError)
        ]
        for one in failed:
            _log.error("left of a move that failed: %r (%s)", one.key, one.error)
        # A copy that may not be deleted stays: its source exists, and no retry would succeed.
        failed = [one for one in failed if not isinstance(one.error, AccessDeniedError)]
        for key in {row.key for row in members}.difference(one.key for one in deleted.failed):
            self._mark_again(key, plan, running)
        return not failed

    def _remove_file(self, row: ObjectRow, running: RunningOperation) -> bool:
        """Deletes it. Returns whether nothing is there now."""
        try:
            self._deletes.file(row, running, _NEVER)
        except (NotFoundError, PreconditionFailedError) as error:
            _log.info("%r is not a failed move's own any more: %s", row.key, error)
            return False
        return True

    def _mark_again(self, file: str, plan: Plan, running: RunningOperation) -> None:
        """A store that keeps folders has lost the marker of a folder that a file was to replace."""
        if any(row.key == file + DELIMITER for row in plan.clashes):
            with running.under_lease():
                write_marker(self._store, file + DELIMITER)
