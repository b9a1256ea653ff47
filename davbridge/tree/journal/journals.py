"""The journals in the bucket, and the leases on them.

Owns the journals' objects, and the renewal of a lease by who holds it. Must not know how long a
journal has to rest until it is a dead bridge's, nor how an operation is carried out.

Invariants:
- Of several who take over at once one wins, where the store has conditional writes; elsewhere
  two may do the same, which each step bears: it looks at what is there.
- Whoever couldn't renew his lease stops for good, some seconds before others may take him for dead:
  by then what he asked for has ended.
- A holder changes and deletes the very journal and lease that he has, and no other's; no request
  of his to do so is good for longer than his lease.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from threading import Lock

from davbridge.clock import monotonic
from davbridge.deadline import before
from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError, UnavailableError
from davbridge.store.base import (
    ALWAYS,
    IF_ABSENT,
    Attributes,
    Condition,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.journal.entry import (
    JOURNALS,
    LEASE,
    LEFT,
    PLAN,
    DamagedJournalError,
    JournalEntry,
    LaterFormatError,
    OperationRequest,
    decoded,
    encoded,
)
from davbridge.tree.journal.leases import (
    HELD_SECONDS,
    NO_JOURNAL_FILES,
    JournalFiles,
    LeaseMonitor,
    Versions,
)
from davbridge.tree.journal.validation import require_within
from davbridge.tree.reads import read_all
from davbridge.waiting import store_wait

KEPT = timedelta(days=1)
"""How long it is known that a MOVE has left something, for its client to ask again."""

_CLOCK = "clock"
"""The name of what is written to see the time. Left behind it is a lease on nothing, and goes."""

_JSON = Attributes("application/json")
_ZIPPED = Attributes("application/zlib")
_MAX_BYTES = 256 * 1024 * 1024
"""Of a plan, packed: more than five million members take."""

_MAX_NOTE_BYTES = 64 * 1024
"""Of a note of what a MOVE has left: more than two paths take."""

_log = logging.getLogger(__name__)


class Lease:
    """A lease on a journal, which its holder renews."""

    def __init__(
        self,
        journals: "Journals",
        request: OperationRequest,
        *,
        since: float,
        plan: ObjectRow,
        lease: ObjectRow | None = None,
        has_note: bool = False,
    ) -> None:
        """``since``: when its holder began to ask for it; ``plan``: the journal's row."""
        self.name = request.name
        self.has_note = has_note
        """Whether there was a note, when this began, that an earlier MOVE has left something."""
        self._journals = journals
        self._request = request
        self._plan = plan
        self._lease = lease
        self._beats = 0
        self._renewed_at = since
        self._renewing = Lock()
        self._is_lost = False

    @property
    def is_lost(self) -> bool:
        """Whether somebody else may be at work on it by now."""
        return self._is_lost or self._journals.timer() > self._held_until()

    def bounded(self) -> AbstractContextManager[None]:
        """Around requests: none of them has an effect once somebody else may be at work on it."""
        return before(self._held_until, self._journals.timer)

    def _held_until(self) -> float:
        return self._renewed_at + HELD_SECONDS

    def require(self) -> None:
        """Raises UnavailableError where it is lost."""
        if self.is_lost:
            raise UnavailableError(f"{self._request}: the lease is lost; another bridge goes on")

    def renew(self, done: int, total: int) -> None:
        """Says that one is at work still. Raises StoreError; PreconditionFailedError if lost."""
        with store_wait(), self._renewing:
            self._renew(done, total)

    def _renew(self, done: int, total: int) -> None:
        if self.is_lost:
            # Whoever went on may have ended: then nothing would tell that one is too late.
            self._is_lost = True
            raise PreconditionFailedError(f"{self._request}: the lease is lost")
        began_at = self._journals.timer()
        self._beats += 1
        body = {"bridge": self._journals.bridge, "beat": self._beats, "request": str(self._request)}
        body |= {"done": done, "total": total}
        try:
            with self.bounded():
                self._lease = self._journals.write_lease(self.name, body, self._lease)
        except PreconditionFailedError:
            self._is_lost = True
            raise
        self._renewed_at = began_at

    def begin_undo(self, entry: JournalEntry, made: Iterable[ObjectRow]) -> None:
        """Says in the journal that its MOVE is undone: whoever resumes it removes what it ``made``,
        too, and nobody finishes it. Raises StoreError: then it mustn't be undone."""
        with self._renewing, self.bounded():
            self.require()
            undo = entry._replace(undo=tuple(made))
            self._plan = self._journals.write_plan(undo, Condition(if_match=self._plan.etag))

    def abandon(self) -> None:
        """Leaves the journal to whoever goes on with it."""
        rests_as = None
        if not self.is_lost:
            rests_as = Versions(self._plan.etag, self._lease and self._lease.etag)
        self._journals.lease_monitor.release(self.name, rests_as)

    def end(self, *, leaves_source: bool = False) -> None:
        """Deletes the journal, and an earlier note; ``leaves_source``: a MOVE couldn't take all of
        it away, which is noted."""
        if self.is_lost:
            self.abandon()
            return
        try:
            with self.bounded():
                self._end(leaves_source=leaves_source)
        except StoreError as error:
            # Whoever goes on with it finds nothing to do, or what couldn't be done.
            _log.warning("%s has ended, but its journal is left: %s", self._request, error)
        self._journals.lease_monitor.release(self.name)

    def _end(self, *, leaves_source: bool) -> None:
        if leaves_source:
            self._journals.write_left(self._request)
        ends = [PLAN]
        if self._lease:
            ends.append(LEASE)
        if self.has_note and not leaves_source:
            ends.append(LEFT)
        self._journals.delete(self.name, *ends, own=(self._plan, self._lease))


