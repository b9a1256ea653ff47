"""The journals of one mount: begins them, takes them over, and finds out which bridge works on
which.

Invariant: of several bridges that take one journal over at once, one succeeds, if the store has
conditional writes. On other stores two may do the same work. Each step allows for that: it checks
what is in the bucket.
"""

import time
import uuid
from collections.abc import Callable

from davbridge.clock import monotonic
from davbridge.errors import NotFoundError
from davbridge.store.base import IF_ABSENT, ObjectStore
from davbridge.tree.journal.entry import LEASE, JournalEntry
from davbridge.tree.journal.lease import Lease
from davbridge.tree.journal.lease_monitor import NO_JOURNAL_FILES, JournalFiles, LeaseMonitor
from davbridge.tree.journal.objects import JournalObjects


class Journals(JournalObjects):
    """Of one mount. ``store`` must not cache anything."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        timer: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(store, mount)
        self.timer = timer
        self.pause = pause
        self.lease_monitor = LeaseMonitor(timer)

    def list_files(self, name: str = "") -> dict[str, JournalFiles]:
        """As `JournalObjects.list_files`. The lease monitor observes what was found."""
        found = super().list_files(name)
        self.lease_monitor.observe(found, name)
        return found

    def files_of(self, name: str) -> JournalFiles:
        """The files of one journal, which may be none. One request."""
        return self.list_files(name).get(name, NO_JOURNAL_FILES)

    def begin(self, entry: JournalEntry, *, was_incomplete: bool = False) -> Lease:
        """Writes the journal. ``was_incomplete``: an earlier MOVE, the same or a related one, has a
        record that it left something.

        Raises PreconditionFailedError where the operation has a journal already.
        """
        since = self.timer()
        plan = self.write_plan(entry, IF_ABSENT)
        self.lease_monitor.hold(entry.request.name)
        return Lease(
            self,
            self.lease_monitor,
            entry.request,
            since=since,
            plan=plan,
            was_incomplete=was_incomplete,
        )

    def take_over(self, name: str, files: JournalFiles) -> tuple[JournalEntry, Lease]:
        """Takes over a journal of a dead bridge, whose ``files`` were found. Raises
        PreconditionFailedError where another bridge has done so, NotFoundError where the operation
        has ended, and what `read` raises."""
        self.lease_monitor.claim(name)
        entry, since = self.read(name), self.timer()
        lease = self.write_lease(name, {"beat": 0, "nonce": uuid.uuid4().hex}, files.lease)
        plan = self.files_of(name).plan
        if plan is None or plan != files.plan:
            # Its bridge was alive after all, and has ended or changed it. The next listing shows.
            self.delete(name, LEASE, own=(lease,))
            raise NotFoundError(f"{entry.request} has ended, or isn't what it was")
        held = Lease(
            self,
            self.lease_monitor,
            entry.request,
            since=since,
            plan=plan,
            lease=lease,
            was_incomplete=files.incomplete is not None,
        )
        self.lease_monitor.hold(name)
        return entry, held
