"""Looks for what other bridges have begun and not finished: at the start, and then every minute.

Owns the thread that does so, and what is tidied up after journals. Must not know how an operation
is finished.

Invariants: what is at work, here or elsewhere, is left alone; a journal that can't be finished
keeps none of the others from being finished.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread

from davbridge.clock import Clock
from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError
from davbridge.tree.journal.entry import (
    LEASE,
    LEFT,
    DamagedJournalError,
    LaterFormatError,
    OperationRequest,
)
from davbridge.tree.journal.journals import KEPT, Journals
from davbridge.tree.journal.leases import JournalFiles

LOOK_SECONDS = 60.0
"""Between two listings. At AWS' prices they come to a quarter of a dollar a month."""

WATCH_SECONDS = 5.0
"""The same, while a journal is there that may be a dead bridge's."""

_log = logging.getLogger(__name__)


class Recovery:
    """Of one mount."""

    def __init__(
        self, journals: Journals, finish: Callable[[OperationRequest], object], now: Clock
    ) -> None:
        self._journals = journals
        self._finish = finish
        self._now = now
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="davbridge-recovery", daemon=True)

    def start(self) -> None:
        """Looks in the background, until it is told to `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """No other journal is begun with."""
        self._is_over.set()

    def look(self) -> float:
        """Finishes what can be; how many seconds it is until the next look. Raises StoreError."""
        wait = LOOK_SECONDS
        for name, files in self._journals.all_files().items():
            if self._is_over.is_set():
                break
            if files.plan is None:
                self._tidy(name, files)
            elif self._journals.lease_monitor.is_dead(name):
                self._resume(name, files)
            elif not self._journals.lease_monitor.is_held(name):
                wait = WATCH_SECONDS
        return wait

    def _run(self) -> None:
        wait = 0.0
        while not self._is_over.wait(wait):
            wait = LOOK_SECONDS
            try:
                wait = self.look()
            except StoreError as error:
                _log.warning("unfinished operations were not looked for: %s", error)
            except Exception:
                if self._is_over.is_set():
                    return  # The lanes were closed meanwhile.
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
            _log.error("the journal %r is of no use, and goes: %s", name, error)
            self._journals.discard(name, error.row, files.lease)
        except Exception:
            if self._is_over.is_set():
                raise
            _log.exception("an operation could not be finished: the journal %r", name)

    def _tidy(self, name: str, files: JournalFiles) -> None:
        with suppress(PreconditionFailedError):  # A bridge has begun, or left, something since.
            if files.lease and self._journals.lease_monitor.is_dead(name):
                self._journals.delete(name, LEASE, own=[files.lease])
            age = self._now() - files.left.modified if files.left else timedelta()
            if files.left and age > KEPT and self._journals.time() - files.left.modified > KEPT:
                self._journals.delete(name, LEFT, own=[files.left])
