"""The memory for the bodies of uploads: one budget for all of them.

Invariants:
- All buffers together never take more than the budget, however many uploads there are.
- A buffer takes memory only for bytes that have arrived, a piece at a time, and not for what a
  client has announced.
- Small bodies have a pool of their own, which large ones can't use up. A thread that holds a small
  buffer may wait for a large one's memory, never the other way round.
"""

import mmap
import time
from collections.abc import Callable

from davbridge.config import MIB
from davbridge.errors import UnavailableError
from davbridge.store.buffers.allocation import Allocation
from davbridge.store.buffers.outgoing_body import Pieces
from davbridge.store.buffers.pool import PiecePool

PIECE = 256 * 1024
"""Bytes of a piece, the unit of allocation: as much as is read of a body at a time. Pieces are
reused: getting fresh pages from the system takes ten times as long as copying a body into old ones
(190 against 20 ms for 256 MiB)."""

SMALL_BODY = MIB
"""Bytes up to which a buffer belongs to the small ones."""

UNIT = 8 * MIB
"""A part's size, as a rule."""

SMALL_SHARE = 32 * MIB
"""One small body for each request that is worked on, of which there are 32 at a time by default.
Requests with slow clients are extra: they take memory only for what has arrived."""

LARGE_SHARE = 22 * UNIT

MEMORY_WAIT_SECONDS = 45.0
"""Seconds. Most clients wait for a minute before they give up."""


class MemoryBudget:
    """Makes buffers. Safe to use from many threads at once."""

    def __init__(
        self,
        *,
        small: int = SMALL_SHARE,
        large: int = LARGE_SHARE,
        max_wait: float = MEMORY_WAIT_SECONDS,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._small = PiecePool(small // PIECE, max_wait, timer=timer)
        self._large = PiecePool(large // PIECE, max_wait, timer=timer)
        self._unused: list[memoryview] = []

    @property
    def allocated(self) -> int:
        """Bytes."""
        return (self._small.allocated + self._large.allocated) * PIECE

    @property
    def largest(self) -> int:
        """Bytes of the largest buffer: half of what there is, so that two can be filled."""
        return max(UNIT, self._large.size * PIECE // 2 // UNIT * UNIT)

    def buffer(self, size: int) -> "PartBuffer":
        """An empty buffer for ``size`` bytes, `largest` at the most. It takes no memory yet."""
        return PartBuffer(self, self._small if size <= SMALL_BODY else self._large, size)

    def piece(self) -> memoryview:
        """Memory for a piece that was allocated. Raises UnavailableError where there is none."""
        try:
            return self._unused.pop()
        except IndexError:
            pass
        try:
            # Not from the heap, which keeps what was freed, in parts that no longer fit.
            return memoryview(mmap.mmap(-1, PIECE))
        except (OSError, MemoryError) as error:
            raise UnavailableError(f"no memory for a part of an upload: {error}") from error

    def keep(self, pieces: list[memoryview]) -> None:
        """Keeps memory for reuse. Call it before its pieces can be allocated to others."""
        self._unused += pieces

    def trim(self) -> None:
        """Frees the unused memory, once no upload is in progress."""
        if not self.allocated:
            self._unused.clear()


class PartBuffer:
    """The bytes of one part, as they arrive. One thread fills it; ends with `release`."""

    def __init__(self, budget: MemoryBudget, pool: PiecePool, size: int) -> None:
        self.size = size
        self._budget = budget
        self._pool = pool
        self._pieces: list[memoryview] = []
        self._filled = 0
        self._content: Pieces | None = None
        self._allocation = Allocation(-(-size // PIECE), self._return_pieces)

    @property
    def is_full(self) -> bool:
        return self._filled == self.size

    def fill(self, data: memoryview) -> memoryview:
        """Copies what there is room for, and returns the rest. Waits if there is no memory. Raises
        UnavailableError if there is none for too long, or if its memory was given to others because
        its client is slow."""
        room = self.size - self._filled
        left = data[:room]
        self._pool.resume(self._allocation)
        try:
            while left:
                left = self._copy(left)
        finally:
            self._pool.pause(self._allocation, min(room, len(data)))
        return data[room:]

    def complete(self) -> Pieces:
        """All bytes that have arrived. From now until `release` the memory can't be reclaimed.
        Raises UnavailableError if it was reclaimed before."""
        self._pool.complete(self._allocation)
        if self._content is None:
            starts = range(0, self._filled, PIECE)
            ends = [min(PIECE, self._filled - start) for start in starts]
            pieces = zip(self._pieces, ends, strict=True)
            self._content = Pieces([piece[:end] for piece, end in pieces])
        return self._content

    def release(self) -> None:
        """Returns the memory to the pool. May be called twice."""
        if self._content is not None:
            self._content.release()
        self._pool.release(self._allocation)
        self._budget.trim()

    def _copy(self, data: memoryview) -> memoryview:
        """Copies what fits one piece, and returns the rest."""
        start = self._filled % PIECE
        if start == 0:
            self._pool.add_piece(self._allocation)
            self._pieces.append(self._budget.piece())
        copied = data[: PIECE - start]
        self._pieces[-1][start : start + len(copied)] = copied
        self._filled += len(copied)
        return data[len(copied) :]

    def _return_pieces(self) -> None:
        pieces, self._pieces = self._pieces, []
        self._budget.keep(pieces)
