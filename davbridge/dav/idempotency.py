"""Clients that ask again for what takes long: they join the work under way, or get its result.

Owns which requests are the same, and for how long an answer is kept. Must not know what is done.

A client that has waited too long for a COPY, MOVE or DELETE sends it once more, on another
connection. Done twice, the second MOVE would find its source gone. So a request that is the same
in all that counts waits for the answer to the first one; and a MOVE whose source is gone gets the
answer that the same MOVE had shortly before.

But two who want to be the first to move a file, to claim it, send the same as well, and only one
may be told that it was. They don't wait for long: so it holds only for what takes PATIENCE.

Invariants: an answer is given only to the user who asked for it, under the same conditions; bounded
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

REPEATED = frozenset(("COPY", "MOVE", "DELETE"))

PATIENCE = 5.0
"""Seconds. No client is known that gives up sooner; davfs2 waits for 30, Explorer for 30."""

MOST_JOINED = 64
"""Requests that wait for the answer to the same one."""

MEMORY_SECONDS = 120.0
MEMORY_ENTRIES = 1000


class _Same(NamedTuple):
    """What makes a request the same as another."""

    user: str
    method: str
    url: str
    destination: str | None
    depth: str | None
    overwrite: str | None
    conditions: tuple[str | None, ...]


class _Flight(NamedTuple):
    began_at: float
    response: "Future[Response]"


class Repeats:
    """The requests of one mount that may be asked again."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._lock = Lock()
        self._flights: dict[_Same, _Flight] = {}
        self._joined: Counter[_Same] = Counter()
        self._moved: TTLCache[_Same, Response] = TTLCache(
            MEMORY_ENTRIES, MEMORY_SECONDS, timer=timer
        )

    def answer(self, request: Request, work: Callable[[], Response]) -> Response:
        """What ``work`` answers, or what it answers to the same request. Raises as it does."""
        same = _same(request)
        with self._lock:
            first = self._flights.get(same)
            flight = _Flight(self._timer(), Future())
            if first is None:
                self._flights[same] = flight
        if first is None:
            return self._lead(same, flight, work)
        if self._timer() - first.began_at >= PATIENCE:
            return self._join(same, first)
        return self._remembered(same, work)

    def _join(self, same: _Same, flight: _Flight) -> Response:
        with self._lock:
            if self._joined[same] >= MOST_JOINED:
                raise UnavailableError("too many requests wait for the answer to the same one")
            self._joined[same] += 1
        try:
            with queue_wait():
                return flight.response.result()
        finally:
            with self._lock:
                self._joined[same] -= 1
                self._joined += Counter()  # Forgets what nobody waits for any more.

    def _lead(self, same: _Same, flight: _Flight, work: Callable[[], Response]) -> Response:
        try:
            response = self._remembered(same, work)
        except BaseException as error:
            with self._lock:
                del self._flights[same]
            flight.response.set_exception(error)
            raise
        with self._lock:
            del self._flights[same]
            took = self._timer() - flight.began_at
            if same.method == "MOVE" and took >= PATIENCE and response.status in (201, 204):
                self._moved[same] = response
        flight.response.set_result(response)
        return response

    def _remembered(self, same: _Same, work: Callable[[], Response]) -> Response:
        try:
            return work()
        except RefusalError as refusal:
            with self._lock:
                moved = self._moved.get(same)
            if refusal.status != 404 or moved is None:
                raise
            return moved


def _same(request: Request) -> _Same:
    header = request.header
    url = request.environ["REQUEST_URI"]
    return _Same(
        request.user,
        request.method,
        url,
        header("DESTINATION"),
        header("DEPTH"),
        header("OVERWRITE"),
        request.conditions,
    )
