"""Delays for logins from networks where logins have failed.

A network (see `addresses`), and each pair of a network and a user name, may fail some times without
a delay. After that, a new login is refused at first, with a delay. It is admitted when the same
login is repeated after the delay. A client that guesses without waiting is never admitted. Clients
that wait are admitted one after another, in the order in which they first returned, with growing
delays between them. There is no delay for a user name alone, so nobody can lock a user out from
another network. A login is known by its digest here.

Invariants:
- A login counts as failed until it has succeeded, so logins in parallel don't evade the throttle.
- A client that waits for as long as the response says is refused twice at most. The exceptions:
  logins of its network are scheduled for the next LONGEST_WAIT already, or more logins are refused
  than are remembered.
- No thread waits here. Memory is bounded; the least recently used entries are dropped first.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from threading import Lock

from cachetools import TTLCache

MAX_RECORDS = 20_000
"""Networks and pairs whose failures are remembered."""

MAX_REFUSED = 20_000
"""Logins that were refused once: more than a server can refuse in FIRST_DELAY."""

MAX_SCHEDULED = 20_000
"""Logins that came back, and have a time at which they are admitted."""

FIRST_DELAY = 1.0
"""Seconds. Delays double from there."""

LONGEST_WAIT = 600.0
"""Seconds that a login may have to wait for others of its network."""

LATE_SECONDS = 60.0
"""For so long after its time, a login is still admitted. A person repeats it by hand."""

MAX_EXCESS = 5
"""Failures that are counted beyond the free ones. The delay is longest then. More aren't counted,
so that a network recovers soon after an attack."""


class ThrottledError(Exception):
    """The login isn't verified now. It should be repeated after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many logins failed")
        self.seconds = max(1, ceil(seconds))


@dataclass(frozen=True, slots=True)
class Allowance:
    """``free`` failures cause no delay. One is forgiven every ``seconds``.

    That is also the longest delay: a client that guesses all the time gets as many guesses as are
    forgiven.
    """

    free: int
    seconds: float


NETWORK = Allowance(free=25, seconds=5.0)
"""Many users may share an address, or come through one proxy."""

PAIR = Allowance(free=5, seconds=20.0)
"""For a network and a user name: 4,320 guesses a day."""


