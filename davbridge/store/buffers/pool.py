"""Which upload gets the next piece of memory: a pool of pieces, and the buffers that share it.

A buffer holds pieces only for bytes that have arrived, so most of a pool is free while clients are
slow. But buffers that hold some pieces and wait for others could block one another for ever, and
clients that have stopped sending could hold all pieces. Hence these invariants:

- No more pieces are allocated than the pool has.
- There is always an order in which every buffer can be filled, each from what is free and what
  those before it have returned (the banker's algorithm). So one of the waiting buffers can always
  continue, as long as clients send and the store takes parts.
- Pieces are allocated in the order of asking. Only a buffer that can be filled to its end from
  what is free may overtake.
- A buffer whose client is slow may be reclaimed, the slowest first, if another one waits, and no
  part is being sent to the store, or none has ended for RECLAIM_AFTER seconds. Its upload is
  refused. So other uploads continue however many slow clients there are. No upload is refused whose
  client sends RATE bytes a second, or whose part is being sent.
- No buffer waits for longer than ``max_wait`` while no memory is returned.
"""

import threading
import time
from collections.abc import Callable

from davbridge.errors import UnavailableError
from davbridge.store.buffers.allocation import Allocation
from davbridge.waiting import queue_wait

RECLAIM_AFTER = 2.0
"""Seconds that the filling of one buffer may wait for parts that are being sent to the store."""

RECHECK = 1.0
"""Seconds after which a waiting upload checks whether a client has become slow."""


class _WaitingRequest:
    """A buffer that waits for a piece."""

    def __init__(self, allocation: Allocation, now: float, returns: int) -> None:
        self.allocation = allocation
        self.since = now
        self.returns = returns
        """How often memory had been returned when it was last checked."""
        self.progress_at = now
        self.is_decided = threading.Event()


class PiecePool:
    """``size`` pieces. Safe to use from many threads at once."""

    def __init__(
        self,
        size: int,
        max_wait: float,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = size
        self.allocated = 0
        self._max_wait = max_wait
        self._timer = timer
        self._lock = threading.Lock()
        self._filling: dict[Allocation, None] = {}
        """Those that have a piece, and lack others or may lack them."""
        self._filling_pieces = 0
        """Those of ``allocated`` whose buffers are being filled. The others are returned when the
        store has their parts."""
        self._largest_need = 0
        self._queue: list[_WaitingRequest] = []
        self._returns = 0
        """How often memory was returned."""

    def resume(self, allocation: Allocation) -> None:
        """Before bytes are copied. Raises UnavailableError where the memory was reclaimed."""
        with self._lock:
            _require_memory(allocation)
            allocation.resume(self._timer())

    def pause(self, allocation: Allocation, filled: int) -> None:
        """After so many bytes were copied."""
        with self._lock:
            allocation.pause(self._timer(), filled)

    def add_piece(self, allocation: Allocation) -> None:
        """Allocates one more piece. Raises UnavailableError where there is none for too long, or
        all that it had was reclaimed meanwhile."""
        with self._lock:
            if not self._queue and self._may_have(allocation, is_first=True):
                self._add_piece(allocation)
                return
            allocation.queue()
            request = _WaitingRequest(allocation, self._timer(), self._returns)
            self._queue.append(request)
            self._serve()
        try:
            if not request.is_decided.is_set():
                with queue_wait():
                    self._wait_for(request)
            _require_memory(allocation)
        finally:
            self._leave_queue(request)

    def complete(self, allocation: Allocation) -> None:
        """The buffer is complete: it can't be reclaimed any more. May be called twice. Raises
        UnavailableError if it was reclaimed before."""
        with self._lock:
            _require_memory(allocation)
            self._stop_filling(allocation)
            self._serve()

    def release(self, allocation: Allocation) -> None:
        """Returns all its memory. May be called twice."""
        with self._lock:
            self._stop_filling(allocation)
            if allocation.pieces:
                self._return(allocation)
                self._serve()

    def _wait_for(self, request: _WaitingRequest) -> None:
        while not request.is_decided.wait(min(RECHECK, self._max_wait)):
            with self._lock:
                if request.is_decided.is_set():  # since the wait was over
                    return
                now = self._timer()
                if request.returns != self._returns:
                    request.returns, request.progress_at = self._returns, now
                if request is self._queue[0]:
                    self._serve()
                if request.is_decided.is_set():
                    return
                if now - request.progress_at >= self._max_wait:
                    raise UnavailableError(
                        "too many uploads at once:"
                        f" none of them has got on for {self._max_wait:g} s"
                    )

    def _leave_queue(self, request: _WaitingRequest) -> None:
        with self._lock:
            request.allocation.waited += self._timer() - request.since
            if request in self._queue:
                self._queue.remove(request)
                self._serve()

    def _serve(self) -> None:
        """Allocates what can be allocated, and reclaims what has to be reclaimed for the first
        waiting buffer."""
        self._allocate_in_turn()
        while self._queue and self._reclaim_slowest():
            self._allocate_in_turn()

    def _allocate_in_turn(self) -> None:
        for request in tuple(self._queue):
            if self.allocated == self.size:
                return
            if self._may_have(request.allocation, is_first=request is self._queue[0]):
                self._queue.remove(request)
                self._add_piece(request.allocation)
                request.is_decided.set()

    def _may_have(self, allocation: Allocation, *, is_first: bool) -> bool:
        if self.allocated == self.size:
            return False
        if allocation.rest <= self.size - self._filling_pieces:
            return True
        return is_first and self._is_safe_with_piece(allocation)

    def _is_safe_with_piece(self, allocation: Allocation) -> bool:
        """Whether, after one more piece for this one, all can still be filled in some order."""
        free = self.size - self._filling_pieces - 1
        if free >= max(self._largest_need, allocation.need):
            return True
        others = [each for each in self._filling if each is not allocation]
        rests = [(each.rest, each.need) for each in others]
        rests.append((allocation.rest - 1, allocation.need))
        for rest, need in sorted(rests):
            if rest > free:
                return False
            free += need - rest
        return True

    def _reclaim_slowest(self) -> bool:
        """Reclaims the memory of the slowest upload for the first waiting buffer. False if it
        can't."""
        now, first = self._timer(), self._queue[0]
        waited = first.allocation.waited + now - first.since
        if self.allocated > self._filling_pieces and waited < RECLAIM_AFTER:
            return False  # a part that is being sent will return some
        slow = [each for each in self._filling if each.is_slow(now)]
        if not slow:
            return False
        slowest = min(slow, key=lambda each: each.speed(now))
        slowest.is_reclaimed = True
        self._stop_filling(slowest)
        self._return(slowest)
        for request in self._queue:
            if request.allocation is slowest:
                self._queue.remove(request)
                request.is_decided.set()
                break
        return True

    def _add_piece(self, allocation: Allocation) -> None:
        if allocation not in self._filling:
            self._filling[allocation] = None
            self._filling_pieces += allocation.pieces
            self._largest_need = max(self._largest_need, allocation.need)
        allocation.add_piece()
        self.allocated += 1
        self._filling_pieces += 1

    def _stop_filling(self, allocation: Allocation) -> None:
        if allocation in self._filling:
            del self._filling[allocation]
            self._filling_pieces -= allocation.pieces

    def _return(self, allocation: Allocation) -> None:
        allocation.on_return()
        self.allocated -= allocation.pieces
        allocation.pieces = 0
        self._returns += 1


def _require_memory(allocation: Allocation) -> None:
    if allocation.is_reclaimed:
        raise UnavailableError("the upload was too slow while others waited for its memory")
