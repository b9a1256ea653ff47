"""Buffered reading from, and writing to, one socket, plain or TLS.

Owns the buffer between the socket and the parsers. Must not know HTTP.

Invariants:
- Whatever was received and not yet asked for is kept: a pipelined request is never lost.
- A TLS record is taken whole: what OpenSSL has decrypted and keeps would wake no selector.
- A peer is waited for its timeout allows, and no longer: a thread waits with it.
- Nothing is waited for, or prepared for waiting, where bytes are there already, or there is room:
  each system call gives the GIL away, and costs as much as all of the parsing.
"""

import socket
import ssl
from functools import partial

from davbridge.http.client_timeout import ClientTimeout

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

BUFFER_BYTES = 64 * 1024
"""Bytes received at a time where small pieces are asked for."""

MAX_RECEIVE_BYTES = 256 * 1024
"""Bytes received at a time, at the most, where large pieces are asked for."""

TLS_RECORD_BYTES = 16 * 1024
"""The largest there is. OpenSSL gives one at a time; more would only be allocated in vain."""


class LineTooLongError(Exception):
    """No line feed within the limit."""


class SocketReader:
    """The incoming bytes of a connection, whose socket doesn't block by itself."""

    def __init__(self, sock: socket.socket, timeout: ClientTimeout | None = None) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self.timeout = timeout or ClientTimeout()
        self._max_receive = (
            TLS_RECORD_BYTES if isinstance(sock, ssl.SSLSocket) else MAX_RECEIVE_BYTES
        )
        self._searched = 0
        """Bytes of the buffer that are known to hold no line feed."""
        self.is_at_end = False
        """Whether the peer has closed."""

    def has_data(self) -> bool:
        """Whether there are bytes that nobody has looked at yet."""
        return len(self._buffer) > self._searched

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    def fill(self, seconds: float) -> bool:
        """Takes what has come, or comes within ``seconds``; whether anything has: bytes,
        or the end."""
        limit = min(BUFFER_BYTES, self._max_receive)
        try:
            data = self._receive_within(limit, seconds) if seconds else self._socket.recv(limit)
        except (*_WOULD_BLOCK, TimeoutError):
            return False
        self._buffer += self._received(data)
        return True

    def take_through(self, end: bytes, limit: int) -> bytes | None:
        """What is there up to ``end``, and ``end``; None where it isn't, within ``limit``."""
        found = self._buffer.find(end, 0, limit)
        return None if found < 0 else self._take(found + len(end))

    def take_line(self, limit: int) -> bytes | None:
        """The next line with its line feed, where all of it is there.

        Raises LineTooLongError where there is none within ``limit`` bytes.
        """
        end = self._buffer.find(b"\n", self._searched, limit)
        if end >= 0:
            return self._take(end + 1)
        self._searched = len(self._buffer)
        if self._searched >= limit:
            raise LineTooLongError
        return None

    def skip(self, limit: int) -> int:
        """Forgets up to ``limit`` bytes of what is there; how many."""
        return len(self._take(limit)) if self._buffer and limit else 0

    def read_some(self, limit: int) -> bytes:
        """The next bytes, one to ``limit`` of them; ``b""`` only where the peer has closed."""
        if not self._buffer:
            if limit >= BUFFER_BYTES:
                return self._receive(limit)
            self._buffer += self._receive(BUFFER_BYTES)
        return self._take(limit)

    def read_line(self, limit: int) -> bytes:
        """The next line with its line feed; without one where the peer has closed.

        Raises LineTooLongError where there is none within ``limit`` bytes.
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
    """The outgoing bytes of such a connection. Nothing is kept back."""

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
        """Not `sendall`: its timeout is for all of the data, and would cut a slow but steady
        reader."""
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
