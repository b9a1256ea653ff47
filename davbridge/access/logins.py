"""Is this the user's password?

A client logs in with every request, and a hash that is good takes a tenth of a second and 64 MiB.
So an answer is remembered, for a while, under a digest with a key that this process made up.

Owns the users and what is remembered of them. Must not know HTTP.

Invariants:
- No password is kept: only keyed digests of successful logins, bounded in number and time.
- A name that no user has costs the time of a wrong password.
- However many requests bring the same new login at once, it is verified once; and no more than
  PARALLEL logins are verified at a time, so that memory stays bounded.
"""

import hashlib
import os
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from cachetools import TTLCache

from davbridge.access import passwords
from davbridge.config import User

REMEMBERED_SECONDS = 300.0
REMEMBERED_LOGINS = 1024
PARALLEL = 4


def validate_user(name: str, password_hash: str) -> None:
    """Raises ValueError, with one line, where a user can't log in by this name or hash."""
    if not name:
        raise ValueError("a user's name can't be empty")
    if ":" in name:
        raise ValueError(f"a user's name can't contain a colon: {name!r}")
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"a user's name can't begin or end in blanks, or hold controls: {name!r}")
    if not passwords.is_supported_hash(password_hash):
        raise ValueError(
            f"the password hash of {name!r} is neither argon2id nor bcrypt: "
            "make one with `davbridge password`"
        )


class Logins:
    """Checks names and passwords against ``users``. Safe to use from many threads."""

    def __init__(
        self,
        users: Sequence[User],
        *,
        verify: Callable[[str, str], bool] = passwords.verify,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        for user in users:
            validate_user(user.name, user.password_hash)
        self._hashes = {_prepared(user.name): user.password_hash for user in users}
        if len(self._hashes) < len(users):
            raise ValueError("two users have the same name")
        self._decoy = next(iter(self._hashes.values()), None)
        """The hash that is verified for names that no user has."""
        self._verify = verify
        self._key = os.urandom(32)
        self._granted: TTLCache[bytes, None] = TTLCache(
            REMEMBERED_LOGINS, REMEMBERED_SECONDS, timer=timer
        )
        self._pending: dict[bytes, Future[bool]] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(PARALLEL)

    def check(self, name: str, password: str) -> bool:
        """Whether ``name`` is a user, and ``password`` is theirs."""
        name = _prepared(name)
        digest = self._digest(name, password)
        with self._lock:
            if digest in self._granted:
                return True
            pending = self._pending.get(digest)
            if pending is None:
                mine = self._pending[digest] = Future()
        if pending is not None:
            return pending.result()
        self._settle(mine, digest, name, password)
        return mine.result()

    def _settle(self, future: Future[bool], digest: bytes, name: str, password: str) -> None:
        try:
            with self._slots:
                future.set_result(self._is_right(name, password))
        except BaseException as error:
            future.set_exception(error)  # those who wait for it have to hear of it
        with self._lock:
            if future.exception() is None and future.result():
                self._granted[digest] = None
            del self._pending[digest]

    def _is_right(self, name: str, password: str) -> bool:
        password_hash = self._hashes.get(name)
        if password_hash is not None:
            return self._verify(password_hash, password)
        if self._decoy is not None:
            self._verify(self._decoy, password)
        return False

    def _digest(self, name: str, password: str) -> bytes:
        # With the name's length, so that no other pair reads the same.
        text = f"{len(name)}:{name}:{password}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()


def _prepared(name: str) -> str:
    """In form NFC, as RFC 7617 §2.1 has it (by way of RFC 8265)."""
    return unicodedata.normalize("NFC", name)
