"""One connection: the handshake, then request after request.

Owns the socket, and how it ends. Knows cheroot only by what it wants of a connection: its accept
loop calls the constructor as it is, and sets ``remote_addr``, ``remote_port`` and ``ssl_env``; its
selector sets ``last_used``, and asks for ``socket``, ``rfile.has_data`` and ``close``. Our own loop
asks for ``deadline`` and ``is_new`` beside, and the workers for the rest.

Invariants: after a whole answer the connection is left through the LingeringCloser, so that the client
gets it; half an answer is never ended in a way that could look whole.
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

from davbridge.http import tls
from davbridge.http.admission import Client
from davbridge.http.client_timeout import ClientTimeout
from davbridge.http.closing import LingeringCloser
from davbridge.http.errors import ClientGoneError, RequestHeadError
from davbridge.http.exchange import Disposition, Exchange, ExchangeServer
from davbridge.http.request_head import RequestHead
from davbridge.http.request_reader import RequestReader
from davbridge.http.response import ResponseWriter
from davbridge.http.streams import SocketReader, SocketWriter
from davbridge.http.wsgi import Endpoints, connection_environ

QUICK = (b"PROPFIND", b"HEAD", b"OPTIONS")
"""Methods that are answered without waiting for anything, as a rule."""

_RESET_AT_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""struct linger: on, for no time."""

_log = logging.getLogger("davbridge.http")


class ConnectionServer(ExchangeServer, Protocol):
    """What a connection asks of the server."""

    @property
    def tls(self) -> ssl.SSLContext | None: ...

    @property
    def closer(self) -> LingeringCloser: ...

    def release_leadership(self) -> None:
        """Called by a thread that may have to wait: others go on with what has come."""
        ...

    def client_wait(self, client: Client) -> contextlib.AbstractContextManager[object]:
        """What a thread is within while it waits for the client: others don't count it then."""
        ...


class Connection:
    """cheroot's ConnectionClass: made in the accept loop, served in the workers."""

    # These are set by cheroot, after the constructor.
    remote_addr = ""
    remote_port = 0
    ssl_env: Mapping[str, str] = {}
    last_used = 0.0

    def __init__(
        self, server: ConnectionServer, sock: socket.socket, makefile: object = None
    ) -> None:
        self._server = server
        self._host, self._port = sock.getsockname()[:2]
        self._timeout_seconds = sock.gettimeout()
        self._environ: dict[str, Any] | None = None
        self._is_shaking_hands = server.tls is not None
        self._handshake_deadline = time.monotonic() + tls.HANDSHAKE_SECONDS
        self._has_come = False
        """Whether there is something for `serve_request` to do."""
        self._refusal: RequestHeadError | None = None
        self._is_answered = False
        """Whether the client has an answer to read before all is closed."""
        self.is_new = True
        """Whether the selector has not watched it yet."""
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
        """Bytes a second that the client moves while it is waited for."""
        return self._timeout.speed

    @property
    def deadline(self) -> float:
        """By time.monotonic: when this connection is to be served, be it that nothing has come."""
        return self._handshake_deadline if self._is_shaking_hands else self._request_reader.deadline

    def has_request(self) -> bool:
        """Takes what has come; whether there is something for `serve_request` to do. Never waits."""
        return self.wait_for_request(0.0)

    def wait_for_request(self, seconds: float) -> bool:
        """As `has_request`, of what comes within that time."""
        if not self._has_come:
            try:
                self._has_come = self._has_shaken_hands() and self._request_reader.advance(seconds)
            except RequestHeadError as refusal:
                self._refusal = refusal
                self._has_come = True
            except OSError as error:
                _log.debug("%s: %s", self.remote_addr, error)
                self._has_come = True
        return self._has_come

    def serve_request(self) -> bool:
        """Serves the request that has come; whether the connection stays open."""
        self._has_come = False
        if self._refusal is not None:
            self._refuse(self._refusal)
            return False
        head = self._request_reader.take()
        return head is not None and self._serve(head)

    def close(self) -> None:
        """Closes: gently where there is an answer to be read. May be called twice."""
        if self.socket.fileno() < 0:
            return
        if not self._is_answered:
            self.socket.close()
            return
        if isinstance(self.socket, ssl.SSLSocket):
            tls.say_goodbye(self.socket)
        self._server.closer.close_later(tls.release(self.socket))

    def abort(self) -> None:
        """Makes what reads or writes in another thread fail at once.

        Not SSLSocket's own shutdown, which first switches to plain text.
        """
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def _has_shaken_hands(self) -> bool:
        """Goes on with the handshake, if there is one to do. Raises OSError; RequestHeadError."""
        if self._is_shaking_hands:
            self._server.release_leadership()  # it computes for a millisecond or two
            self._is_shaking_hands = not self._shake_hands()
            if self._is_shaking_hands and time.monotonic() >= self._handshake_deadline:
                raise TimeoutError("the handshake took too long")
        return not self._is_shaking_hands

    def _shake_hands(self) -> bool:
        assert self._server.tls is not None
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket = tls.wrap(self.socket, self._server.tls)
        try:
            is_done = tls.shake_hands(self.socket)
        except tls.PlainHttpError as error:
            self._use(tls.release(self.socket))
            reason = "this port speaks HTTPS: use an https:// URL"
            raise RequestHeadError("400 Bad Request", reason) from error
        if is_done:
            self._use(self.socket)
        return is_done

    def _refuse(self, refusal: RequestHeadError) -> None:
        _log.info("%s: %s", self.remote_addr, refusal)
        response = ResponseWriter(
            self._writer, is_head=False, is_http11=True, may_persist=lambda: False
        )
        with contextlib.suppress(ClientGoneError):
            response.fail(refusal.status, refusal.reason)
            self._is_answered = True

    def _serve(self, head: RequestHead) -> bool:
        if head.method not in QUICK:
            self._server.release_leadership()
        if self._environ is None:
            is_tls = self._server.tls is not None
            ends = Endpoints(self.remote_addr, self.remote_port, self._host, self._port, is_tls)
            self._environ = connection_environ(ends)
        served = Exchange(self._server, head, self.rfile, self._writer, self._environ)
        disposition = served.perform()
        if disposition is Disposition.RESET:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        if disposition is Disposition.KEEP_ALIVE:
            self._request_reader.skip(served.unread)
        self._is_answered = disposition is Disposition.LINGER or served.unread > 0
        return disposition is Disposition.KEEP_ALIVE
