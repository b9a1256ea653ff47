"""Where the store is known to refuse deletes to davbridge's credentials.

A MOVE deletes only after it has copied: if the right to delete is missing, it must not begin. The
probe finds out whether it is; a policy may also refuse it in some folders, which shows at the first
DELETE there.

Invariant: what is known is forgotten once a delete there has succeeded; and it is asked for again,
by the delete of a key at which nothing is, once it is VALID seconds old.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import AccessDeniedError, MissingRightError
from davbridge.paths import DELIMITER
from davbridge.store.base import DeleteFailure
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.bucket.capabilities import CANARY
from davbridge.store.s3.object_requests.deletes import delete_one

VALID = 60.0
"""Seconds. A right that was granted meanwhile is noticed after so many; and a single object that
can't be deleted keeps others from being moved for no longer."""

MAX_FOLDERS = 1000


class DeleteRights:
    """Safe for many threads."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = Lock()
        self._trees: dict[str, float] = {}
        """When the right was last missing below a prefix."""
        self._folders: LRUCache[str, float] = LRUCache(MAX_FOLDERS)
        """The same, for keys directly below a prefix."""

    def refused_below(self, prefix: str) -> None:
        with self._lock:
            self._trees[prefix] = self._timer()

    @contextmanager
    def noting(self, key: str) -> Iterator[None]:
        """Around the delete of one object."""
        try:
            yield
        except AccessDeniedError:
            self._refused(key)
            raise
        self._allowed([key])

    def note(self, keys: Sequence[str], failures: Sequence[DeleteFailure]) -> None:
        """After the delete of many."""
        for failure in failures:
            if isinstance(failure.error, AccessDeniedError):
                self._refused(failure.key)
        if self._trees or self._folders:
            self._allowed(set(keys).difference(failure.key for failure in failures))

    def require(self, bucket: Bucket, keys: Iterable[str]) -> None:
        """Raises MissingRightError if one of these can't be deleted, as far as is known."""
        if not (self._trees or self._folders):
            return
        for prefix, known_at in self._refused_around(keys).items():
            if self._timer() - known_at >= VALID and self._is_granted(bucket, prefix):
                continue
            raise MissingRightError(
                "the store's credentials may not delete here, which needs the right s3:DeleteObject"
            )

    def _is_granted(self, bucket: Bucket, prefix: str) -> bool:
        """Raises StoreError."""
        absent = f"{prefix}{CANARY}{uuid.uuid4().hex}.absent"
        try:
            with self.noting(absent):
                delete_one(bucket, absent)
        except AccessDeniedError:
            return False
        return True

    def _refused_around(self, keys: Iterable[str]) -> dict[str, float]:
        found = {}
        with self._lock:
            for key in keys:
                home = _home_of(key)
                if home in self._folders:
                    found[home] = self._folders[home]
                found |= {tree: at for tree, at in self._trees.items() if key.startswith(tree)}
        return found

    def _refused(self, key: str) -> None:
        with self._lock:
            now = self._timer()
            self._folders[_home_of(key)] = now
            self._trees |= {tree: now for tree in self._trees if key.startswith(tree)}

    def _allowed(self, keys: Iterable[str]) -> None:
        with self._lock:
            if not (self._trees or self._folders):
                return
            for key in keys:
                self._folders.pop(_home_of(key), None)
                for tree in [tree for tree in self._trees if key.startswith(tree)]:
                    del self._trees[tree]


def _home_of(key: str) -> str:
    """The prefix of the folder that has the key; a marker is in the folder that it marks."""
    return key[: key.rfind(DELIMITER) + 1]
