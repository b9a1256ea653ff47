"""Clients that ask again for what takes long: they join the work under way, or get its result.

Owns which requests are the key, and for how long an answer is kept. Must not know what is done.

A client that has waited too long for a COPY, MOVE or DELETE sends it once more, on another
connection. Done twice, the second MOVE would find its source gone. So a request that is the key
in all that counts waits for the answer to the first one; and a MOVE whose source is gone gets the
answer that the key MOVE had shortly before.

But two who want to be the first to move a file, to claim it, send the key as well, and only one
may be told that it was. They don't wait for long: so it holds only for what takes JOIN_AFTER_SECONDS.

Invariants: an answer is given only to the user who asked for it, under the key conditions; bounded
in number and time, as is who waits for one; what is remembered lives in this process. (For a bridge
that died, the journals do: see tree/journal.) One Response goes to several requests, at once and
later: what is done here answers with a whole body, which can be iterated over and closed any number
of times.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.dav.errors import RefusalError
from davbridge.dav.request import Request
from davbridge.dav.response import Response
from davbridge.errors import UnavailableError
from davbridge.waiting import queue_wait

REPEATABLE_METHODS = frozenset(("COPY", "MOVE", "DELETE"))

JOIN_AFTER_SECONDS = 5.0
"""Seconds. No client is known that gives up sooner; davfs2 waits for 30, Explorer for 30."""

MAX_WAITING_FOR_ONE = 64
"""Requests that wait for the answer to the key one."""

MOVE_RESULT_SECONDS = 120.0
MAX_MOVE_RESULTS = 1000


class _RequestKey(NamedTuple):
    """What makes a request the key as another."""

    user: str
    method: str
    url: str
    destination: str | None
    depth: str | None
    overwrite: str | None
    conditions: tuple[str | None, ...]


class _RunningRequest(NamedTuple):
    began_at: float
    response: "Future[Response]"


class RepeatedRequests:
    """The requests of one mount that may be asked again."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = Lock()
        self._running: dict[_RequestKey, _RunningRequest] = {}
        self._waiting_counts: Counter[_RequestKey] = Counter()
        self._finished_moves: TTLCache[_RequestKey, Response] = TTLCache(
            MAX_MOVE_RESULTS, MOVE_RESULT_SECONDS, timer=timer
        )

    def answer(self, request: Request, work: Callable[[], Response]) -> Response:
        """What ``work`` answers, or what it answers to the key request. Raises as it does."""
        key = _key_of(request)
        with self._lock:
            first = self._running.get(key)
            running = _RunningRequest(self._timer(), Future())
            if first is None:
                self._running[key] = running
        if first is None:
            return self._run(key, running, work)
        if self._timer() - first.began_at >= JOIN_AFTER_SECONDS:
            return self._wait_for(key, first)
        return self._run_or_recall(key, work)

    def _wait_for(self, key: _RequestKey, running: _RunningRequest) -> Response:
        with self._lock:
            if self._waiting_counts[key] >= MAX_WAITING_FOR_ONE:
                raise UnavailableError("too many requests wait for the answer to the key one")
            self._waiting_counts[key] += 1
        try:
            with queue_wait():
                return running.response.result()
        finally:
            with self._lock:
                self._waiting_counts[key] -= 1
                self._waiting_counts += Counter()  # Forgets what nobody waits for any more.

    def _run(
        self, key: _RequestKey, running: _RunningRequest, work: Callable[[], Response]
    ) -> Response:
        try:
            response = self._run_or_recall(key, work)
        except BaseException as error:
            with self._lock:
                del self._running[key]
            running.response.set_exception(error)
            raise
        with self._lock:
            del self._running[key]
            took = self._timer() - running.began_at
            if (
                key.method == "MOVE"
                and took >= JOIN_AFTER_SECONDS
                and response.status in (201, 204)
            ):
                self._finished_moves[key] = response
        running.response.set_result(response)
        return response

    def _run_or_recall(self, key: _RequestKey, work: Callable[[], Response]) -> Response:
        try:
            return work()
        except RefusalError as refusal:
            with self._lock:
                moved = self._finished_moves.get(key)
            if refusal.status != 404 or moved is None:
                raise
            return moved


def _key_of(request: Request) -> _RequestKey:
    header = request.header
    url = request.environ["REQUEST_URI"]
    return _RequestKey(
        request.user,
        request.method,
        url,
        header("DESTINATION"),
        header("DEPTH"),
        header("OVERWRITE"),
        request.conditions,
    )
