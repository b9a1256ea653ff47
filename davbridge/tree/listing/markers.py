"""What makes a collection of keys: the three conventions for directory markers.

Owns the knowledge of how other tools mark directories: ``x/`` (what davbridge writes), an empty
``x_$folder$`` (Hadoop, EMRFS), and an empty ``x`` of type application/x-directory (s3fs,
CloudFusion). Must not know paths' resources, nor what is done with a collection.

Invariants:
- A listing shows no content types, so only empty slashless objects are ever asked for theirs, and
  the answer is kept by all that a listing shows of the object. A change of nothing but the content
  type keeps the ETag and, within a second, the time: so an answer is kept only if the object was
  older than that when it was asked for.
- An object that is gone when it is asked, or that these credentials may not look at, is taken for a
  file: that shows it, and hides nothing. Any other trouble fails the listing.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    NotFoundError,
    PreconditionFailedError,
)
from davbridge.paths import DELIMITER, is_visible
from davbridge.store.base import DIRECTORY_TYPE, IF_ABSENT, Attributes, ObjectRow, ObjectStore
from davbridge.tree.rows import row_at
from davbridge.waiting import store_wait

MARKER = Attributes(content_type=DIRECTORY_TYPE)

FOLDER_SUFFIX = "_$folder$"

HEADS_AT_ONCE = 16

SETTLED = timedelta(seconds=2)
"""S3's times have whole seconds: an object older than this can't change and keep its time."""


def folder_stem(name: str) -> str | None:
    """``x`` for a name ``x_$folder$``, else None. ``name`` may be a key as well."""
    stem = name.removesuffix(FOLDER_SUFFIX)
    return stem if stem != name and is_visible(stem.rpartition("/")[2]) else None


def is_directory_type(content_type: str) -> bool:
    """Whether the content type, less its parameters, is that of a directory."""
    return content_type.partition(";")[0].strip().lower() == DIRECTORY_TYPE


def write_marker(store: ObjectStore, prefix: str) -> ObjectRow | None:
    """Marks a collection; gives the marker's row. None where something is there, which stays: a
    marker, that may hold a tool's data, or on a store that keeps folders a file of that name.

    Such a store (SeaweedFS) takes a folder that it has made for a member for a marker, and refuses
    another, but removes that folder some time after its last member. So where neither marker nor
    file is seen, the marker is written all the same.
    """
    try:
        return store.put_object(prefix, b"", MARKER, IF_ABSENT)
    except (PreconditionFailedError, AlreadyExistsError):
        if row_at(store, prefix) or row_at(store, prefix.removesuffix(DELIMITER)):
            return None
    return store.put_object(prefix, b"", MARKER)


class DirectoryChecks:
    """Which empty slashless objects are directories; one HEAD each, kept."""

    def __init__(
        self,
        store: ObjectStore,
        now: Callable[[], datetime],
        *,
        parallel: int = HEADS_AT_ONCE,
        max_entries: int = 100_000,
    ) -> None:
        self._store = store
        self._now = now
        self._pool = ThreadPoolExecutor(parallel, "davbridge-verdict")
        self._known: LRUCache[ObjectRow, bool] = LRUCache(max_entries)
        self._lock = Lock()

    def is_directory(self, row: ObjectRow) -> bool:
        """The verdict on one object, which doesn't end in ``/``."""
        if row.size:
            return False
        known = self._recall(row)
        return self._ask(row) if known is None else known

    def among(self, rows: Sequence[ObjectRow]) -> set[str]:
        """The keys of those of ``rows`` that are directories; asks for the unknown in parallel."""
        directory_checks = {row: self._recall(row) for row in rows if not row.size}
        unknown = [row for row, verdict in directory_checks.items() if verdict is None]
        directory_checks.update(zip(unknown, self._ask_all(unknown), strict=True))
        return {row.key for row, verdict in directory_checks.items() if verdict}

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _ask_all(self, rows: Sequence[ObjectRow]) -> list[bool]:
        if len(rows) < 2:
            return [self._ask(row) for row in rows]
        with store_wait():
            return list(self._pool.map(self._ask, rows))

    def _ask(self, row: ObjectRow) -> bool:
        is_settled = self._now() - row.modified > SETTLED
        try:
            info = self._store.head_object(row.key)
        except (NotFoundError, AccessDeniedError):
            return False
        verdict = info.row.size == 0 and is_directory_type(info.attributes.content_type)
        if is_settled and info.row.etag == row.etag:
            with self._lock:
                self._known[row] = verdict
        return verdict

    def _recall(self, row: ObjectRow) -> bool | None:
        with self._lock:
            return self._known.get(row)
