"""Takes back what a COPY or MOVE that has failed made at its target.

Must not know why it has failed. Whoever calls this has said in the journal, if there is one, that
it is undone: else another bridge could finish it at the same time, and take the source away
for the sake of the very copies that go here.

Invariants: what was replaced stays replaced, since what it was is gone; what somebody has written
since stays; a copy whose source is gone stays, for it may be all that is left. But a copy goes that
hides what was to be replaced by something of the other kind and is still there, or is hidden by it.
"""

import logging
from collections.abc import Container, Iterable

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError
from davbridge.paths import DELIMITER, ResourcePath, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.journal.entry import JournalEntry
from davbridge.tree.listing.markers import write_marker
from davbridge.tree.plan import Plan
from davbridge.tree.reads import row_at, rows_below
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

    def unanswered(self, plan: Plan, made: Container[str]) -> dict[str, ObjectRow]:
        """Copies that are there, but weren't known to be ``made``: where their answers were lost.
        Of those alone that would hide what was to be replaced, or be hidden by it."""
        if not plan.clashes:
            return {}
        old, displacing = {row.key for row in plan.replaced}, plan.displacing
        lost = [one for one in plan.copies if one.target in displacing]
        lost = [one for one in lost if one.target not in old and one.target not in made]
        if not lost:
            return {}
        there = rows_below(self._store, plan.target_prefix)
        found = [(one, there.get(one.target) or row_at(self._store, one.target)) for one in lost]
        return {
            row.key: row
            for one, row in found
            if row and (row.size, row.etag) == (one.source.size, one.source.etag)
        }

    def take_back(
        self, entry: JournalEntry, made: Iterable[ObjectRow], running: RunningOperation
    ) -> bool:
        """Removes what was ``made`` anew; whether nothing of that is left to be removed."""
        plan = entry.plan
        replaced = {row.key for row in plan.replaced}
        sources = {copy.target: copy.source.key for copy in plan.copies}
        new = [row for row in made if row.key not in replaced]
        try:
            keys = [sources[row.key] for row in new if row.key in sources]
            there = self._there(entry.source, keys)
            gone = {row.key for row in new if row.key in sources and sources[row.key] not in there}
            spared = gone - self._in_the_way(plan) if gone else gone
            return self._remove(entry, [row for row in new if row.key not in spared], running)
        except StoreError as error:
            _log.error("%s has failed, and is left half done: %s", entry.request, error)
            return False

    def _in_the_way(self, plan: Plan) -> frozenset[str]:
        """The targets at or around which something is still there that was to go."""
        inside = rows_below(self._store, plan.target_prefix)
        clashes = [row for row in plan.clashes if self._is_there(row.key, plan, inside)]
        return plan._replace(clashes=tuple(clashes)).displacing

    def _is_there(self, key: str, plan: Plan, inside: Container[str]) -> bool:
        if key.startswith(plan.target_prefix):
            return key in inside
        return row_at(self._store, key) is not None

    def _there(self, source: ResourcePath, keys: list[str]) -> Container[str]:
        """Those of a source's keys at which something is."""
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
        for key in {row.key for row in members}.difference(one.key for one in deleted.failed):
            self._mark_again(key, plan, running)
        return not failed

    def _remove_file(self, row: ObjectRow, running: RunningOperation) -> bool:
        """Whether it has gone, and nothing is there now."""
        try:
            self._deletes.file(row, running, _NEVER)
        except (NotFoundError, PreconditionFailedError) as error:
            _log.info("%r is not a failed move's own any more: %s", row.key, error)
            return False
        return True

    def _mark_again(self, file: str, plan: Plan, running: RunningOperation) -> None:
        """A store that keeps folders has lost the marker of one that a file was to replace."""
        if any(row.key == file + DELIMITER for row in plan.clashes):
            with running.step():
                write_marker(self._store, file + DELIMITER)
