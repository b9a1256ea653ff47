"""Connections to an endpoint, reused and shared: each carries one request and its response at a
time.

Invariants: a connection has one request at a time. It is reused only if the request was sent and
its response read, both to the end, and nothing followed it. A success that arrives before the
request was sent to its end counts as a failure. Each failure is the exception that botocore has for
it. A target is sent unchanged, including its dots.
"""

import re
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from io import BufferedReader
from urllib.parse import SplitResult

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ParamValidationError,
    ReadTimeoutError,
)
from urllib3.connection import HTTPConnection
from urllib3.util.wait import wait_for_read

from davbridge import deadline
from davbridge.store.buffers.outgoing_body import OutgoingBody, buffers_of
from davbridge.store.s3.transport.http_response import ResponseBody, read_response_head
from davbridge.store.s3.transport.opener import ConnectionOpener, NetworkOptions

SEND_SIZE = 256 * 1024
"""Bytes that are sent at a time: the time limit applies to each block, not to a whole body."""

MAX_JOINED_BODY = 64 * 1024
"""Bytes up to which a body is sent together with the head."""

OVERTIME = 1.0
"""Seconds past its deadline for which an operation waits for a response that may still arrive."""

_NO_LINGERING = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

_CONTROLS = re.compile(r"[\x00\r\n]")

_FAILURES = (OSError, HTTPException, ValueError)
"""The exceptions of a connection that fails. ValueError: it was closed meanwhile."""


class Connections:
    """All connections to one endpoint, opened as they are needed."""

    def __init__(self, url: SplitResult, options: NetworkOptions) -> None:
        self._opener = ConnectionOpener(url, options)
        self._options = options
        self._idle: list[_Connection] = []
        self._is_closed = False

    def exchange(
        self,
        method: str,
        prepare: Callable[[], tuple[str, Mapping[str, str]]],
        body: OutgoingBody,
        read_timeout: float | None = None,
    ) -> "StreamedResponse":
        """Sends the request, and reads the head of its answer. Raises BotoCoreError.

        ``prepare`` returns the target and the headers. It is called once there is a connection,
        because opening one may take longer than a signature is valid.
        """
        connection = self._idle_one() or _Connection(self._opener.open())
        timeout = read_timeout or self._options.read_timeout
        try:
            target, headers = prepare()
            fields = {**headers, **self._opener.headers}
            head = request_head(method, self._opener.target_prefix + target, fields)
        except BaseException:
            connection.close()
            raise
        try:
            connection.send(head, body, timeout)
            connection.wait_for_answer(timeout)
            return StreamedResponse(self, connection, method)
        except BaseException as error:
            connection.abandon()
            if isinstance(error, _FAILURES):
                raise self.failure(error) from error
            raise

    def close(self) -> None:
        """Closes the idle connections, and from now on each one that becomes idle."""
        self._is_closed = True
        while connection := self._idle_one():
            connection.close()

    def give_back(self, connection: "_Connection") -> None:
        if self._is_closed or len(self._idle) >= self._options.most_idle:
            connection.close()
        else:
            self._idle.append(connection)

    def failure(self, error: Exception) -> BotoCoreError:
        """The exception that botocore has for the failure of an open connection."""
        kind = ReadTimeoutError if isinstance(error, TimeoutError) else ConnectionClosedError
        return kind(endpoint_url=self._opener.endpoint, error=error)

    def _idle_one(self) -> "_Connection | None":
        """The most recently used one that the other side hasn't closed meanwhile."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_usable:
                return connection
            connection.close()


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Raises ParamValidationError for a header that HTTP can't express (RFC 9110 §5.5)."""
    fields = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
    if len(_CONTROLS.findall(fields)) > 2 * (len(headers) - 1):
        raise ParamValidationError(report="a header holds a control character")
    try:
        return f"{method} {target} HTTP/1.1\r\n{fields}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError as error:
        raise ParamValidationError(report=f"a header can't be sent: {error}") from error


