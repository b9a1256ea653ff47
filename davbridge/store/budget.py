"""The memory that bodies take on their way to the store: one budget for all of them.

Owns the lending of buffers. Must not know what is written into them.

Invariants:
- What is lent is never more than the budget, however many uploads there are, and however long.
- A loan is granted whole, and in the order of asking. So whoever fills a buffer needs no other one
  to get on; it comes back once its client has filled it and the store has taken it, and no number
  of uploads can block one another for ever.
- A body that fits one part takes its own size, not a part's: so that many clients on slow lines,
  who fill a buffer for minutes, can send photographs at once.
- Small loans have a share of their own, which large ones can't fill. Who holds a small loan may
  wait for a large one, never the other way round.
- Whoever waits does so within ``waiting``: that there is nothing for an upload needn't hold up what
  isn't one.
- Nobody waits for longer than ``patience`` while nothing comes back. A store that is slow to take
  parts lets everybody wait, but in turn.
"""

import mmap
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress

from davbridge.config import MIB
from davbridge.errors import UnavailableError
from davbridge.waiting import Waiting

SMALL_LOAN = MIB
"""Bytes up to which a loan is a small one."""

UNIT = 8 * MIB
"""What a loan of more than this counts in. Buffers of one unit are used again: to have the system
make fresh pages costs ten times as much as to copy a body into old ones (190 against 20 ms for
256 MiB)."""

SMALL_SHARE = 32 * MIB
"""One small loan for each request that is worked on, of which there are 32 at a time by default.
Those whose clients are slow come beside: where they are many, they wait for one another."""

LARGE_SHARE = 22 * UNIT

PATIENCE = 45.0
"""Seconds. Most clients wait for a minute before they give up."""


class Loan:
    """A buffer that is lent. What is in it at first may be anything."""

    def __init__(self, view: memoryview, end: Callable[[], None]) -> None:
        self.view = view
        self._end: Callable[[], None] | None = end

    def give_back(self) -> None:
        """Ends the loan: ``view`` can't be used any more. May be called twice."""
        end, self._end = self._end, None
        if end:
            self.view.release()
            end()


class MemoryBudget:
    """Lends buffers of any size. Safe to use from many threads at once."""

    def __init__(
        self, *, small: int = SMALL_SHARE, large: int = LARGE_SHARE, patience: float = PATIENCE
    ) -> None:
        self._small = _Share(small)
        self._large = _Share(large)
        self._patience = patience
        self.waiting: Waiting = nullcontext
        """What a thread is within while it waits for others' loans to come back."""
        self._shelf: list[mmap.mmap] = []
        """Buffers of one unit that are not lent, while others are."""

    @property
    def lent(self) -> int:
        """Bytes."""
        return self._small.taken + self._large.taken

    @property
    def largest(self) -> int:
        """The largest loan: half of what there is, so that there is room for another."""
        return max(UNIT, self._large.size // 2 // UNIT * UNIT)

    def borrow(self, size: int) -> Loan:
        """A buffer of ``size`` bytes, `largest` at the most. Raises UnavailableError where there is
        none for too long."""
        is_small = size <= SMALL_LOAN
        share = self._small if is_small else self._large
        amount = size if size < UNIT else -(-size // UNIT) * UNIT
        if not (share.take_at_once(amount) or self._wait_for(share, amount)):
            raise UnavailableError(
                f"too many uploads at once: none of them has got on for {self._patience:g} s"
            )
        try:
            memory = bytearray(size) if is_small else self._pages(amount)
        except (OSError, MemoryError) as error:
            share.give(amount)
            raise UnavailableError(f"no memory for a part of an upload: {error}") from error
        return Loan(memoryview(memory)[:size], lambda: self._return(share, memory, amount))

    def _wait_for(self, share: "_Share", amount: int) -> bool:
        with self.waiting():
            return share.take(amount, self._patience)

    def _pages(self, amount: int) -> mmap.mmap:
        """Not from the heap, which keeps what was freed, in pieces that no longer fit."""
        with suppress(IndexError):
            if amount == UNIT:
                return self._shelf.pop()
            while self._large.taken + len(self._shelf) * UNIT > self._large.size:
                self._shelf.pop()  # what was on it is lent now, in other pieces
        return mmap.mmap(-1, amount)

    def _return(self, share: "_Share", memory: bytearray | mmap.mmap, amount: int) -> None:
        if isinstance(memory, mmap.mmap) and amount == UNIT:
            self._shelf.append(memory)
        share.give(amount)
        if not self._large.taken:
            self._shelf.clear()


class _Share:
    """A number of bytes, taken in turn."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._given = 0
        """How often something has come back."""
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def take_at_once(self, amount: int) -> bool:
        """Whether it could be had without waiting."""
        with self._changed:
            is_there = not self._queue and self.taken + amount <= self.size
            if is_there:
                self.taken += amount
            return is_there

    def take(self, amount: int, patience: float) -> bool:
        """Whether it could be had in its turn."""
        turn = object()

        def is_granted() -> bool:
            return self._queue[0] is turn and self.taken + amount <= self.size

        with self._changed:
            self._queue.append(turn)
            try:
                while not is_granted():
                    if not self._gets_on(is_granted, patience):
                        return False
                self.taken += amount
                return True
            finally:
                self._queue.remove(turn)
                self._changed.notify_all()

    def give(self, amount: int) -> None:
        with self._changed:
            self.taken -= amount
            self._given += 1
            self._changed.notify_all()

    def _gets_on(self, is_granted: Callable[[], bool], patience: float) -> bool:
        """Waits for what is asked for, or for anything to come back; whether it did."""
        given = self._given
        return self._changed.wait_for(lambda: is_granted() or self._given != given, patience)
