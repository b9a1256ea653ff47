"""Which journals other bridges work on, as far as this bridge has observed.

A bridge that works on a journal renews its lease: it rewrites an object. If this bridge observes no
change of a journal for LEASE_SECONDS, the other bridge is dead. So no clocks are compared, and a
bridge that has just started observes each journal for that long.

Invariant: a journal counts as a dead bridge's only if this bridge has seen it unchanged for
LEASE_SECONDS, or has abandoned it itself and it is unchanged since.
"""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple

from davbridge.store.base import ObjectRow

LEASE_SECONDS = 15.0
"""Longer than a slow store, or a machine that stalls, delays a renewal. Shorter than clients wait
for an answer (Explorer: 30 s): so a client whose bridge has died gets its answer at the next
try."""

RENEWAL_SECONDS = 4.0
"""Two renewals may fail. An operation that ends sooner renews nothing."""

HELD_SECONDS = LEASE_SECONDS - RENEWAL_SECONDS
"""How long a holder relies on its lease. Its last requests have ended before another bridge
begins."""


class JournalFiles(NamedTuple):
    """The objects with one journal's name."""

    plan: ObjectRow | None = None
    lease: ObjectRow | None = None
    incomplete: ObjectRow | None = None

    @property
    def versions(self) -> "Versions":
        return Versions(self.plan and self.plan.etag, self.lease and self.lease.etag)


NO_JOURNAL_FILES = JournalFiles()


class Versions(NamedTuple):
    """The ETags of a journal and of its lease."""

    plan: str | None
    lease: str | None


class LeaseMonitor:
    """Of the journals of one mount."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self.timer = timer
        self._lock = Lock()
        self._held: set[str] = set()
        self._abandoned: dict[str, Versions] = {}
        """The journals that this bridge has abandoned, with their versions at that time."""
        self._seen: dict[str, tuple[JournalFiles, float]] = {}

    def is_dead(self, name: str) -> bool:
        """Whether the bridge that worked on the journal is dead, by what was observed so far."""
        with self._lock:
            if name in self._held:
                return False
            files, since = self._seen.get(name, (NO_JOURNAL_FILES, self.timer()))
            if self._abandoned.get(name) == files.versions:
                return True
        return self.timer() - since >= LEASE_SECONDS

    def is_held(self, name: str) -> bool:
        """Whether this bridge works on it."""
        with self._lock:
            return name in self._held

    def hold(self, name: str) -> None:
        """This bridge works on it from now on."""
        with self._lock:
            self._held.add(name)
            self._abandoned.pop(name, None)

    def claim(self, name: str) -> None:
        """This bridge tries to take it over. From now on it doesn't count as unchanged."""
        with self._lock:
            self._abandoned.pop(name, None)

    def release(self, name: str, abandoned_as: Versions | None = None) -> None:
        """This bridge doesn't work on it any more. ``abandoned_as``: as long as the journal has
        these versions, this bridge may resume it at once."""
        with self._lock:
            self._held.discard(name)
            self._seen.pop(name, None)
            if abandoned_as is not None:
                self._abandoned[name] = abandoned_as

    def observe(self, found: Mapping[str, JournalFiles], name: str) -> None:
        """``found``: all journals whose names begin with ``name``."""
        with self._lock:
            for known in (self._seen, self._abandoned):
                for gone in [of for of in known if of.startswith(name) and of not in found]:
                    del known[gone]
            for of, files in found.items():
                if self._seen.get(of, (None, 0.0))[0] != files:
                    self._seen[of] = files, self.timer()
