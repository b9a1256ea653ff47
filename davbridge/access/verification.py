"""The queue of logins to be verified, fair between networks and user names.

A password hash takes a tenth of a second of a processor, and 64 MiB. So few are computed at a time,
and other requests wait, each with a thread. A login is known by its digest here.

Invariants:
- At most ``parallel`` logins are verified at a time. Requests with the same login share one
  verification.
- At most ``limit`` requests wait. One more displaces the request whose network has most failures
  and waiting requests, which may be itself. What is displaced is refused.
- A later request goes first if its network has fewer recent failures, or if fewer requests wait for
  the same name; to a lesser degree, if fewer requests of its network, or for its name, wait. The
  priority is fixed when a request comes, so each is served after a bounded number of others.
- Logins that are known to have been valid go before all others.
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
    """Too many logins wait to be verified already."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The login of one request, and what its priority depends on."""

    login: bytes
    """The digest of name and password."""
    network: str
    name: str
    failures: int = 0
    """Recent failures of the network."""
    is_repeated: bool = False
    """Whether it was refused before."""
    is_known: bool = False
    """Whether it was valid the last time."""


class Verdict(NamedTuple):
    """The result of a verification: the user's name, or None."""

    user: str | None


@dataclass(eq=False, slots=True)
class _QueuedLogin:
    """A request that waits in the queue."""

    claim: Claim
    number: int
    """In the order in which requests came."""
    priority: int
    """The lowest is served first; of equal ones, the earliest."""
    answer: Future[Verdict | None] = field(default_factory=Future)
    """The verdict of another request with the same login; None if this request's thread is to
    verify it."""


class VerificationQueue:
    """Verifies logins in a fair order, in the threads that ask."""

    def __init__(self, parallel: int, limit: int, waiting: Waiting = nullcontext) -> None:
        self._parallel = parallel
        self._limit = limit
        self._waits = waiting
        """Gives the context in which a thread waits here."""
        self._lock = Lock()
        self._running: dict[bytes, Claim] = {}
        self._waiting: list[_QueuedLogin] = []
        self._started = 0
        """How many requests have left the queue to be verified, so far."""
        self._number = 0

    def verify(self, claim: Claim, check: Callable[[], str | None]) -> str | None:
        """The result of ``check``, called here or for another request with the same login. Raises
        TooManyLoginsError, and what ``check`` raises."""
        request = self._start_or_queue(claim)
        if request is not None:
            with self._waits():
                verdict = request.answer.result()
            if verdict is not None:
                return verdict.user
        try:
            user = check()
        except BaseException as error:
            self._finish(claim, error)  # requests that share the verification fail as well
            raise
        self._finish(claim, Verdict(user))
        return user

    def _start_or_queue(self, claim: Claim) -> _QueuedLogin | None:
        """None if the login can be verified at once."""
        with self._lock:
            if len(self._running) < self._parallel and claim.login not in self._running:
                self._running[claim.login] = claim
                return None
            self._number += 1
            request = _QueuedLogin(claim, self._number, self._priority_of(claim))
            self._waiting.append(request)
            if len(self._waiting) > self._limit:
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
        """Starts verifications, as many as may run."""
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
        """As if it had come later: after as many more verifications as it has disadvantages."""
        if claim.is_known:
            return -1
        others = [*self._running.values(), *(each.claim for each in self._waiting)]
        of_network = [each for each in others if each.network == claim.network]
        of_name = sum(each.name == claim.name for each in others)
        of_pair = sum(each.name == claim.name for each in of_network)
        worse = claim.failures + of_pair
        return self._started + worse * self._limit + len(of_network) + of_name

    def _least_important(self) -> _QueuedLogin:
        of_network = Counter(each.claim.network for each in self._waiting)

        def unimportance(request: _QueuedLogin) -> tuple[int, ...]:
            claim = request.claim
            load = claim.failures + of_network[claim.network]
            return (not claim.is_known, load, not claim.is_repeated, request.number)

        return max(self._waiting, key=unimportance)