class _Connection:
    """An open connection, with the bytes that have arrived and haven't been read."""

    def __init__(self, opened: HTTPConnection) -> None:
        self._opened = opened
        self._sock = opened.sock
        self.file: BufferedReader = opened.sock.makefile("rb")
        self.has_sent_all = True

    @property
    def is_usable(self) -> bool:
        """Whether the other side has neither closed it nor sent unrequested bytes, which may also
        have arrived together with the response, and be read already."""
        return self._opened.is_connected and not self._holds_more()

    def _holds_more(self) -> bool:
        self._sock.settimeout(0)
        try:
            return bool(self.file.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False  # as a plain socket says with b""
        except OSError:
            return True  # It breaks at this moment.

    def send(self, head: bytes, body: OutgoingBody, read_timeout: float) -> None:
        self._sock.settimeout(min(read_timeout, max(deadline.remaining(), 0.0) + OVERTIME))
        if len(body) <= MAX_JOINED_BODY:
            self._sock.sendall(b"".join([head, *buffers_of(body)]))
            return
        self._sock.sendall(head)
        try:
            for buffer in buffers_of(body):
                rest = memoryview(buffer)
                while rest:
                    self._sock.sendall(rest[:SEND_SIZE])
                    rest = rest[SEND_SIZE:]
        except (BrokenPipeError, ConnectionResetError):
            # A store that refuses a request needn't read it to the end; its response says why.
            self.has_sent_all = False

    def wait_for_answer(self, read_timeout: float) -> None:
        """Waits until the deadline at most, which may move meanwhile. Raises TimeoutError."""
        began_at = time.monotonic()
        if deadline.remaining() >= read_timeout:
            return  # the socket's own time limit comes first
        while not self._has_answer(deadline.remaining() + OVERTIME):
            waited = time.monotonic() - began_at
            if waited >= read_timeout or deadline.remaining() + OVERTIME <= 0:
                raise TimeoutError("the time for this is over")
        self._sock.settimeout(read_timeout)

    def _has_answer(self, seconds: float) -> bool:
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        return wait_for_read(self._sock, max(seconds, 0.0))

    def abandon(self) -> None:
        """Closes it so that bytes which are buffered in it are never sent."""
        with suppress(OSError, AttributeError):  # TLS within TLS isn't a socket
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self.close()

    def close(self) -> None:
        self.file.close()
        self._opened.close()


class StreamedResponse:
    """A response whose head has arrived. Its body is read as it arrives, by one thread."""

    def __init__(self, connections: Connections, connection: _Connection, method: str) -> None:
        self._connections = connections
        self._connection = connection
        head = read_response_head(connection.file)
        if head.status < 300 and not connection.has_sent_all:
            raise HTTPException("a success was answered before the whole body was sent")
        self.status = head.status
        self.headers = head.headers
        self._may_go_on = head.keeps_alive and connection.has_sent_all
        self._body = ResponseBody(
            connection.file, head, is_head=method == "HEAD", at_end=self._at_end
        )

    def read(self, size: int) -> bytes:
        """The next bytes, ``size`` of them or fewer; ``b""`` only at the end of the body.

        Raises BotoCoreError, also where the body ends too early.
        """
        try:
            return self._body.read(size)
        except _FAILURES as error:
            self._connection.close()
            raise self._connections.failure(error) from error

    def read_all(self, most: int) -> bytes:
        """The rest of the body; of a longer one, one byte more than ``most``. Raises as `read`."""
        try:
            return self._body.read_all(most)
        except _FAILURES as error:
            self._connection.close()
            raise self._connections.failure(error) from error

    def close(self) -> None:
        """Closes the connection if the body wasn't read to its end. May be called twice."""
        if not self._body.is_through:
            self._connection.close()

    def _at_end(self) -> None:
        if self._may_go_on:
            self._connections.give_back(self._connection)
        else:
            self._connection.close()
