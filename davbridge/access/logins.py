"""Checks names and passwords.

Clients send their login with every request, and a good password hash takes a tenth of a second and
64 MiB. So results are cached, under a keyed digest of the login. The key is made by this process. A
new login is verified when the throttle admits it, and when the queue calls it.

Invariants:
- No password is kept. Only keyed digests are, bounded in number, and in the time since their last
  use.
- A name that no user has takes the time of a wrong password, and is throttled and queued like one.
- A new login is verified once, however many requests bring it at the same time. At most PARALLEL
  logins are verified at a time, so memory is bounded.
- A cached valid login is granted at once, whoever else guesses. One that was valid within
  KNOWN_SECONDS is verified before all others, and never throttled.
- A wrong login is cached for the network that sent it, and its repetition is no new failure: a
  device with an old password throttles nobody. Nothing is cached across networks.
- In a network without failures, a first login isn't throttled. It waits in the queue, and is
  refused only if MAX_WAITING other requests wait, all from networks with fewer failures and
  requests.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.access import passwords
from davbridge.access.failure_log import FailureLog
from davbridge.access.throttle import AdmittedLogin, Throttle, ThrottledError
from davbridge.access.verification import Claim, TooManyLoginsError, VerificationQueue
from davbridge.addresses import network_of
from davbridge.config import User
from davbridge.waiting import Waiting, bounded_wait

CACHED_SECONDS = 300.0
KNOWN_SECONDS = 24 * 3600.0
MAX_CACHED_LOGINS = 1024

WRONG_SECONDS = 60.0
MAX_WRONG_LOGINS = 4096

PARALLEL = 2
MAX_WAITING = 32
"""Requests that wait, each with a thread: two seconds' worth of verifications, and more than the
connections that a client opens at once."""


class _ValidLogin(NamedTuple):
    """A login that was valid."""

    user: str
    until: float
    """When it has to be verified again."""


class _UserTable:
    """Who may log in."""

    def __init__(self, users: Sequence[User]) -> None:
        self.by_name = {passwords.prepared(user.name): user for user in users}
        self.dummy_hash = users[0].password_hash if users else None
        """The hash that is verified for unknown names, so that they take as long as known ones.
        If the users' hashes differ in cost, the time still shows a difference."""


class _Attempt:
    """A login that one or more requests from one network bring at the same time."""

    def __init__(self, admitted: AdmittedLogin) -> None:
        self.admitted = admitted
        self.requests = 0
        self.is_answered = False


class Logins:
    """Checks names and passwords against ``users``. Thread-safe."""

    def __init__(
        self,
        users: Sequence[User],
        *,
        verify: Callable[[str, str], bool] = passwords.verify,
        timer: Callable[[], float] = time.monotonic,
        waiting: Waiting = bounded_wait,
    ) -> None:
        self._users = _UserTable(users)
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
        """By network and login."""
        self._attempts: dict[tuple[str, bytes], _Attempt] = {}
        self._throttle = Throttle(timer)
        self._queue = VerificationQueue(PARALLEL, MAX_WAITING, waiting)
        self._failures = FailureLog(timer)

    def identify(self, name: str, password: str, address: str = "") -> str | None:
        """The name of the user with this login, as in the settings; None if the login is wrong.
        Raises ThrottledError, TooManyLoginsError."""
        name = passwords.prepared(name)
        login = self._digest(name, password)
        now = self._timer()
        with self._lock:
            valid = self._valid.get(login)
            if valid is not None and now < valid.until:
                self._cache_valid(login, valid.user, now)
                return valid.user
            users = self._users
        check = partial(self._check, users, name, password)
        if valid is not None:
            claim = Claim(login, network_of(address), name, is_known=True)
            return self._cache(login, self._queue.verify(claim, check), users)
        try:
            return self._identify_new(name, login, address, check, users)
        except (ThrottledError, TooManyLoginsError):
            self._failures.refused(address, name)
            raise

    def replace_users(self, users: Sequence[User]) -> None:
        """From now on, only these may log in. Nothing that was verified before counts. A login that
        is being verified now is refused with TooManyLoginsError."""
        with self._lock:
            self._users = _UserTable(users)
            self._valid.clear()
            self._wrong.clear()

    def _identify_new(
        self,
        name: str,
        login: bytes,
        address: str,
        check: Callable[[], str | None],
        users: "_UserTable",
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
            user = self._cache(login, self._queue.verify(claim, check), users)
            if self._answer(attempt, user) and user is None:
                self._failures.failed(address, name)
            return user

    @contextmanager
    def _attempt(self, network: str, name: str, login: bytes) -> Iterator[_Attempt]:
        """Requests with the same login share one attempt. Raises ThrottledError."""
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
        """Reports the result to the throttle. False if another request has done so."""
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

    def _cache(self, login: bytes, user: str | None, users: "_UserTable") -> str | None:
        with self._lock:
            if users is not self._users:
                raise TooManyLoginsError("the users were replaced while a login was verified")
            if user is not None:
                self._cache_valid(login, user, self._timer())
            else:
                self._valid.pop(login, None)
        return user

    def _cache_valid(self, login: bytes, user: str, now: float) -> None:
        self._valid[login] = _ValidLogin(user, now + CACHED_SECONDS)

    def _check(self, users: "_UserTable", name: str, password: str) -> str | None:
        user = users.by_name.get(name)
        if user is not None:
            return user.name if self._verify(user.password_hash, password) else None
        if users.dummy_hash is not None:
            self._verify(users.dummy_hash, password)
        return None

    def _digest(self, name: str, password: str) -> bytes:
        # With the length of the name, so that no other pair has the same text.
        text = f"{len(name)}:{name}:{password}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()
