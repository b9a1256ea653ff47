"""The objects of journals in the bucket: reads, writes and deletes them.

Invariant: a delete or a conditional write of one version never touches another version.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError
from davbridge.store.base import (
    ALWAYS,
    IF_ABSENT,
    Attributes,
    Condition,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.journal.entry import (
    INCOMPLETE,
    JOURNALS,
    LEASE,
    PLAN,
    DamagedJournalError,
    JournalEntry,
    LaterFormatError,
    OperationRequest,
    decoded,
    encoded,
)
from davbridge.tree.journal.lease_monitor import NO_JOURNAL_FILES, JournalFiles
from davbridge.tree.journal.validation import require_within
from davbridge.tree.reads import read_all

INCOMPLETE_RECORD_AGE = timedelta(days=1)
"""How long the record of an incomplete MOVE is kept, in case its client sends it again."""

_CLOCK = "clock"
"""The name of the object that is written to find out the store's time. If it isn't deleted, it
counts as a lease without a journal, and the scanner deletes it."""

_JSON = Attributes("application/json")
_ZIPPED = Attributes("application/zlib")
_MAX_BYTES = 256 * 1024 * 1024
"""Of a compressed plan: enough for five million members."""

_MAX_RECORD_BYTES = 64 * 1024
"""Of the record of an incomplete MOVE, which has two paths."""


class JournalObjects:
    """Of one mount. ``store`` must not cache anything."""

    def __init__(self, store: ObjectStore, mount: str) -> None:
        self._store = store
        self._mount = mount
        self._prefix = mount + JOURNALS
        self._bridge = uuid.uuid4().hex
        """A new one at each start of the bridge."""

    def key(self, name: str, end: str) -> str:
        """``end``: PLAN, LEASE or INCOMPLETE."""
        return f"{self._prefix}{name}{end}"

    def list_files(self, name: str = "") -> dict[str, JournalFiles]:
        """The files of all journals, or of those whose names begin with ``name``, by the journals'
        names. One request for 1,000 files. Raises StoreError."""
        found: dict[str, JournalFiles] = {}
        for page in self._store.list_objects(self._prefix + name):
            for row in page.rows:
                of, dot, end = row.key[len(self._prefix) :].partition(".")
                field = {PLAN: "plan", LEASE: "lease", INCOMPLETE: "incomplete"}.get(dot + end)
                if field:
                    found[of] = found.get(of, NO_JOURNAL_FILES)._replace(**{field: row})
        return found

    def read(self, name: str) -> JournalEntry:
        """Raises NotFoundError, LaterFormatError, and DamagedJournalError where no davbridge can
        read it."""
        with self._store.get_object(self.key(name, PLAN)) as reader:
            row = reader.info.row
            body = read_all(reader, _MAX_BYTES) if row.size <= _MAX_BYTES else None
        try:
            if body is None:
                raise ValueError("too large for a journal")
            entry = decoded(body)
            require_within(self._mount, entry)
            if entry.request.name != name:
                raise ValueError(f"the journal of another operation: {entry.request}")
        except LaterFormatError:
            raise
        except (ValueError, StoreError, TypeError, AttributeError) as error:
            raise DamagedJournalError(str(error), row) from error
        return entry

    def write_plan(self, entry: JournalEntry, condition: Condition) -> ObjectRow:
        """Writes a journal. Raises PreconditionFailedError."""
        key = self.key(entry.request.name, PLAN)
        return self._store.put_object(key, encoded(entry, uuid.uuid4().hex), _ZIPPED, condition)

    def write_lease(
        self, name: str, body: Mapping[str, object], old: ObjectRow | None
    ) -> ObjectRow:
        """Replaces the ``old`` lease; None: writes the first one. Raises PreconditionFailedError
        where there is another one."""
        condition = Condition(if_match=old.etag) if old else IF_ABSENT
        content = json.dumps({"bridge": self._bridge, **body}).encode()
        return self._store.put_object(self.key(name, LEASE), content, _JSON, condition)

    def record_incomplete(self, request: OperationRequest) -> None:
        """Records that a part of the source of a MOVE is left. Raises StoreError."""
        content = {"request": str(request), "source": request.source, "target": request.target}
        key = self.key(request.name, INCOMPLETE)
        self._store.put_object(key, json.dumps(content).encode(), _JSON, ALWAYS)

    def read_incomplete(self, name: str) -> OperationRequest:
        """The MOVE of such a record. Raises NotFoundError, and ValueError where the record is
        damaged."""
        with self._store.get_object(self.key(name, INCOMPLETE)) as reader:
            body = read_all(reader, _MAX_RECORD_BYTES)
        try:
            content = json.loads(body)
            source, target = (tuple(map(str, content[end])) for end in ("source", "target"))
        except (LookupError, TypeError, RecursionError) as error:
            raise ValueError(f"a damaged record: {error!r}") from error
        return OperationRequest("MOVE", source, target)

    def delete(self, name: str, *ends: str, own: Iterable[ObjectRow | None] = ()) -> None:
        """Deletes the objects with these suffixes. ``own``: of the objects of these rows, only
        these versions. Raises StoreError."""
        keys = [self.key(name, end) for end in ends]
        versions = {row.key: row for row in own if row}
        if len(keys) == 1:
            with suppress(NotFoundError):
                self._store.delete_object(keys[0], version=versions.get(keys[0]))
            return
        for failure in self._store.delete_objects(keys, versions=versions):
            raise failure.error

    def discard(self, name: str, damaged: ObjectRow, lease: ObjectRow | None) -> None:
        """Deletes a damaged journal and its lease, but not what a bridge has written in their place
        since. Raises StoreError."""
        with suppress(PreconditionFailedError):
            self.delete(name, PLAN, own=(damaged,))
            if lease:
                self.delete(name, LEASE, own=(lease,))

    def time(self) -> datetime:
        """The time by the store's clock; that of this machine may be days ahead. Raises StoreError.

        Writes and deletes an object for that. Several bridges may do so at once, and one that died
        may have left it.
        """
        row = self._store.put_object(self.key(_CLOCK, LEASE), b"{}", _JSON, ALWAYS)
        self.delete(_CLOCK, LEASE)
        return row.modified
