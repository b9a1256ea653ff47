"""Growing delays for logins from where passwords were wrong before.

A network (see `addresses`) may fail some times without a delay, and so may each pair of a network
and a user name. Beyond that, a new login is refused at first, and admitted when the same login is
repeated after the delay that the refusal named. Who guesses without waiting is never admitted.
Those who wait are admitted one after another, in the order in which they first came back, and the
delays between them grow. There is no delay for a user name alone, so nobody can lock a user out
from another network.

Owns the counts of failures and the delays. Must not know passwords, or HTTP: a login is a digest.

Invariants:
- A login under way counts as failed until it has succeeded, so that parallel logins don't pass.
- A login is refused twice at the most before it is admitted, where its client waits as it is asked
  to. The exceptions: logins that wait at its network take LONGEST_WAIT already, or so many logins
  are refused that those bounds of memory are reached.
- No thread waits here. Memory is bounded; the least recently used entries are forgotten first.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from threading import Lock

from cachetools import TTLCache

MAX_RECORDS = 20_000
"""Networks, and pairs of a network and a name, whose failures are remembered."""

MAX_REFUSED = 20_000
"""Logins that are remembered as refused once: more than a server can refuse in FIRST_DELAY."""

MAX_SCHEDULED = 20_000
"""Logins that came back, and were given a time."""

FIRST_DELAY = 1.0
"""Seconds. Delays double from there."""

LONGEST_WAIT = 600.0
"""Seconds that a login may have to wait for others at its network."""

LATE_SECONDS = 60.0
"""Seconds after its delay for which a login is still admitted: a person repeats it by hand."""

MAX_EXCESS = 5
"""Failures beyond the free ones that are counted, so that a network recovers soon after its guesser
has gone. With them, delays are at their longest."""


class ThrottledError(Exception):
    """The login isn't verified now. ``seconds``: after which it should be repeated."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many logins failed")
        self.seconds = max(1, ceil(seconds))


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many failures cause no delay, and in how many seconds one is forgiven.

    Those are also the longest delay: a guesser who never rests gets as many as are forgiven.
    """

    free: int
    seconds: float


NETWORK = Allowance(free=25, seconds=5.0)
"""Many users may share an address, or come through one proxy."""

PAIR = Allowance(free=5, seconds=20.0)
"""Of a network and a user name: 4,320 guesses a day."""


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
        """Those that aren't forgiven."""
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
        """A login is going to be admitted ``at`` that time. The longer it has to wait for others,
        the more of them there are, and the longer the next one waits after it."""
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
    """A login that may be verified now. Ends with one of the calls of `Throttle`."""

    key: tuple[str, bytes]
    """Its network, and the login."""
    records: tuple[_FailureRecord, _FailureRecord]
    """The network's, and the pair's."""
    failures: int
    """Those of the network, when it was admitted."""
    is_repeated: bool
    """Whether it was refused before."""


class Throttle:
    """Which logins may be verified now. Safe to use from many threads."""

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
        """Raises ThrottledError. ``login`` stands for the name and the password."""
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
        """The password was right: the pair's failures are forgiven. Those of the network aren't,
        as who guesses may have a login of their own."""
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
        """It was not verified. It is admitted when it comes again: at once if that was its turn."""
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
        """That the login was refused before, and has waited. Raises ThrottledError."""
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
        self._records[key] = record  # remembered from now on
        return record


def _short(name: str) -> str:
    """What stands for a user name, which may be long."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
