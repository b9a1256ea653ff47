"""Who is at work on which journal, as far as this bridge can tell by looking.

Owns what was seen of the journals, and for how long nothing of one has changed. Must not know the
store, nor what a journal says.

A bridge that is at work renews its lease: it rewrites an object. A journal of which nothing has
changed for LEASE_SECONDS, watched by whoever wants to go on with it, is a dead bridge's. So nobody
has to trust a clock, and a bridge that has just started waits for as long as it takes to be sure.

Invariant: a journal is taken for a dead bridge's only by who has seen it rest for LEASE_SECONDS, or
has held it himself and given it up as it is still.
"""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple

from davbridge.store.base import ObjectRow

LEASE_SECONDS = 15.0
"""Longer than a store that is slow, or a machine that stalls, keeps a renewal; shorter than clients
wait for an answer (Explorer: 30 s), so that one whose bridge has died gets it on its next try."""

RENEWAL_SECONDS = 4.0
"""Two renewals may fail. What ends sooner costs none."""

HELD_SECONDS = LEASE_SECONDS - RENEWAL_SECONDS
"""How long a holder counts on a lease: what he asked the store for last is done before another
bridge begins."""


class JournalFiles(NamedTuple):
    """What there is under a journal's name."""

    plan: ObjectRow | None = None
    lease: ObjectRow | None = None
    left: ObjectRow | None = None

    @property
    def versions(self) -> "Versions":
        return Versions(self.plan and self.plan.etag, self.lease and self.lease.etag)


NO_JOURNAL_FILES = JournalFiles()


class Versions(NamedTuple):
    """The ETags of a journal and of the lease on it."""

    plan: str | None
    lease: str | None


class LeaseMonitor:
    """Over the journals of one mount."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._lock = Lock()
        self._held: set[str] = set()
        self._resting: dict[str, Versions] = {}
        """What was held here and given up, as it was then."""
        self._seen: dict[str, tuple[JournalFiles, float]] = {}

    def is_dead(self, name: str) -> bool:
        """Whether the bridge that was at work on it is. By what was noted so far."""
        with self._lock:
            if name in self._held:
                return False
            files, since = self._seen.get(name, (NO_JOURNAL_FILES, self._timer()))
            if self._resting.get(name) == files.versions:
                return True
        return self._timer() - since >= LEASE_SECONDS

    def is_held(self, name: str) -> bool:
        """Whether this bridge is at work on it."""
        with self._lock:
            return name in self._held

    def hold(self, name: str) -> None:
        """This bridge is at work on it from now on."""
        with self._lock:
            self._held.add(name)
            self._resting.pop(name, None)

    def claim(self, name: str) -> None:
        """This bridge tries to take it over: whatever comes of it, it isn't as it was left."""
        with self._lock:
            self._resting.pop(name, None)

    def release(self, name: str, rests_as: Versions | None = None) -> None:
        """``rests_as``: as long as it is as it was left, this bridge may go on with it at once."""
        with self._lock:
            self._held.discard(name)
            self._seen.pop(name, None)
            if rests_as is not None:
                self._resting[name] = rests_as

    def note(self, found: Mapping[str, JournalFiles], name: str) -> None:
        """All that was found of the journals whose names begin with ``name``."""
        with self._lock:
            for known in (self._seen, self._resting):
                for gone in [of for of in known if of.startswith(name) and of not in found]:
                    del known[gone]
            for of, files in found.items():
                if self._seen.get(of, (None, 0.0))[0] != files:
                    self._seen[of] = files, self._timer()
