"""Takes back what a MOVE that has failed made at its target.

Must not know why it has failed. Whoever calls this has said in the journal, if there is one, that
the MOVE is undone: else another bridge could finish it at the same time, and take the source away
for the sake of the very copies that go here.

Invariants: what was replaced stays replaced, since what it was is gone; what somebody has written
since stays; a copy whose source is gone stays, for it may be all that is left.
"""

import logging
from collections.abc import Container, Iterable

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError
from davbridge.paths import ResourcePath, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.checked_deletes import CheckedDeletes
from davbridge.tree.journal import Entry
from davbridge.tree.rows import row_at, rows_below
from davbridge.tree.works import Work

_NEVER = float("-inf")

_log = logging.getLogger(__name__)


class Undo:
    """Below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, deletes: CheckedDeletes) -> None:
        self._store = store
        self._mount = mount
        self._deletes = deletes

    def take_back(self, entry: Entry, made: Iterable[ObjectRow], work: Work) -> bool:
        """Removes what was ``made`` anew; whether nothing of that is left to be removed."""
        plan = entry.plan
        replaced = {row.key for row in plan.replaced}
        sources = {copy.target: copy.source.key for copy in plan.copies}
        new = [row for row in made if row.key not in replaced]
        try:
            keys = [sources[row.key] for row in new if row.key in sources]
            there = self._there(entry.source, keys)
            ours = [row for row in new if row.key not in sources or sources[row.key] in there]
            return self._remove(entry, ours, work)
        except StoreError as error:
            _log.error("%s has failed, and is left half done: %s", entry.request, error)
            return False

    def _there(self, source: ResourcePath, keys: list[str]) -> Container[str]:
        """Those of a source's keys at which something is."""
        inside = prefix_of(self._mount, source)
        found = {key for key in keys if not key.startswith(inside) and row_at(self._store, key)}
        if any(key.startswith(inside) for key in keys):
            found |= rows_below(self._store, inside).keys()
        return found

    def _remove(self, entry: Entry, rows: list[ObjectRow], work: Work) -> bool:
        inside = entry.plan.target_prefix
        for row in rows:
            if not row.key.startswith(inside):
                self._remove_file(row, work)
        members = [row for row in rows if row.key.startswith(inside)]
        if not members:
            return True
        deleted = self._deletes.tree(inside, members, work, is_whole=entry.is_new)
        failed = [
            one for one in deleted.failed if not isinstance(one.error, PreconditionFailedError)
        ]
        for one in failed:
            _log.error("left of a move that failed: %r (%s)", one.key, one.error)
        return not failed

    def _remove_file(self, row: ObjectRow, work: Work) -> None:
        try:
            self._deletes.file(row, work, _NEVER)
        except (NotFoundError, PreconditionFailedError) as error:
            _log.info("%r is not a failed move's own any more: %s", row.key, error)