class _FailureRecord:
    """The failures of a network, or of a pair."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._failures = 0
        self._counted_at = 0.0
        """Up to when they have been forgiven."""
        self._next_at = 0.0
        """When the next login may be admitted."""
        self.pending = 0
        """Logins that were admitted, and have no answer yet."""

    def failures(self, now: float) -> int:
        """The failures that aren't forgiven yet."""
        forgiven = int((now - self._counted_at) // self._allowance.seconds)
        if forgiven >= self._failures:
            self._failures, self._counted_at = 0, now
        else:
            self._failures -= forgiven
            self._counted_at += forgiven * self._allowance.seconds
        return self._failures

    def is_throttled(self, now: float) -> bool:
        return self.failures(now) + self.pending >= self._allowance.free

    def next_at(self, now: float) -> float:
        """When one more login may be admitted."""
        return max(now, self._next_at) if self.is_throttled(now) else now

    def admit_at(self, at: float, now: float) -> None:
        """Schedules a login for the time ``at``. The longer it must wait for others, the longer the
        next one must wait after it."""
        if self.is_throttled(now):
            delay = max(self._delay(now), min(at - now, self._allowance.seconds))
            self._next_at = max(self._next_at, at + delay)

    def fail(self, now: float) -> None:
        most = self._allowance.free + MAX_EXCESS
        self._failures = min(self.failures(now) + 1, most)
        if self.is_throttled(now):
            self._next_at = max(self._next_at, now + self._delay(now))

    def forgive(self) -> None:
        self._failures = 0

    def _delay(self, now: float) -> float:
        excess = self.failures(now) + self.pending - self._allowance.free
        doubled = FIRST_DELAY * 2.0 ** min(MAX_EXCESS, max(0, excess))
        return min(self._allowance.seconds, doubled)


@dataclass(frozen=True, slots=True)
class AdmittedLogin:
    """A login that may be verified now. Pass it to `succeed`, `fail` or `withdraw` afterwards."""

    key: tuple[str, bytes]
    """Its network, and the login."""
    records: tuple[_FailureRecord, _FailureRecord]
    """The network's, and the pair's."""
    failures: int
    """Those of the network, when it was admitted."""
    is_repeated: bool
    """Whether it was refused before."""


class Throttle:
    """Decides which logins may be verified now. Thread-safe."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = Lock()
        forgiven = max(each.seconds * (each.free + MAX_EXCESS) for each in (NETWORK, PAIR))
        self._records: TTLCache[tuple[str, ...], _FailureRecord] = TTLCache(
            MAX_RECORDS, LONGEST_WAIT + forgiven, timer=timer
        )
        self._refused: TTLCache[tuple[str, bytes], float] = TTLCache(
            MAX_REFUSED, FIRST_DELAY + LATE_SECONDS, timer=timer
        )
        """When each was refused."""
        self._scheduled: TTLCache[tuple[str, bytes], float] = TTLCache(
            MAX_SCHEDULED, LONGEST_WAIT + LATE_SECONDS, timer=timer
        )
        """When each will be admitted."""

    def admit(self, network: str, name: str, login: bytes) -> AdmittedLogin:
        """Raises ThrottledError. ``login`` is a digest of name and password."""
        now, key = self._timer(), (network, login)
        with self._lock:
            records = self._record(NETWORK, network), self._record(PAIR, network, _short(name))
            is_repeated = key in self._refused or key in self._scheduled
            if any(record.is_throttled(now) for record in records):
                self._require_schedule(key, records, now)
            self._forget(key)
            failures = records[0].failures(now)
            for record in records:
                record.pending += 1
        return AdmittedLogin(key, records, failures, is_repeated)

    def succeed(self, admitted: AdmittedLogin) -> None:
        """The password was right. Forgives the failures of the pair. Those of the network stay,
        because an attacker may have a valid login as well."""
        with self._lock:
            self._end(admitted)
            admitted.records[1].forgive()

    def fail(self, admitted: AdmittedLogin) -> None:
        now = self._timer()
        with self._lock:
            self._end(admitted)
            for record in admitted.records:
                record.fail(now)

    def withdraw(self, admitted: AdmittedLogin) -> None:
        """It was not verified. If it was scheduled, it is admitted at once when it comes again."""
        now = self._timer()
        with self._lock:
            self._end(admitted)
            if admitted.is_repeated:
                self._scheduled[admitted.key] = now
            else:
                self._refused[admitted.key] = now

    def _end(self, admitted: AdmittedLogin) -> None:
        for record in admitted.records:
            record.pending -= 1

    def _require_schedule(
        self, key: tuple[str, bytes], records: Sequence[_FailureRecord], now: float
    ) -> None:
        due = self._scheduled.get(key)
        if due is None or now > due + LATE_SECONDS:
            self._require_repetition(key, now)
            due = max(record.next_at(now) for record in records)
            if due > now + LONGEST_WAIT:
                raise ThrottledError(due - now - LONGEST_WAIT)
            for record in records:
                record.admit_at(due, now)
            self._forget(key)
            self._scheduled[key] = due
        if now < due:
            raise ThrottledError(due - now)

    def _require_repetition(self, key: tuple[str, bytes], now: float) -> None:
        """Raises ThrottledError unless the login was refused before, and has waited."""
        refused_at = self._refused.get(key)
        if refused_at is None:
            refused_at = self._refused[key] = now
        if now < refused_at + FIRST_DELAY:
            raise ThrottledError(refused_at + FIRST_DELAY - now)

    def _forget(self, key: tuple[str, bytes]) -> None:
        self._refused.pop(key, None)
        self._scheduled.pop(key, None)

    def _record(self, allowance: Allowance, *key: str) -> _FailureRecord:
        record = self._records.get(key)
        if record is None:
            record = _FailureRecord(allowance)
        self._records[key] = record  # makes it the most recently used
        return record


def _short(name: str) -> str:
    """A digest of a user name, which may be long."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
