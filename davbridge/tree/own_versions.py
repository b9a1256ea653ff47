"""The versions that this bridge has just uploaded: a MOVE of one need not wait for another bridge's
late delete.

A MOVE deletes its source by ETag, a moment after it has copied it. If the copy is moved back by
another bridge in that moment, the delete can't tell it from the source. A version that this bridge
has uploaded itself, or has copied from such a version, is no such copy: it may be moved at once.

Invariant: a version is dropped after OWN_VERSION_SECONDS, or earlier if there are too many. Then it
counts as written by others, which costs time, but loses nothing.
"""

from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache

from davbridge.store.base import ObjectRow, is_same_version

OWN_VERSION_SECONDS = 60.0

_MAX_VERSIONS = 10_000


class OwnVersions:
    """Of one bridge. ``timer`` counts seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._lock = Lock()
        self._rows: TTLCache[str, ObjectRow] = TTLCache(_MAX_VERSIONS, OWN_VERSION_SECONDS, timer)

    def add(self, row: ObjectRow) -> None:
        with self._lock:
            self._rows[row.key] = row

    def __contains__(self, row: ObjectRow) -> bool:
        with self._lock:
            own = self._rows.get(row.key)
        return own is not None and is_same_version(own, row)
