"""What has to come before a request can be served: the rest of an unread body, then a head.

Owns how long that may take. Nothing waits for it: a client that sends a byte a second costs its
buffer and no thread (a hundred of them would otherwise keep everyone else out). Must not know TLS,
nor what is done with a head.

Invariant: `deadline` is set exactly while something has begun to come and isn't whole.
"""

import math
import time

from davbridge.http.errors import RequestHeadError
from davbridge.http.request_head import RequestHead, RequestHeadParser
from davbridge.http.streams import SocketReader

HEAD_SECONDS = 20.0
"""From the first byte of a head to its last."""

SKIP_SECONDS = 5.0
"""For the rest of an unread body: it was on its way, or it isn't worth waiting for."""


class RequestReader:
    """What comes from ``reader`` between two requests."""

    def __init__(self, reader: SocketReader) -> None:
        self._reader = reader
        self._parser = RequestHeadParser()
        self._to_skip = 0
        self._head: RequestHead | None = None
        self.deadline = math.inf
        """By time.monotonic: when `advance` gives up."""

    def skip(self, count: int) -> None:
        """Has the next ``count`` bytes, which belong to the request before, read away."""
        self._to_skip = count
        self.deadline = time.monotonic() + SKIP_SECONDS if count else math.inf

    def take(self) -> RequestHead | None:
        """The head that has come; None where the connection is at its end instead."""
        head, self._head = self._head, None
        return head

    def advance(self, seconds: float) -> bool:
        """Takes what has come, or comes within ``seconds``; whether there is a head, or
        the end.

        Raises RequestHeadError for a head that can't be trusted, or is late; OSError otherwise.
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