class Journals:
    """Those of one mount; ``store`` is one that keeps nothing, not even for a second."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        timer: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.timer = timer
        self.pause = pause
        self.bridge = uuid.uuid4().hex
        """Another one each time that a bridge starts."""
        self._store = store
        self._mount = mount
        self._prefix = mount + JOURNALS
        self.lease_monitor = LeaseMonitor(timer)

    def key(self, name: str, end: str) -> str:
        return f"{self._prefix}{name}{end}"

    def begin(self, entry: JournalEntry, *, has_note: bool = False) -> Lease:
        """Writes the journal; ``has_note``: it is noted that an earlier one has left something.

        Raises PreconditionFailedError where one of that name is there.
        """
        since = self.timer()
        plan = self.write_plan(entry, IF_ABSENT)
        self.lease_monitor.hold(entry.request.name)
        return Lease(self, entry.request, since=since, plan=plan, has_note=has_note)

    def write_plan(self, entry: JournalEntry, condition: Condition) -> ObjectRow:
        """Raises PreconditionFailedError."""
        key = self.key(entry.request.name, PLAN)
        return self._store.put_object(key, encoded(entry, uuid.uuid4().hex), _ZIPPED, condition)

    def all_files(self, name: str = "") -> dict[str, JournalFiles]:
        """What there is, by name; with ``name``, of that one alone. One request for 1,000."""
        found: dict[str, JournalFiles] = {}
        for page in self._store.list_objects(self._prefix + name):
            for row in page.rows:
                of, dot, end = row.key[len(self._prefix) :].partition(".")
                field = {PLAN: "plan", LEASE: "lease", LEFT: "left"}.get(dot + end)
                if field:
                    found[of] = found.get(of, NO_JOURNAL_FILES)._replace(**{field: row})
        self.lease_monitor.note(found, name)
        return found

    def take_over(self, name: str, files: JournalFiles) -> tuple[JournalEntry, Lease]:
        """Raises PreconditionFailedError where somebody else has done so, NotFoundError where it
        has ended, and what `read` raises."""
        self.lease_monitor.claim(name)
        entry, since = self.read(name), self.timer()
        beat = {"bridge": self.bridge, "beat": 0, "nonce": uuid.uuid4().hex}
        lease = self.write_lease(name, beat, files.lease)
        plan = self.all_files(name).get(name, NO_JOURNAL_FILES).plan
        if plan is None or plan != files.plan:
            # Its bridge has ended it, or has changed it after all: whoever looks again knows.
            self.delete(name, LEASE, own=(lease,))
            raise NotFoundError(f"{entry.request} has ended, or isn't what it was")
        hold = Lease(
            self,
            entry.request,
            since=since,
            plan=plan,
            lease=lease,
            has_note=files.left is not None,
        )
        self.lease_monitor.hold(name)
        return entry, hold

    def delete(self, name: str, *ends: str, own: Iterable[ObjectRow | None] = ()) -> None:
        """``own``: only these versions of those that they are of. Raises StoreError."""
        keys = [self.key(name, end) for end in ends]
        versions = {row.key: row for row in own if row}
        if len(keys) == 1:
            with suppress(NotFoundError):
                self._store.delete_object(keys[0], version=versions.get(keys[0]))
            return
        for failure in self._store.delete_objects(keys, versions=versions):
            raise failure.error

    def write_lease(
        self, name: str, body: Mapping[str, object], old: ObjectRow | None
    ) -> ObjectRow:
        """In place of the ``old`` lease. Raises PreconditionFailedError."""
        condition = Condition(if_match=old.etag) if old else IF_ABSENT
        key = self.key(name, LEASE)
        return self._store.put_object(key, json.dumps(body).encode(), _JSON, condition)

    def write_left(self, request: OperationRequest) -> None:
        """Notes that not all of the source of a MOVE has gone. Raises StoreError."""
        told = {"request": str(request), "source": request.source, "target": request.target}
        key = self.key(request.name, LEFT)
        self._store.put_object(key, json.dumps(told).encode(), _JSON, ALWAYS)

    def left_by(self, name: str) -> OperationRequest:
        """The MOVE that such a note is of. Raises NotFoundError, and ValueError where it doesn't
        tell."""
        with self._store.get_object(self.key(name, LEFT)) as reader:
            body = read_all(reader, _MAX_NOTE_BYTES)
        try:
            told = json.loads(body)
            source, target = (tuple(map(str, told[end])) for end in ("source", "target"))
        except (LookupError, TypeError, RecursionError) as error:
            raise ValueError(f"a damaged note: {error!r}") from error
        return OperationRequest("MOVE", source, target)

    def time(self) -> datetime:
        """The store's own. This machine's clock may be days ahead. Raises StoreError.

        Several bridges may ask at once, and one that died may have left what it asked with.
        """
        row = self._store.put_object(self.key(_CLOCK, LEASE), b"{}", _JSON, ALWAYS)
        self.delete(_CLOCK, LEASE)
        return row.modified

    def read(self, name: str) -> JournalEntry:
        """Raises NotFoundError, LaterFormatError, and DamagedJournalError where nobody can read
        it."""
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

    def discard(self, name: str, damaged: ObjectRow, lease: ObjectRow | None) -> None:
        """Deletes a journal that nobody can read, and the lease on it. What a bridge has written
        there since stays. Raises StoreError."""
        with suppress(PreconditionFailedError):
            self.delete(name, PLAN, own=(damaged,))
            if lease:
                self.delete(name, LEASE, own=(lease,))
