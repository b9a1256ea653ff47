"""This bridge's writes in progress: what is known once they have ended, and which of them overlap.

Invariants: every write, however it ends, makes one correction for each of its keys, after the inner
call has returned. If two writes to a key overlap, it isn't known which one the store did last: so
both invalidate the key.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from davbridge.cache import corrections
from davbridge.cache.entries import info_answer
from davbridge.cache.state import CacheState, EntryKey
from davbridge.errors import PreconditionFailedError
from davbridge.store.base import Attributes, Condition, ObjectInfo, ObjectRow, ObjectWriter
from davbridge.waiting import store_wait


class Write:
    """One call that writes. A key about which nothing is recorded before its end is invalidated."""

    def __init__(self, keys: Iterable[str], started: float) -> None:
        self.keys = set(keys)
        self.started = started
        self.outcomes: dict[str, ObjectInfo | ObjectRow | None] = {}
        self.overlapped: set[str] = set()

    def put(self, row: ObjectRow, attributes: Attributes | None) -> None:
        """The object is there now, with these attributes if they are known."""
        self.outcomes[row.key] = ObjectInfo(row, attributes) if attributes else row

    def deleted(self, keys: Iterable[str]) -> None:
        """There is no object at these keys now."""
        self.outcomes.update(dict.fromkeys(keys))


class Writes:
    """The writes in progress to one store."""

    def __init__(self, state: CacheState) -> None:
        self._state = state
        self._by_key: dict[str, set[Write]] = {}

    @contextmanager
    def of(self, *keys: str) -> Iterator[Write]:
        """The context of an inner call that writes to ``keys``.

        Raises UnavailableError where the thread may not wait for the store: then the write hasn't
        begun, and what is cached of the keys stays.
        """
        with store_wait():
            write = Write(keys, self._state.now())
            with self._state.lock:
                for key in write.keys:
                    self._begin(write, key)
            try:
                yield write
            finally:
                for key in write.keys:
                    with self._state.lock:
                        self._end(write, key)

    def _begin(self, write: Write, key: str) -> None:
        others = self._by_key.setdefault(key, set())
        for other in (*others, write) if others else ():
            other.overlapped.add(key)
        others.add(write)

    def _end(self, write: Write, key: str) -> None:
        others = self._by_key[key]
        others.remove(write)
        if not others:
            del self._by_key[key]
        if key in write.overlapped or key not in write.outcomes:
            corrections.invalidate(self._state, key)
        else:
            self._record(key, write.outcomes[key], write.started)

    def _record(self, key: str, outcome: ObjectInfo | ObjectRow | None, started: float) -> None:
        if outcome is None:
            corrections.record_absent(self._state, key)
        elif isinstance(outcome, ObjectRow):
            corrections.record_present(self._state, outcome)
        else:
            corrections.record_present(self._state, outcome.row)
            answer = info_answer(key, outcome, started + self._state.ttl)
            self._state.put(EntryKey("info", key), answer)


class CachedWriter:
    """Passes an upload through; its commit is a write."""

    def __init__(
        self, inner: ObjectWriter, writes: Writes, key: str, attributes: Attributes
    ) -> None:
        self._inner = inner
        self._writes = writes
        self._key = key
        self._attributes = attributes
        self.write = inner.write
        self.abort = inner.abort

    def commit(self, condition: Condition | None = None) -> ObjectRow:
        """As ObjectWriter's."""
        try:
            with self._writes.of(self._key) as write:
                row = self._inner.commit(condition)
                write.put(row, self._attributes)
        except PreconditionFailedError:
            raise
        except BaseException:
            self._inner.abort()
            raise
        return row
