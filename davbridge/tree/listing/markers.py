"""Directory markers: how keys say that a collection is there.

There are three conventions: ``x/`` (davbridge, the AWS console), an empty ``x_$folder$`` (Hadoop,
EMRFS), and an empty ``x`` of a directory's type (s3fs, CloudFusion, Cyberduck, GNOME).

Invariants:
- A listing shows no content types. So a HEAD asks for that of an empty object without a slash, and
  for no other one.
- The answer is cached by all that a listing shows of the object. A change of the content type alone
  keeps the ETag and, within a second, the time. So an answer is cached only if the object was older
  than that when the HEAD was sent.
- An object counts as a file if it has been deleted meanwhile, or if the store refuses to tell of
  it: then it is shown, and hides nothing. Only a store that can't be asked now fails the listing.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import (
    AlreadyExistsError,
    PreconditionFailedError,
    StoreError,
    TruncatedError,
    UnavailableError,
)
from davbridge.paths import DELIMITER, is_visible
from davbridge.store.base import (
    DIRECTORY_TYPE,
    DIRECTORY_TYPES,
    IF_ABSENT,
    Attributes,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.reads import row_at
from davbridge.waiting import store_wait

MARKER = Attributes(content_type=DIRECTORY_TYPE)

FOLDER_SUFFIX = "_$folder$"

PARALLEL_HEADS = 16

TIME_RESOLUTION = timedelta(seconds=2)
"""S3's times have whole seconds: a change of an object older than this changes its time."""


def folder_stem(name: str) -> str | None:
    """``x`` for a name ``x_$folder$``, else None. ``name`` may be a key as well."""
    stem = name.removesuffix(FOLDER_SUFFIX)
    return stem if stem != name and is_visible(stem.rpartition("/")[2]) else None


def is_directory_type(content_type: str) -> bool:
    """Whether a content type, less its parameters, is a directory's."""
    return content_type.partition(";")[0].strip().lower() in DIRECTORY_TYPES


def write_marker(store: ObjectStore, prefix: str) -> ObjectRow | None:
    """Writes a collection's marker, and returns its row; returns None where an object is there.

    That object stays: it is a marker, which may hold another tool's data, or, on a store that keeps
    folders, a file of that name. Such a store (SeaweedFS) makes a folder for each member, refuses
    the marker because of that, and removes the folder some time after its last member. So if
    neither a marker nor a file is there, the marker is written without a condition.
    """
    try:
        return store.put_object(prefix, b"", MARKER, IF_ABSENT)
    except (PreconditionFailedError, AlreadyExistsError):
        if row_at(store, prefix) or row_at(store, prefix.removesuffix(DELIMITER)):
            return None
    return store.put_object(prefix, b"", MARKER)


class DirectoryChecks:
    """Which empty objects without a slash are directories: one HEAD each, cached."""

    def __init__(
        self,
        store: ObjectStore,
        now: Callable[[], datetime],
        *,
        parallel: int = PARALLEL_HEADS,
        max_entries: int = 100_000,
    ) -> None:
        self._store = store
        self._now = now
        self._pool = ThreadPoolExecutor(parallel, "davbridge-directories")
        self._cache: LRUCache[ObjectRow, bool] = LRUCache(max_entries)
        self._lock = Lock()

    def is_directory(self, row: ObjectRow) -> bool:
        """Whether the object is one. Its key doesn't end in ``/``."""
        if row.size:
            return False
        known = self._cached(row)
        return self._check(row) if known is None else known

    def find_directories(self, rows: Sequence[ObjectRow]) -> set[str]:
        """The keys of the directories among ``rows``; unknown ones are checked in parallel."""
        is_directory = {row: self._cached(row) for row in rows if not row.size}
        unknown = [row for row, known in is_directory.items() if known is None]
        is_directory.update(zip(unknown, self._check_all(unknown), strict=True))
        return {row.key for row, known in is_directory.items() if known}

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _check_all(self, rows: Sequence[ObjectRow]) -> list[bool]:
        if len(rows) < 2:
            return [self._check(row) for row in rows]
        with store_wait():
            return list(self._pool.map(self._check, rows))

    def _check(self, row: ObjectRow) -> bool:
        is_old = self._now() - row.modified > TIME_RESOLUTION
        try:
            info = self._store.head_object(row.key)
        except (UnavailableError, TruncatedError):
            raise
        except StoreError:
            return False
        is_directory = info.row.size == 0 and is_directory_type(info.attributes.content_type)
        if is_old and info.row.etag == row.etag:
            with self._lock:
                self._cache[row] = is_directory
        return is_directory

    def _cached(self, row: ObjectRow) -> bool | None:
        with self._lock:
            return self._cache.get(row)
