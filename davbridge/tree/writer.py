"""A writer that holds to the drive's limits while the body streams.

Invariant: no object over the limits is ever committed, whatever length was announced.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from davbridge.errors import OutOfSpaceError, StoreError, TooLargeError
from davbridge.store.base import ObjectRow, ObjectWriter


class BoundedWriter:
    """An ObjectWriter around another one; counts what goes through."""

    def __init__(
        self,
        inner: ObjectWriter,
        limit: int,
        room: int | None,
        committed: Callable[[ObjectRow], None],
        turn: AbstractContextManager[None],
    ) -> None:
        self._inner = inner
        self._limit = limit
        self._room = room
        self._committed = committed
        self._turn = turn
        self._written = 0
        self._refusal: StoreError | None = None

    def write(self, data: bytes) -> None:
        """Raises TooLargeError past the size limit, OutOfSpaceError past the quota's room."""
        self._written += len(data)
        if self._written > self._limit:
            self._refusal = TooLargeError(f"over {self._limit} bytes")
        elif self._room is not None and self._written > self._room:
            self._refusal = OutOfSpaceError("the quota has no room for it")
        if self._refusal is not None:
            raise self._refusal
        self._inner.write(data)

    def commit(self) -> ObjectRow:
        """Makes the object visible, unless a limit was passed: then it aborts, and raises again."""
        if self._refusal is not None:
            self._inner.abort()
            raise self._refusal
        with self._turn:
            row = self._inner.commit()
        self._committed(row)
        return row

    def abort(self) -> None:
        """Leaves the store as it was."""
        self._inner.abort()
