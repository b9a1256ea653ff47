"""The objects that this bridge has written in the last seconds, as its settings say: they have no
encryption, ACL or redirect of their own. So a copy of one needs no look at it.

Invariant: an object is forgotten after PLAIN_SECONDS, or earlier if there are too many. Then a copy
looks. What another program sets on such an object meanwhile isn't seen before that.
"""

from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache

from davbridge.store.base import ObjectRow, is_same_version

PLAIN_SECONDS = 60.0
"""As long as listings are cached by default."""

_MAX_OBJECTS = 10_000


class PlainObjects:
    """In one bucket. ``timer`` counts seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._lock = Lock()
        self._rows: TTLCache[str, ObjectRow] = TTLCache(_MAX_OBJECTS, PLAIN_SECONDS, timer)

    def add(self, row: ObjectRow) -> None:
        with self._lock:
            self._rows[row.key] = row

    def __contains__(self, row: ObjectRow) -> bool:
        with self._lock:
            own = self._rows.get(row.key)
        return own is not None and is_same_version(own, row)
