"""One connection: the handshake, then request after request.

Parts of the interface are cheroot's: its accept loop sets ``remote_addr``, ``remote_port`` and
``ssl_env``, its selector sets ``last_used`` and uses ``socket``, ``rfile.has_data`` and ``close``.

Invariants: after a whole response the connection is closed through the LingeringCloser, so that the
client can read it. A response that isn't whole never looks whole.
"""

import contextlib
import logging
import socket
import ssl
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

from davbridge.http.connections import tls
from davbridge.http.connections.lingering_close import LingeringCloser, UnreadBody
from davbridge.http.errors import ClientGoneError, RequestHeadError
from davbridge.http.protocol.client_timeout import ClientTimeout
from davbridge.http.protocol.exchange import Disposition, Exchange, ExchangeServer
from davbridge.http.protocol.request_head import RequestHead
from davbridge.http.protocol.request_reader import RequestReader
from davbridge.http.protocol.response import ResponseWriter
from davbridge.http.protocol.streams import SocketReader, SocketWriter
from davbridge.http.protocol.wsgi import Endpoints, connection_environ
from davbridge.http.workers.admission import Client

QUICK_METHODS = (b"PROPFIND", b"HEAD", b"OPTIONS")
"""Methods that usually don't wait for anything."""

_RESET_AT_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""struct linger: on, for zero seconds."""

_log = logging.getLogger("davbridge.http")


class ConnectionServer(ExchangeServer, Protocol):
    """What a connection needs of the server."""

    @property
    def tls(self) -> ssl.SSLContext | None: ...

    @property
    def closer(self) -> LingeringCloser: ...

    def release_leadership(self) -> None:
        """Called by a thread before it may have to wait. See `WorkerPool`."""
        ...

    def client_wait(self, client: Client) -> contextlib.AbstractContextManager[object]:
        """The context in which a thread waits for the client. See `WorkerPool`."""
        ...


class Connection:
    """Made in the accept loop, served by workers."""

    # These are set by cheroot, after the constructor.
    remote_addr = ""
    remote_port = 0
    ssl_env: Mapping[str, str] = {}
    last_used = 0.0

    def __init__(self, server: ConnectionServer, sock: socket.socket) -> None:
        self._server = server
        self._host, self._port = sock.getsockname()[:2]
        self._timeout_seconds = sock.gettimeout()
        self._environ: dict[str, Any] | None = None
        self._is_in_handshake = server.tls is not None
        self._handshake_deadline = time.monotonic() + tls.HANDSHAKE_SECONDS
        self._is_ready = False
        """Whether `serve_request` has something to do."""
        self._refusal: RequestHeadError | None = None
        self._is_answered = False
        """Whether the client must be able to read a response before the connection is closed."""
        self._unread: UnreadBody | None = None
        """What the client may send before it reads the response."""
        self._is_closed = False
        self.is_new = True
        """Whether the selector has not had it yet."""
        with contextlib.suppress(OSError):  # macOS refuses it once the client has reset
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._use(sock)

    def _use(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._timeout = timeout = ClientTimeout(self._timeout_seconds, self._client_wait)
        self.rfile = SocketReader(sock, timeout)
        self._request_reader = RequestReader(self.rfile)
        self._writer = SocketWriter(sock, timeout)

    def _client_wait(self) -> contextlib.AbstractContextManager[object]:
        return self._server.client_wait(self)

    @property
    def speed(self) -> float:
        """Bytes per second that the client moves while it is waited for."""
        return self._timeout.speed

    @property
    def deadline(self) -> float:
        """In time.monotonic seconds: when it must be served even if nothing has arrived."""
        return self._handshake_deadline if self._is_in_handshake else self._request_reader.deadline

    def has_request(self) -> bool:
        """Receives what has arrived. Returns whether `serve_request` has something to do. Never
        waits."""
        return self.wait_for_request(0.0)

    def wait_for_request(self, seconds: float) -> bool:
        """As `has_request`, but waits for so long."""
        if not self._is_ready:
            try:
                self._is_ready = self._complete_handshake() and self._request_reader.advance(
                    seconds
                )
            except RequestHeadError as refusal:
                self._refusal = refusal
                self._is_ready = True
            except OSError as error:
                self._log_failure(error)
                self._is_ready = True
        return self._is_ready

    def serve_request(self) -> bool:
        """Serves the request that has arrived. Returns whether the connection stays open."""
        self._is_ready = False
        if self._refusal is not None:
            self._refuse(self._refusal)
            return False
        head = self._request_reader.take()
        return head is not None and self._serve(head)

    def close(self) -> None:
        """Closes the connection; later, if there is a response to be read. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_answered:
            self._server.closer.close_later(self.socket, self._unread)
        else:
            self.socket.close()

    def abort(self) -> None:
        """Disconnects, so that reading or writing in another thread fails at once.

        Not SSLSocket's own shutdown, which first switches to plain text.
        """
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def _complete_handshake(self) -> bool:
        """Continues the handshake, if it isn't done. Returns whether it is. Raises OSError,
        RequestHeadError."""
        if self._is_in_handshake:
            self._server.release_leadership()  # it takes a millisecond or two of processor time
            self._is_in_handshake = not self._continue_handshake()
            if self._is_in_handshake and time.monotonic() >= self._handshake_deadline:
                raise TimeoutError("the handshake took too long")
        return not self._is_in_handshake

    def _continue_handshake(self) -> bool:
        assert self._server.tls is not None
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket = tls.wrap(self.socket, self._server.tls)
        try:
            is_done = tls.continue_handshake(self.socket)
        except tls.PlainHttpError as error:
            self._use(tls.detach(self.socket))
            reason = "this port speaks HTTPS: use an https:// URL"
            raise RequestHeadError("400 Bad Request", reason) from error
        if is_done:
            self._use(self.socket)
        return is_done

    def _log_failure(self, error: OSError) -> None:
        # A client that only connects and leaves, as some load balancers do, is no failure.
        has_left = isinstance(error, ssl.SSLEOFError | ConnectionError)
        if self._is_in_handshake and not has_left:
            _log.info("%s: the TLS handshake failed: %s", self.remote_addr, error)
        else:
            _log.debug("%s: %s", self.remote_addr, error)

    def _refuse(self, refusal: RequestHeadError) -> None:
        _log.info("%s: %s", self.remote_addr, refusal)
        response = ResponseWriter(
            self._writer, is_head=False, is_http11=True, may_persist=lambda: False
        )
        with contextlib.suppress(ClientGoneError):
            response.fail(refusal.status, refusal.reason)
            self._is_answered = True

    def _serve(self, head: RequestHead) -> bool:
        if head.method not in QUICK_METHODS:
            self._server.release_leadership()
        if self._environ is None:
            is_tls = self._server.tls is not None
            endpoints = Endpoints(
                self.remote_addr, self.remote_port, self._host, self._port, is_tls
            )
            self._environ = connection_environ(endpoints)
        exchange = Exchange(self._server, head, self.rfile, self._writer, self._environ)
        disposition = exchange.perform()
        if disposition is Disposition.RESET:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        if disposition is Disposition.KEEP_ALIVE:
            self._request_reader.skip(exchange.unread)
        if disposition is Disposition.DISCARD:
            self._unread = self._unread_body(exchange.remaining)
        lingers = disposition in (Disposition.LINGER, Disposition.DISCARD)
        self._is_answered = lingers or exchange.unread > 0
        return disposition is Disposition.KEEP_ALIVE

    def _unread_body(self, remaining: int | None) -> UnreadBody:
        received = self.rfile.buffered
        return UnreadBody(None if remaining is None else remaining - len(received), received[-16:])
