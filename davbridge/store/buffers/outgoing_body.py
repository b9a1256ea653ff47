"""The bytes of one request's body, in one buffer or in several.

The buffers belong to whoever made them, and must last as long as the request.
"""

from collections.abc import Iterable, Iterator, Sequence


class Pieces:
    """Bytes in several buffers, one after the other. Has a length and is iterated, as often as
    need be; `release` ends that."""

    def __init__(self, buffers: Sequence[memoryview]) -> None:
        self._buffers = buffers
        self._size = sum(map(len, buffers))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[memoryview]:
        return iter(self._buffers)

    def release(self) -> None:
        """Makes the buffers unreachable from here: using them raises ValueError."""
        for buffer in self._buffers:
            buffer.release()


OutgoingBody = bytes | memoryview | Pieces
"""The types that the body of a request may have."""


def buffers_of(body: OutgoingBody) -> Iterable[bytes | memoryview]:
    """The buffers of ``body``, in their order."""
    return body if isinstance(body, Pieces) else (body,)
