"""Finds the journals of dead bridges: at the start, and then every minute.

`operations.takeover` finishes the operations. The scanner also deletes leases without a journal,
and old records of incomplete MOVEs.

Invariants: an operation that any bridge works on is left alone. A journal that can't be finished
doesn't keep the others from being finished.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from davbridge.clock import Clock
from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError
from davbridge.tree.journal.entry import (
    INCOMPLETE,
    LEASE,
    DamagedJournalError,
    LaterFormatError,
    OperationRequest,
)
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.lease_monitor import JournalFiles
from davbridge.tree.journal.objects import INCOMPLETE_RECORD_AGE

SCAN_SECONDS = 60.0
"""Between two listings. At AWS' prices these cost a quarter of a dollar a month."""

BUSY_SCAN_SECONDS = 5.0
"""Between two listings while there is a journal whose bridge may be dead."""

_log = logging.getLogger(__name__)


class JournalScanner:
    """Of the journals of one mount. ``finish``: `Operations.resume`."""

    def __init__(
        self, journals: Journals, finish: Callable[[OperationRequest], object], now: Clock
    ) -> None:
        self._journals = journals
        self._finish = finish
        self._now = now
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="davbridge-journal-scanner", daemon=True)

    def start(self) -> None:
        """Scans in the background until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """No further journal is resumed after this."""
        self._is_over.set()

    def scan(self) -> float:
        """Finishes what can be finished. Returns the seconds until the next scan. Raises
        StoreError."""
        wait = SCAN_SECONDS
        for name, files in self._journals.list_files().items():
            if self._is_over.is_set():
                break
            if files.plan is None:
                self._tidy(name, files)
            elif self._journals.lease_monitor.is_dead(name):
                self._resume(name, files)
            elif not self._journals.lease_monitor.is_held(name):
                wait = BUSY_SCAN_SECONDS
        return wait

    def _run(self) -> None:
        wait = 0.0
        while not self._is_over.wait(wait):
            wait = SCAN_SECONDS
            try:
                wait = self.scan()
            except StoreError as error:
                _log.warning("unfinished operations were not looked for: %s", error)
            except Exception:  # The boundary of this thread: logs, and scans again later.
                if self._is_over.is_set():
                    return  # The thread pools were closed meanwhile.
                _log.exception("unfinished operations were not looked for")

    def _resume(self, name: str, files: JournalFiles) -> None:
        try:
            self._finish(self._journals.read(name).request)
        except NotFoundError:
            return  # It has ended.
        except StoreError as error:
            _log.warning("an operation could not be finished; later again: %s", error)
        except LaterFormatError as error:
            _log.warning("the journal %r is left to a later davbridge: %s", name, error)
        except DamagedJournalError as error:
            _log.error("the journal %r is damaged, and is deleted: %s", name, error)
            self._journals.discard(name, error.row, files.lease)
        except Exception:  # The boundary of one journal: logs, so that the others are resumed.
            if self._is_over.is_set():
                raise
            _log.exception("an operation could not be finished: the journal %r", name)

    def _tidy(self, name: str, files: JournalFiles) -> None:
        with suppress(PreconditionFailedError):  # A bridge has written it anew.
            if files.lease and self._journals.lease_monitor.is_dead(name):
                self._journals.delete(name, LEASE, own=[files.lease])
            record = files.incomplete
            if (
                record
                and self._now() - record.modified > INCOMPLETE_RECORD_AGE
                and self._journals.time() - record.modified > INCOMPLETE_RECORD_AGE
            ):
                self._journals.delete(name, INCOMPLETE, own=[record])
