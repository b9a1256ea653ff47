"""The reader and the writer of a store in memory."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from davbridge.errors import PreconditionFailedError, TruncatedError
from davbridge.store.base import Condition, ObjectInfo, ObjectRow
from davbridge.store.limits import require_size


class MemoryReader:
    """The bytes of a range of one version."""

    def __init__(self, info: ObjectInfo, body: bytes) -> None:
        self._info = info
        self._rest = memoryview(body)

    @property
    def info(self) -> ObjectInfo:
        return self._info

    def read(self, size: int) -> bytes:
        block = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        return block

    def close(self) -> None:
        self._rest = memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MemoryWriter:
    """An upload."""

    def __init__(
        self,
        put: Callable[[bytes, Condition], ObjectRow],
        condition: Condition,
        *,
        length: int | None,
        limit: int,
    ) -> None:
        """``put`` writes the whole body, if the condition holds."""
        self._put = put
        self._condition = condition
        self._length = length
        self._limit = limit
        self._body = bytearray()
        self._is_open = True

    def write(self, data: bytes) -> None:
        self._require_open()
        require_size(len(self._body) + len(data), self._limit)
        self._body += data

    def commit(self, condition: Condition | None = None) -> ObjectRow:
        self._require_open()
        self._is_open = False
        if self._length is not None and self._length != len(self._body):
            raise TruncatedError(f"{len(self._body)} bytes came of {self._length}")
        condition = self._condition if condition is None else condition
        try:
            return self._put(bytes(self._body), condition)
        except PreconditionFailedError:
            self._is_open = True
            raise

    def abort(self) -> None:
        self._is_open = False
        self._body.clear()

    def _require_open(self) -> None:
        if not self._is_open:
            raise ValueError("the writer is committed or aborted")
