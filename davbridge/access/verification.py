"""Which login is verified next, while more come than can be verified at a time.

A password's hash takes a tenth of a second of a processor and 64 MiB. So few are computed at a
time, and requests wait, each with a thread. The order is fair between networks and user names.

Owns the order, and the bound of those that wait. Must not know passwords, or HTTP: a login is a
digest.

Invariants:
- No more than ``parallel`` logins are verified at a time, and requests that bring the same login
  share one verification.
- No more than ``most`` requests wait. One more displaces the request whose network has most
  failures and waiting requests, and is refused only where that is its own.
- A request that came later goes first where its network has fewer recent failures, or fewer
  requests for the same name wait; and, to a lesser degree, where fewer requests of its network, or
  for its name, do. How many may go first is decided when a request comes, so that each is served
  after a bounded number of others.
- Logins that are known to have been right are verified before all others.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from davbridge.waiting import Waiting


class TooManyLoginsError(Exception):
    """So many logins wait to be verified that this one can't wait with them."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One request's login, and what decides on its place in the order."""

    login: bytes
    """The digest of name and password."""
    network: str
    name: str
    failures: int = 0
    """Recent ones, of the network."""
    is_repeated: bool = False
    """Whether it was refused before."""
    is_known: bool = False
    """Whether it was right the last time."""


class Verdict(NamedTuple):
    """The answer to a login: whose it is, or None."""

    user: str | None


@dataclass(eq=False, slots=True)
class _QueuedLogin:
    """A request that waits."""

    claim: Claim
    number: int
    """In the order in which they came."""
    priority: int
    """The least is served first, and of equal ones that which came first."""
    answer: Future[Verdict | None] = field(default_factory=Future)
    """None: it is to be verified now, by the request's own thread."""


class VerificationQueue:
    """Verifies logins in a fair order, in the threads that ask."""

    def __init__(self, parallel: int, most: int, waiting: Waiting = nullcontext) -> None:
        self._parallel = parallel
        self._most = most
        self._waits = waiting
        """What a thread is within while it waits here."""
        self._lock = Lock()
        self._running: dict[bytes, Claim] = {}
        self._waiting: list[_QueuedLogin] = []
        self._started = 0
        """Requests that waited and were called, so far."""
        self._number = 0

    def verify(self, claim: Claim, check: Callable[[], str | None]) -> str | None:
        """Whose login it is, as ``check`` says, here or for another request with the same login.
        Raises TooManyLoginsError, and what ``check`` raises."""
        request = self._start_or_queue(claim)
        if request is not None:
            with self._waits():
                verdict = request.answer.result()
            if verdict is not None:
                return verdict.user
        try:
            user = check()
        except BaseException as error:
            self._finish(claim, error)  # those that share it have to hear of it
            raise
        self._finish(claim, Verdict(user))
        return user

    def _start_or_queue(self, claim: Claim) -> _QueuedLogin | None:
        """None where it can be verified at once."""
        with self._lock:
            if len(self._running) < self._parallel and claim.login not in self._running:
                self._running[claim.login] = claim
                return None
            self._number += 1
            request = _QueuedLogin(claim, self._number, self._priority_of(claim))
            self._waiting.append(request)
            if len(self._waiting) > self._most:
                displaced = self._least_important()
                self._waiting.remove(displaced)
                if displaced is request:
                    raise TooManyLoginsError
                displaced.answer.set_exception(TooManyLoginsError())
            return request

    def _finish(self, claim: Claim, outcome: Verdict | BaseException) -> None:
        with self._lock:
            del self._running[claim.login]
            for request in [each for each in self._waiting if each.claim.login == claim.login]:
                self._waiting.remove(request)
                if isinstance(outcome, Verdict):
                    request.answer.set_result(outcome)
                else:
                    request.answer.set_exception(outcome)
            self._start_queued()

    def _start_queued(self) -> None:
        """Has the next ones verified."""
        while len(self._running) < self._parallel:
            ready = [each for each in self._waiting if each.claim.login not in self._running]
            if not ready:
                break
            request = min(ready, key=lambda each: (each.priority, each.number))
            self._waiting.remove(request)
            self._running[request.claim.login] = request.claim
            self._started += 1
            request.answer.set_result(None)

    def _priority_of(self, claim: Claim) -> int:
        """As if it had come after as many calls more as its disadvantages are worth."""
        if claim.is_known:
            return -1
        others = [*self._running.values(), *(each.claim for each in self._waiting)]
        of_network = [each for each in others if each.network == claim.network]
        of_name = sum(each.name == claim.name for each in others)
        of_pair = sum(each.name == claim.name for each in of_network)
        worse = claim.failures + of_pair
        return self._started + worse * self._most + len(of_network) + of_name

    def _least_important(self) -> _QueuedLogin:
        of_network = Counter(each.claim.network for each in self._waiting)

        def unimportance(request: _QueuedLogin) -> tuple[int, ...]:
            claim = request.claim
            load = claim.failures + of_network[claim.network]
            return (not claim.is_known, load, not claim.is_repeated, request.number)

        return max(self._waiting, key=unimportance)
