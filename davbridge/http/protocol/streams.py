"""Buffered reading and writing of one socket, plain or TLS.

Invariants:
- Bytes that were received and not asked for stay in the buffer, so no pipelined request is lost.
- A TLS record is received whole. The selector doesn't see bytes that OpenSSL has already decrypted.
- A thread waits for the client only as long as its ClientTimeout allows.
- No system call prepares for a wait that isn't needed. Each one gives the GIL away, and costs as
  much as all of the parsing.
"""

import socket
import ssl
from functools import partial

from davbridge.http.protocol.client_timeout import ClientTimeout

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

BUFFER_BYTES = 64 * 1024
"""Received at a time, when small pieces are asked for."""

MAX_RECEIVE_BYTES = 256 * 1024
"""Received at a time at most, when large pieces are asked for."""

TLS_RECORD_BYTES = 16 * 1024
"""The maximum. OpenSSL returns one record at a time, so a larger buffer would not be used."""


class LineTooLongError(Exception):
    """There is no line feed within the limit."""


class SocketReader:
    """The incoming bytes of a connection. Its socket is non-blocking."""

    def __init__(self, sock: socket.socket, timeout: ClientTimeout | None = None) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self.timeout = timeout or ClientTimeout()
        self._max_receive = (
            TLS_RECORD_BYTES if isinstance(sock, ssl.SSLSocket) else MAX_RECEIVE_BYTES
        )
        self._searched = 0
        """Bytes at the beginning of the buffer that contain no line feed."""
        self.is_at_end = False
        """Whether the client has closed."""

    def has_data(self) -> bool:
        """Whether there are bytes that `take_line` has not searched yet."""
        return len(self._buffer) > self._searched

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    @property
    def buffered(self) -> bytes:
        """What has been received and not asked for."""
        return bytes(self._buffer)

    def fill(self, seconds: float) -> bool:
        """Receives what has arrived, or arrives within ``seconds``. Returns whether there are
        bytes, or the end of the connection."""
        limit = min(BUFFER_BYTES, self._max_receive)
        try:
            data = self._receive_within(limit, seconds) if seconds else self._socket.recv(limit)
        except (*_WOULD_BLOCK, TimeoutError):
            return False
        self._buffer += self._received(data)
        return True

    def take_through(self, end: bytes, limit: int) -> bytes | None:
        """The buffered bytes through ``end``; None if ``end`` isn't within ``limit`` bytes."""
        found = self._buffer.find(end, 0, limit)
        return None if found < 0 else self._take(found + len(end))

    def take_line(self, limit: int) -> bytes | None:
        """The next line with its line feed; None if it isn't all there yet.

        Raises LineTooLongError if there is no line feed within ``limit`` bytes.
        """
        end = self._buffer.find(b"\n", self._searched, limit)
        if end >= 0:
            return self._take(end + 1)
        self._searched = len(self._buffer)
        if self._searched >= limit:
            raise LineTooLongError
        return None

    def skip(self, limit: int) -> int:
        """Discards up to ``limit`` buffered bytes. Returns how many."""
        return len(self._take(limit)) if self._buffer and limit else 0

    def read_some(self, limit: int) -> bytes:
        """The next bytes, from one to ``limit``; ``b""`` only if the client has closed."""
        if not self._buffer:
            if limit >= BUFFER_BYTES:
                return self._receive(limit)
            self._buffer += self._receive(BUFFER_BYTES)
        return self._take(limit)

    def read_line(self, limit: int) -> bytes:
        """The next line with its line feed; without one if the client has closed.

        Raises LineTooLongError if there is no line feed within ``limit`` bytes.
        """
        while (line := self.take_line(limit)) is None:
            received = self._receive(BUFFER_BYTES)
            if not received:
                return self._take(limit)
            self._buffer += received
        return line

    def _take(self, limit: int) -> bytes:
        self._searched = 0
        taken = bytes(memoryview(self._buffer)[:limit])
        del self._buffer[:limit]
        return taken

    def _receive(self, limit: int) -> bytes:
        data = self._received(self._receive_in_time(min(limit, self._max_receive)))
        self.timeout.record_progress(len(data))
        return data

    def _received(self, data: bytes) -> bytes:
        self.is_at_end = not data
        return data

    def _receive_in_time(self, limit: int) -> bytes:
        try:
            return self._socket.recv(limit)
        except _WOULD_BLOCK:
            return self.timeout.wait(partial(self._receive_within, limit))

    def _receive_within(self, limit: int, seconds: float | None) -> bytes:
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(limit)
        finally:
            self._socket.setblocking(False)


class SocketWriter:
    """The outgoing bytes of a connection. Its socket is non-blocking. Nothing is buffered."""

    def __init__(self, sock: socket.socket, timeout: ClientTimeout) -> None:
        self._socket = sock
        self._timeout = timeout

    def write(self, data: bytes) -> None:
        """Sends all of ``data``."""
        try:
            sent = self._socket.send(data)
        except _WOULD_BLOCK:
            sent = 0
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:])

    def _send_rest(self, rest: memoryview) -> None:
        """Not `sendall`: its timeout is for all of the data, and would disconnect a slow but steady
        client."""
        self._timeout.reset()
        while rest:
            sent = self._timeout.wait(partial(self._send_within, rest))
            self._timeout.record_progress(sent)
            rest = rest[sent:]

    def _send_within(self, rest: memoryview, seconds: float | None) -> int:
        self._socket.settimeout(seconds)
        try:
            return self._socket.send(rest)
        finally:
            self._socket.setblocking(False)
