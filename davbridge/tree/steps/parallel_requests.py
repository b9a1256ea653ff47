"""Requests in parallel, for COPY, MOVE and DELETE.

Invariants: operations share the threads fairly. After each item, a worker queues up behind the
workers of all other operations. No further item is begun after one that is fatal, or raises.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Generic, TypeVar

from davbridge.waiting import queue_wait

MAX_PARALLEL_REQUESTS = 32
"""How many copies may run at the same time. With 20 ms each, these are 1,600 a second, which is
more than a bridge can send."""

T = TypeVar("T")
R = TypeVar("R")


class ParallelRequests:
    """A pool of ``count`` threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = _Pool(count)

    def close(self) -> None:
        """Waits for the requests that run. Those that haven't begun raise RuntimeError."""
        self._pool.close()

    def begin(self, work: Callable[[], R]) -> "Future[R]":
        """Does ``work`` in the background."""
        return self._pool.submit(work)

    def each(
        self,
        work: Callable[[T], R],
        items: Sequence[T],
        *,
        at_once: int | None = None,
        is_fatal: Callable[[R], bool] = lambda _: False,
    ) -> list[R]:
        """The results of ``work`` for each item, in their order; ``at_once``: how many at a time.

        After a result that ``is_fatal`` no other item is begun: the list ends with those that were.
        """
        if len(items) < 2:
            return [work(item) for item in items]
        run = _Run(self._pool, work, items, is_fatal)
        with queue_wait():
            return run.through(min(at_once or self._count, self._count, len(items)))


class _Pool:
    """The threads, and how many workers wait for one."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "davbridge-transfer")
        self._lock = Lock()
        self._waiting = 0
        self._is_closed = False

    def close(self) -> None:
        self._is_closed = True
        self._threads.shutdown()

    @property
    def is_wanted(self) -> bool:
        """Whether a worker has to queue up before its next item."""
        return self._waiting > 0 or self._is_closed

    def submit(self, work: Callable[[], R]) -> "Future[R]":
        """Raises RuntimeError after `close`."""

        def begin() -> R:
            self._count(-1)
            return work()

        self._count(1)
        try:
            return self._threads.submit(begin)
        except RuntimeError:
            self._count(-1)
            raise

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change


class _Run(Generic[T, R]):
    """One call of `ParallelRequests.each`."""

    def __init__(
        self,
        pool: _Pool,
        work: Callable[[T], R],
        items: Sequence[T],
        is_fatal: Callable[[R], bool],
    ) -> None:
        self._pool = pool
        self._work = work
        self._is_fatal = is_fatal
        self._waiting: Iterator[tuple[int, T]] = iter(enumerate(items))
        self._results: dict[int, R] = {}
        self._error: BaseException | None = None
        self._open = 0
        self._lock = Lock()
        self._ended = Event()

    def through(self, parallel_requests: int) -> list[R]:
        self._open = parallel_requests
        for _ in range(parallel_requests):
            self._queue_up()
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return [result for _, result in sorted(self._results.items(), key=lambda one: one[0])]

    def _queue_up(self) -> None:
        try:
            self._pool.submit(self._worker)
        except RuntimeError as closed:
            self._end_worker(closed)

    def _worker(self) -> None:
        try:
            while self._do_one():
                if self._pool.is_wanted:
                    self._queue_up()
                    return
        except BaseException as error:
            self._end_worker(error)
            return
        self._end_worker()

    def _do_one(self) -> bool:
        with self._lock:
            piece = next(self._waiting, None)
        if piece is None:
            return False
        number, item = piece
        result = self._results[number] = self._work(item)
        if self._is_fatal(result):
            self._begin_no_more()
        return True

    def _end_worker(self, error: BaseException | None = None) -> None:
        if error is not None:
            self._begin_no_more()
        with self._lock:
            self._error = self._error or error
            self._open -= 1
            if not self._open:
                self._ended.set()

    def _begin_no_more(self) -> None:
        with self._lock:
            self._waiting = iter(())
