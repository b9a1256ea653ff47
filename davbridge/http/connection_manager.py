"""The accept loop, and the selector that watches connections until what comes is worth a thread.

Both are cheroot's. This module leans on the insides of its ConnectionManager, as `server` does on
those of its HTTPServer: they are why its minor version is pinned, and no other module knows any.

Invariants: what one connection does, or a lack of file descriptors, never ends the loop, and never
keeps it from the connections that can be read. However many connect and say nothing, or never come
to an end, those that ask are served: beyond MAX_IDLE_CONNECTIONS the others are closed.
"""

import errno
import logging
import math
import socket
import time
from typing import Any

from cheroot.connections import ConnectionManager as CherootConnectionManager
from cheroot.server import HTTPServer

from davbridge.http import file_descriptors
from davbridge.http.connection import Connection

WARNING_SECONDS = 10.0
"""Between two warnings that connections can't be accepted."""

MAX_IDLE_CONNECTIONS = 1000
"""Connections that may be open without a request that can be served. Each takes a few KiB, or
about 30 with TLS."""

IDLE_SECONDS_WHEN_SCARCE = 1.0
"""Idle connections are closed after this time while file descriptors are short."""

_log = logging.getLogger("davbridge.http")


def max_idle_connections() -> int:
    """MAX_IDLE_CONNECTIONS, or a third of the file descriptors if those are few.

    Another third is for requests that wait: half as many as this, with a descriptor for the client
    and one for the store each.
    """
    return min(MAX_IDLE_CONNECTIONS, file_descriptors.raise_limit() // 3)


class ConnectionManager(CherootConnectionManager):
    """Accepts connections, and hands those that can be read to the server's process_conn."""

    _stop_requested: bool
    _selector: Any
    """Yields what is watched as ``connections``: file descriptors with a connection each."""

    def __init__(self, server: HTTPServer) -> None:
        super().__init__(server)
        self._limit = max_idle_connections()
        self._ran_out = False
        """Whether file descriptors ran out since `_expire` was last called."""
        self._warned_at = -math.inf

    def request_stop(self) -> None:
        """Ends `run` at its next turn; unlike `stop`, doesn't wait for it."""
        self._stop_requested = True

    def close_idle(self) -> None:
        """Closes all connections that are idle."""
        self._expire(math.inf)

    def _expire(self, threshold: float) -> None:
        """Called by `run` twice a second, when what can be read has been handed on."""
        if self._ran_out:
            self._ran_out = False
            threshold = max(threshold, time.time() - IDLE_SECONDS_WHEN_SCARCE)
        super()._expire(threshold)  # type: ignore[misc]  # the stub leaves it out
        self.server.requests.ensure_worker()
        now = time.monotonic()
        idle = self._idle()
        for fd, late in idle:
            if late.deadline <= now:
                self._selector.unregister(fd)
                self.server.process_conn(late)  # which has it refused
        if len(idle) > self._limit:
            self._close_surplus()

    def _idle(self) -> list[tuple[int, Connection]]:
        """The connections, with their file descriptors."""
        return [each for each in self._selector.connections if each[1] is not self.server]

    def _close_surplus(self) -> None:
        """Closes what is beyond the limit: first those that have begun and don't come to an end,
        then those that have been silent longest."""
        idle = self._idle()
        idle.sort(key=lambda each: (each[1].deadline == math.inf, each[1].last_used))
        for fd, connection in idle[: -self._limit]:
            self._selector.unregister(fd)
            connection.close()

    def _from_server_socket(self, server_socket: socket.socket) -> Connection | None:
        """Called by `run` to accept a connection."""
        try:
            found: Connection | None
            found = super()._from_server_socket(server_socket)  # type: ignore[misc]
        except OSError as error:
            self._recover(error)
            return None
        return found

    def _recover(self, error: OSError) -> None:
        if self._stop_requested:
            return
        self._ran_out = error.errno in (errno.EMFILE, errno.ENFILE)
        if time.monotonic() - self._warned_at > WARNING_SECONDS:
            self._warned_at = time.monotonic()
            _log.warning("connections can't be accepted: %s", error)
        time.sleep(0.05)  # the selector reports the listener again at once
