"""Is this the user's password?

A client logs in with every request, and a hash that is good takes a tenth of a second and 64 MiB.
So an answer is remembered, as long as it is asked for, under a digest with a key that this process
made up.

Owns the users and what is remembered of them. Must not know HTTP.

Invariants:
- No password is kept: only keyed digests of successful logins, bounded in number, and in the time
  since they were last used.
- A name that no user has costs the time of a wrong password.
- However many requests bring the same new login at once, it is verified once; and no more than
  PARALLEL logins are verified at a time, so that memory stays bounded.
- No more than MAX_ASKING requests wait for an answer, each of them with a thread: who is known is
  let in while others guess passwords, for however long they do.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from cachetools import TTLCache

from davbridge.access import passwords
from davbridge.config import User

REMEMBERED_SECONDS = 300.0
REMEMBERED_LOGINS = 1024
PARALLEL = 2
MAX_ASKING = 12
"""More than a client opens connections with a new login at once."""


class TooManyLoginsError(Exception):
    """So many logins are being verified that this one can't wait with them."""


class Logins:
    """Checks names and passwords against ``users``. Safe to use from many threads."""

    def __init__(
        self,
        users: Sequence[User],
        *,
        verify: Callable[[str, str], bool] = passwords.verify,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = {passwords.prepared(user.name): user for user in users}
        self._decoy = users[0].password_hash if users else None
        """The hash that is verified for names that no user has. Where users' hashes differ in kind
        or cost, the time still tells this user's cost from another's."""
        self._verify = verify
        self._key = os.urandom(32)
        self._granted: TTLCache[bytes, str] = TTLCache(
            REMEMBERED_LOGINS, REMEMBERED_SECONDS, timer=timer
        )
        self._pending: dict[bytes, Future[str | None]] = {}
        self._asking = 0
        """Requests that wait for an answer."""
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(PARALLEL)

    def identify(self, name: str, password: str) -> str | None:
        """The user, by the name that the settings give, whose login this is; None where it is
        nobody's. Raises TooManyLoginsError."""
        name = passwords.prepared(name)
        digest = self._digest(name, password)
        with self._lock:
            granted = self._granted.get(digest)
            if granted is not None:
                self._granted[digest] = granted  # from now on
                return granted
            if self._asking >= MAX_ASKING:
                raise TooManyLoginsError
            self._asking += 1
        try:
            return self._answer(digest, name, password)
        finally:
            with self._lock:
                self._asking -= 1

    def _answer(self, digest: bytes, name: str, password: str) -> str | None:
        with self._lock:
            pending = self._pending.get(digest)
            if pending is None:
                mine = self._pending[digest] = Future()
        if pending is not None:
            return pending.result()
        self._settle(mine, digest, name, password)
        return mine.result()

    def _settle(self, future: Future[str | None], digest: bytes, name: str, password: str) -> None:
        user = None
        try:
            with self._slots:
                user = self._whose(name, password)
            future.set_result(user)
        except BaseException as error:
            future.set_exception(error)  # those who wait for it have to hear of it
        with self._lock:
            if user is not None:
                self._granted[digest] = user
            del self._pending[digest]

    def _whose(self, name: str, password: str) -> str | None:
        user = self._users.get(name)
        if user is not None:
            return user.name if self._verify(user.password_hash, password) else None
        if self._decoy is not None:
            self._verify(self._decoy, password)
        return None

    def _digest(self, name: str, password: str) -> bytes:
        # With the name's length, so that no other pair reads the same.
        text = f"{len(name)}:{name}:{password}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()
