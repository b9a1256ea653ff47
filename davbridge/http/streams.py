"""Buffered reading from, and writing to, one socket, plain or TLS.

Owns the buffer between the socket and the parsers. Must not know HTTP.

Invariants:
- Whatever was received and not yet asked for is kept: a pipelined request is never lost.
- A TLS record is taken whole: what OpenSSL has decrypted and keeps would wake no selector.
- One receive or send waits no longer than ``timeout`` seconds, nor past `SocketReader.deadline`.
- Nothing is waited for, or prepared for waiting, where bytes are there already, or there is room:
  each system call gives the GIL away, and costs as much as all of the parsing.
"""

import socket
import ssl
import time

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

BUFFER = 64 * 1024
"""Bytes received at a time where small pieces are asked for."""

MAX_RECEIVE = 256 * 1024
"""Bytes received at a time, at the most, where large pieces are asked for."""

TLS_RECORD = 16 * 1024
"""The largest there is. OpenSSL gives one at a time; more would only be allocated in vain."""


class LineTooLongError(Exception):
    """No line feed within the limit."""


class SocketReader:
    """The incoming bytes of a connection, whose socket doesn't block by itself."""

    def __init__(self, sock: socket.socket, timeout: float | None = None) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._timeout = timeout
        self._most = TLS_RECORD if isinstance(sock, ssl.SSLSocket) else MAX_RECEIVE
        self.deadline: float | None = None
        """Monotonic time after which receiving raises TimeoutError; None: never."""
        self.received = 0
        """Bytes, in all."""

    def has_data(self) -> bool:
        """Whether bytes were received that nobody has asked for yet."""
        return bool(self._buffer)

    def fill(self, patience: float) -> bool:
        """Takes what has come, if nothing is there yet, within ``patience`` seconds; whether there
        is anything to read now: bytes, or the end."""
        if not self._buffer:
            limit = min(BUFFER, self._most)
            try:
                received = (
                    self._receive_within(limit, patience) if patience else self._socket.recv(limit)
                )
            except (*_WOULD_BLOCK, TimeoutError):
                return False
            self.received += len(received)
            self._buffer += received
        return True

    def take_through(self, end: bytes, limit: int) -> bytes | None:
        """What is there up to ``end``, and ``end``; None where it isn't, within ``limit``."""
        found = self._buffer.find(end, 0, limit)
        return None if found < 0 else self._take(found + len(end))

    def read_some(self, limit: int) -> bytes:
        """The next bytes, one to ``limit`` of them; ``b""`` only where the peer has closed."""
        if not self._buffer:
            if limit >= BUFFER:
                return self._receive(limit)
            self._buffer += self._receive(BUFFER)
        return self._take(limit)

    def read_line(self, limit: int) -> bytes:
        """The next line with its line feed; without one where the peer has closed.

        Raises LineTooLongError where there is none within ``limit`` bytes.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched, limit)) < 0:
            searched = len(self._buffer)
            if searched >= limit:
                raise LineTooLongError
            received = self._receive(BUFFER)
            if not received:
                return self._take(limit)
            self._buffer += received
        return self._take(end + 1)

    def _take(self, limit: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:limit])
        del self._buffer[:limit]
        return taken

    def _receive(self, limit: int) -> bytes:
        data = self._receive_in_time(min(limit, self._most))
        self.received += len(data)
        return data

    def _receive_in_time(self, limit: int) -> bytes:
        try:
            return self._socket.recv(limit)
        except _WOULD_BLOCK:
            return self._receive_within(limit, self._patience())

    def _receive_within(self, limit: int, patience: float | None) -> bytes:
        self._socket.settimeout(patience)
        try:
            return self._socket.recv(limit)
        finally:
            self._socket.setblocking(False)

    def _patience(self) -> float | None:
        if self.deadline is None:
            return self._timeout
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left if self._timeout is None else min(left, self._timeout)


class SocketWriter:
    """The outgoing bytes of such a connection. Nothing is kept back."""

    def __init__(self, sock: socket.socket, timeout: float | None = None) -> None:
        self._socket = sock
        self._timeout = timeout

    def write(self, data: bytes) -> None:
        """Sends all of ``data``."""
        try:
            sent = self._socket.send(data)
        except _WOULD_BLOCK:
            sent = 0
        if sent < len(data):
            self._send_patiently(memoryview(data)[sent:])

    def _send_patiently(self, rest: memoryview) -> None:
        """Not `sendall`: its timeout is for all of the data, and would cut a slow but steady
        reader."""
        self._socket.settimeout(self._timeout)
        try:
            while rest:
                rest = rest[self._socket.send(rest) :]
        finally:
            self._socket.setblocking(False)
