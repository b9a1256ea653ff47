"""Accepts connections, and holds the idle ones until something arrives.

The accept loop and the selector are cheroot's. No other module imports cheroot. This one uses
private names of cheroot's ConnectionManager, so cheroot's minor version is pinned.

Invariants: neither a connection that fails nor a lack of file descriptors ends the loop, or keeps
it from the other connections. If more than `max_idle_connections` are idle, or have sent only a
part of a request, the surplus is closed.
"""

import errno
import logging
import math
import socket
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import cheroot.connections

from davbridge.http.connections import file_descriptors
from davbridge.http.connections.connection import Connection

CHECK_SECONDS = 0.5
"""Between two checks for connections that time out, or are too many."""

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


class ConnectionHandler(Protocol):
    """What the manager does with connections, and when."""

    def make_connection(self, sock: socket.socket) -> Connection:
        """Called for each connection that was accepted."""
        ...

    def serve_connection(self, connection: Connection) -> None:
        """Called when something has arrived, or the connection's deadline has passed."""
        ...

    def check(self) -> None:
        """Called every CHECK_SECONDS."""
        ...


class _Selector(Protocol):
    """cheroot's selector."""

    @property
    def connections(self) -> list[tuple[int, Any]]:
        """File descriptors, each with its connection, or with the server for the listener."""
        ...

    def unregister(self, fileobj: int) -> object: ...


class _CherootManager(cheroot.connections.ConnectionManager):
    """cheroot's ConnectionManager, with the private names that its type stubs leave out."""

    _stop_requested: bool
    _selector: _Selector

    if TYPE_CHECKING:

        def _expire(self, threshold: float) -> None:
            """Called by `run` every CHECK_SECONDS: closes what was last used before the time."""

        def _from_server_socket(self, server_socket: socket.socket) -> Connection | None:
            """Called by `run` to accept a connection."""


class ConnectionManager(_CherootManager):
    """Accepts connections from ``listener``, and gives them to ``handler`` when they can be read.
    A connection that is idle for ``timeout`` seconds is closed."""

    def __init__(self, listener: socket.socket, timeout: float, handler: ConnectionHandler) -> None:
        # A client may have gone when accept is called. Then accept must not wait for another.
        listener.setblocking(False)
        self._handler = handler
        self._listener = listener
        self._limit = max_idle_connections()
        self._ran_out = False
        """Whether file descriptors ran out since the last `_expire`."""
        self._warned_at = -math.inf
        cheroot_server = SimpleNamespace(
            socket=listener,
            bind_addr=listener.getsockname()[:2],
            timeout=timeout,
            keep_alive_conn_limit=None,  # 10 would close Finder's connections; we have _limit
            ssl_adapter=None,
            stats={"Enabled": False},
            ConnectionClass=lambda _server, sock, _makefile: handler.make_connection(sock),
            process_conn=self._process,
        )
        super().__init__(cheroot_server)

    def serve(self) -> None:
        """Runs the loop until `request_stop` is called."""
        self.run(CHECK_SECONDS)

    def request_stop(self) -> None:
        """Ends `serve` soon. Unlike `stop`, doesn't wait. May be called by a signal handler."""
        self._stop_requested = True

    def close_idle(self) -> None:
        """Closes all idle connections."""
        self._expire(math.inf)

    def _process(self, connection: Connection) -> None:
        """Called by `run` when a connection was accepted, or can be read."""
        if connection.is_new:
            # It goes to the selector first. cheroot would hand it to a thread, and a few clients
            # that send nothing would take all threads.
            connection.is_new = False
            self.put(connection)
        else:
            self._handler.serve_connection(connection)

    def _expire(self, threshold: float) -> None:
        if self._ran_out:
            self._ran_out = False
            threshold = max(threshold, time.time() - IDLE_SECONDS_WHEN_SCARCE)
        super()._expire(threshold)
        self._handler.check()
        now = time.monotonic()
        idle = self._idle()
        for fd, connection in idle:
            if connection.deadline <= now:
                self._selector.unregister(fd)
                self._handler.serve_connection(connection)  # which refuses it
        if len(idle) > self._limit:
            self._close_surplus()

    def _idle(self) -> list[tuple[int, Connection]]:
        """The idle connections, with their file descriptors."""
        return [each for each in self._selector.connections if each[1] is not self.server]

    def _close_surplus(self) -> None:
        """Closes what is beyond the limit: first the connections that have sent a part of a
        request, then those that have been idle for longest."""
        idle = self._idle()
        idle.sort(key=lambda each: (each[1].deadline == math.inf, each[1].last_used))
        for fd, connection in idle[: -self._limit]:
            self._selector.unregister(fd)
            connection.close()

    def _from_server_socket(self, server_socket: socket.socket) -> Connection | None:
        try:
            return super()._from_server_socket(server_socket)
        except OSError as error:
            self._recover(error)
            return None

    def _recover(self, error: OSError) -> None:
        if self._stop_requested:
            return
        self._ran_out = error.errno in (errno.EMFILE, errno.ENFILE)
        if time.monotonic() - self._warned_at > WARNING_SECONDS:
            self._warned_at = time.monotonic()
            _log.warning("connections can't be accepted: %s", error)
        time.sleep(0.05)  # the selector reports the listener again at once
