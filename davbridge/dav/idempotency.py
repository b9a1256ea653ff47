"""COPY, MOVE and DELETE requests that a client sends again while the first one is still running.

A client that has waited too long sends its request once more, on another connection. Done twice,
the second MOVE would find its source gone. So a request with the same key as a running one waits
for the answer to that one. A MOVE whose source is gone gets the answer to the same MOVE, if that
ended shortly before.

But clients that race to move the same file, to claim it, also send equal requests, and only one of
them may succeed. Such requests come close together. So the above holds only for operations that
take JOIN_AFTER_SECONDS or longer.

Invariants:
- An answer is given only to the user who sent the first request, under the same conditions.
- The numbers of waiting requests and of cached answers are bounded, and so is their age. They are
  lost with the process: for a bridge that died, the journals in the bucket do this. Whichever
  bridge resumes a MOVE from its journal remembers the outcome (`tree.operations.takeover`).
- One Response goes to several requests. Its body is complete, so that it can be iterated over, and
  closed, any number of times.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.dav.errors import RefusalError
from davbridge.dav.request import DavRequest
from davbridge.dav.response import Response
from davbridge.errors import UnavailableError
from davbridge.single_flight import SingleFlight
from davbridge.waiting import queue_wait

REPEATABLE_METHODS = frozenset(("COPY", "MOVE", "DELETE"))

JOIN_AFTER_SECONDS = 5.0
"""No known client gives up sooner; davfs2 and Explorer wait for 30 seconds."""

MAX_WAITING_FOR_ONE = 64
"""Requests that wait for the answer to the same request."""

MOVE_RESULT_SECONDS = 120.0
MAX_MOVE_RESULTS = 1000


class _RequestKey(NamedTuple):
    """Two requests with equal keys are the same request."""

    user: str
    method: str
    url: str
    destination: str | None
    depth: str | None
    overwrite: str | None
    conditions: tuple[str | None, ...]


class _RunningRequest(NamedTuple):
    began_at: float
    response: SingleFlight[Response]


class RepeatedRequests:
    """The running requests of one mount, and the answers to MOVEs that ended shortly before."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = Lock()
        self._running: dict[_RequestKey, _RunningRequest] = {}
        self._waiting_counts: Counter[_RequestKey] = Counter()
        self._finished_moves: TTLCache[_RequestKey, Response] = TTLCache(
            MAX_MOVE_RESULTS, MOVE_RESULT_SECONDS, timer=timer
        )

    def answer(self, request: DavRequest, work: Callable[[], Response]) -> Response:
        """The answer of ``work``, or the one to the same request. Raises what ``work`` raises, and
        UnavailableError where too many requests wait already."""
        key = _key_of(request)
        with self._lock:
            first = self._running.get(key)
            if first is None:
                began_at = self._timer()
                run = partial(self._run, key, began_at, work)
                running = _RunningRequest(began_at, SingleFlight(run, shared=Exception))
                self._running[key] = running
        if first is None:
            return running.response.get(nullcontext)
        if self._timer() - first.began_at >= JOIN_AFTER_SECONDS:
            return self._wait_for(key, first)
        return self._run_or_recall(key, work)

    def _wait_for(self, key: _RequestKey, running: _RunningRequest) -> Response:
        with self._lock:
            if self._waiting_counts[key] >= MAX_WAITING_FOR_ONE:
                raise UnavailableError("too many requests wait for the answer to the same one")
            self._waiting_counts[key] += 1
        try:
            return running.response.get(queue_wait)
        finally:
            with self._lock:
                self._waiting_counts[key] -= 1
                self._waiting_counts += Counter()  # Removes the keys whose count is 0.

    def _run(self, key: _RequestKey, began_at: float, work: Callable[[], Response]) -> Response:
        try:
            response = self._run_or_recall(key, work)
        except BaseException:
            with self._lock:
                self._running.pop(key, None)
            raise
        with self._lock:
            self._running.pop(key, None)
            is_long = self._timer() - began_at >= JOIN_AFTER_SECONDS
            if key.method == "MOVE" and is_long and response.status in (201, 204):
                self._finished_moves[key] = response
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


def _key_of(request: DavRequest) -> _RequestKey:
    return _RequestKey(
        request.user,
        request.method,
        request.environ["REQUEST_URI"],
        request.header("DESTINATION"),
        request.header("DEPTH"),
        request.header("OVERWRITE"),
        request.conditions,
    )
