"""Is this the user's password?

A client logs in with every request, and a hash that is good takes a tenth of a second and 64 MiB.
So an answer is remembered, as long as it is asked for, under a digest with a key that this process
made up. A new login is verified when the throttle admits it and the queue calls it.

Owns the users and what is remembered of them. Must not know HTTP.

Invariants:
- No password is kept: only keyed digests of logins, bounded in number, and in the time since they
  were last used.
- A name that no user has costs the time of a wrong password, and is throttled and queued as one.
- However many requests bring the same new login at once, it is verified once; and no more than
  PARALLEL logins are verified at a time, so that memory stays bounded.
- A remembered login is granted without a delay, whoever guesses from wherever. One that was right
  within KNOWN_SECONDS is verified before all others, and never throttled.
- A wrong login is remembered for the network that sent it, and its repetition is no new failure: a
  device that still has an old password throttles nobody. What one network sent tells another
  nothing.
- At another network than the guessers', a first login isn't throttled, and waits for its turn in
  the queue. It is refused only where MAX_WAITING other requests wait, all from networks that have
  had fewer failures and requests. At the guessers' network, it is throttled with theirs.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.access import passwords
from davbridge.access.failure_log import FailureLog
from davbridge.access.throttle import AdmittedLogin, Throttle, ThrottledError
from davbridge.access.verification import Claim, TooManyLoginsError, VerificationQueue
from davbridge.addresses import network_of
from davbridge.config import User
from davbridge.waiting import Waiting

CACHED_SECONDS = 300.0
KNOWN_SECONDS = 24 * 3600.0
MAX_CACHED_LOGINS = 1024

WRONG_SECONDS = 60.0
MAX_WRONG_LOGINS = 4096

PARALLEL = 2
MAX_WAITING = 32
"""Requests, each with a thread: two seconds' worth of verifications, and more than the connections
that a client opens at once with a new login."""


class _ValidLogin(NamedTuple):
    """A login that was right."""

    user: str
    until: float
    """When it has to be verified again."""


class _Attempt:
    """A login that requests from one network bring at the same time."""

    def __init__(self, admitted: AdmittedLogin) -> None:
        self.admitted = admitted
        self.requests = 0
        self.is_answered = False


class Logins:
    """Checks names and passwords against ``users``. Safe to use from many threads."""

    def __init__(
        self,
        users: Sequence[User],
        *,
        verify: Callable[[str, str], bool] = passwords.verify,
        timer: Callable[[], float] = time.monotonic,
        waiting: Waiting = nullcontext,
    ) -> None:
        self._users = {passwords.prepared(user.name): user for user in users}
        self._dummy_hash = users[0].password_hash if users else None
        """The hash that is verified for names that no user has. Where users' hashes differ in kind
        or cost, the time still tells this user's cost from another's."""
        self._verify = verify
        self._timer = timer
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._valid: TTLCache[bytes, _ValidLogin] = TTLCache(
            MAX_CACHED_LOGINS, KNOWN_SECONDS, timer=timer
        )
        self._wrong: TTLCache[tuple[str, bytes], None] = TTLCache(
            MAX_WRONG_LOGINS, WRONG_SECONDS, timer=timer
        )
        """By the network that sent them."""
        self._attempts: dict[tuple[str, bytes], _Attempt] = {}
        self._throttle = Throttle(timer)
        self._queue = VerificationQueue(PARALLEL, MAX_WAITING, waiting)
        self._failures = FailureLog(timer)

    def identify(self, name: str, password: str, address: str = "") -> str | None:
        """The user, by the name that the settings give, whose login this is; None where it is
        nobody's. Raises ThrottledError, TooManyLoginsError."""
        name = passwords.prepared(name)
        login = self._digest(name, password)
        now = self._timer()
        with self._lock:
            valid = self._valid.get(login)
            if valid is not None and now < valid.until:
                self._cache_valid(login, valid.user, now)
                return valid.user
        check = partial(self._check, name, password)
        if valid is not None:
            claim = Claim(login, network_of(address), name, is_known=True)
            return self._cache(login, self._queue.verify(claim, check))
        try:
            return self._identify_new(name, login, address, check)
        except (ThrottledError, TooManyLoginsError):
            self._failures.refused(address, name)
            raise

    def _identify_new(
        self, name: str, login: bytes, address: str, check: Callable[[], str | None]
    ) -> str | None:
        network = network_of(address)
        with self._lock:
            is_wrong = (network, login) in self._wrong
        if is_wrong:
            self._failures.refused(address, name)
            return None
        with self._attempt(network, name, login) as attempt:
            admitted = attempt.admitted
            claim = Claim(login, network, name, admitted.failures, admitted.is_repeated)
            user = self._cache(login, self._queue.verify(claim, check))
            if self._answer(attempt, user) and user is None:
                self._failures.failed(address, name)
            return user

    @contextmanager
    def _attempt(self, network: str, name: str, login: bytes) -> Iterator[_Attempt]:
        """Raises ThrottledError. Its requests count once."""
        key = network, login
        with self._lock:
            attempt = self._attempts.get(key)
            if attempt is None:
                attempt = _Attempt(self._throttle.admit(network, name, login))
                self._attempts[key] = attempt
            attempt.requests += 1
        try:
            yield attempt
        finally:
            with self._lock:
                attempt.requests -= 1
                if not attempt.requests and not attempt.is_answered:
                    self._throttle.withdraw(attempt.admitted)
                if not attempt.requests:
                    del self._attempts[key]

    def _answer(self, attempt: _Attempt, user: str | None) -> bool:
        """Tells the throttle. False where another request has done so."""
        with self._lock:
            if attempt.is_answered:
                return False
            attempt.is_answered = True
            if user is None:
                self._wrong[attempt.admitted.key] = None
                self._throttle.fail(attempt.admitted)
            else:
                self._throttle.succeed(attempt.admitted)
            return True

    def _cache(self, login: bytes, user: str | None) -> str | None:
        with self._lock:
            if user is not None:
                self._cache_valid(login, user, self._timer())
            else:
                self._valid.pop(login, None)
        return user

    def _cache_valid(self, login: bytes, user: str, now: float) -> None:
        """For a while from now on."""
        self._valid[login] = _ValidLogin(user, now + CACHED_SECONDS)

    def _check(self, name: str, password: str) -> str | None:
        user = self._users.get(name)
        if user is not None:
            return user.name if self._verify(user.password_hash, password) else None
        if self._dummy_hash is not None:
            self._verify(self._dummy_hash, password)
        return None

    def _digest(self, name: str, password: str) -> bytes:
        # With the name's length, so that no other pair reads the same.
        text = f"{len(name)}:{name}:{password}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()
