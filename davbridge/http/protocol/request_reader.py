"""Receives the bytes between two requests: the rest of an unread body, then a request head.

No thread waits here. The selector watches the connection, and `advance` is called when something
has arrived. So a client that sends one byte a second costs a buffer, and no thread.

Invariant: `deadline` is finite exactly while a part has arrived and the rest hasn't.
"""

import math
import time

from davbridge.http.errors import RequestHeadError
from davbridge.http.protocol.request_head import RequestHead, RequestHeadParser
from davbridge.http.protocol.streams import SocketReader

HEAD_SECONDS = 20.0
"""From the first byte of a head to its last."""

SKIP_SECONDS = 30.0
"""For the rest of an unread body, which many clients send before they read the answer."""


class RequestReader:
    """Receives one request head after another from ``reader``."""

    def __init__(self, reader: SocketReader) -> None:
        self._reader = reader
        self._parser = RequestHeadParser()
        self._to_skip = 0
        self._head: RequestHead | None = None
        self.deadline = math.inf
        """In time.monotonic seconds: when `advance` fails."""

    def skip(self, count: int) -> None:
        """Discards the next ``count`` bytes: the rest of the body of the request before."""
        self._to_skip = count
        self.deadline = time.monotonic() + SKIP_SECONDS if count else math.inf

    def take(self) -> RequestHead | None:
        """The head that `advance` found; None if the client has closed the connection."""
        head, self._head = self._head, None
        return head

    def advance(self, seconds: float) -> bool:
        """Receives what has arrived, or arrives within ``seconds``. Returns whether there is a
        whole head, or the end of the connection.

        Raises RequestHeadError for a head that is malformed, or late; OSError otherwise.
        """
        reader = self._reader
        if (reader.has_data() and self._is_whole()) or (reader.fill(seconds) and self._is_whole()):
            self.deadline = math.inf
            return True
        if reader.is_at_end:
            return self._end()
        self._watch_time()
        return False

    def _is_whole(self) -> bool:
        if self._to_skip:
            self._to_skip -= self._reader.skip(self._to_skip)
            if self._to_skip:
                return False
            self.deadline = math.inf
        self._head = self._parser.take(self._reader)
        return self._head is not None

    def _end(self) -> bool:
        if self._has_begun:
            raise RequestHeadError("400 Bad Request", "the request ends before its head does")
        return True

    def _watch_time(self) -> None:
        if self._to_skip:
            if time.monotonic() >= self.deadline:
                raise TimeoutError("the rest of the body does not come")
        elif self._has_begun:
            if self.deadline == math.inf:
                self.deadline = time.monotonic() + HEAD_SECONDS
            elif time.monotonic() >= self.deadline:
                raise RequestHeadError("408 Request Timeout", "the request took too long to arrive")

    @property
    def _has_begun(self) -> bool:
        return self._parser.has_begun or not self._reader.is_empty
