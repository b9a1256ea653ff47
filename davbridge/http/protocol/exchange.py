"""One exchange: a request whose head has been received, and its response.

Decides what an unread body, a failing application and a client that is gone mean for the
connection. `Connection` does what is decided.

Invariant: the connection is kept alive only if its next byte is certain to begin the next request.
If it isn't, the response says ``Connection: close`` (RFC 9112 §9.3, §9.6).
"""

import logging
from enum import Enum, auto
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

from davbridge.http.errors import ClientGoneError, IncompleteBodyError
from davbridge.http.protocol.request_body import ChunkedBody, KnownLengthBody, RequestBody
from davbridge.http.protocol.request_head import RequestHead
from davbridge.http.protocol.response import ResponseWriter
from davbridge.http.protocol.streams import SocketReader, SocketWriter
from davbridge.http.protocol.wsgi import environ_of, run

MAX_SKIPPED_BYTES = 1024 * 1024
"""Bytes of an unread body that are discarded to keep the connection alive. With more, the
connection is closed."""

_log = logging.getLogger("davbridge.http")


class Disposition(Enum):
    """What to do with the connection after an exchange."""

    KEEP_ALIVE = auto()
    LINGER = auto()
    """The response is whole. Close, so that the client can read it first."""
    DISCARD = auto()
    """As LINGER, but the client may read it only once it has sent the rest of the body."""
    CLOSE = auto()
    """The response isn't whole, and its framing shows it. Close at once."""
    RESET = auto()
    """The response isn't whole, and only a reset shows it."""


class ExchangeServer(Protocol):
    """What an exchange needs of the server."""

    @property
    def app(self) -> WSGIApplication: ...

    @property
    def may_keep_alive(self) -> bool: ...


class Exchange:
    """Serves one request. ``connection_environ`` is the part of the environ that all requests of
    the connection share."""

    unread = 0
    """If the connection is kept alive: bytes of the body that are still to come."""

    def __init__(
        self,
        server: ExchangeServer,
        head: RequestHead,
        reader: SocketReader,
        writer: SocketWriter,
        connection_environ: dict[str, Any],
    ) -> None:
        self._server = server
        self._head = head
        self._writer = writer
        self._awaits_continue = head.wants_continue
        """Whether the client waits for 100 Continue before it sends the body."""
        self._body: RequestBody = (
            ChunkedBody(reader, self._send_continue)
            if head.length is None
            else KnownLengthBody(reader, self._send_continue, head.length)
        )
        self._environ: dict[str, Any] = environ_of(head, self._body, connection_environ)
        self._response = ResponseWriter(
            writer,
            is_head=head.method == b"HEAD",
            is_http11=head.is_http11,
            may_persist=self._may_persist,
        )

    def perform(self) -> Disposition:
        """Runs the application, and sends its response."""
        try:
            run(self._server.app, self._environ, self._response)
        except ClientGoneError as error:
            _log.debug("%s", error)
            return Disposition.CLOSE
        except Exception as error:
            # A boundary: whatever an application raises must end this exchange only.
            return self._fail(error)
        if not self._response.persists or self._body.is_broken:
            return self._closing
        self.unread = self._body.remaining or 0
        return Disposition.KEEP_ALIVE

    @property
    def remaining(self) -> int | None:
        """Bytes of the body that haven't been read; None if their number isn't known."""
        return self._body.remaining

    @property
    def _closing(self) -> Disposition:
        """How to close after a whole response. What is refused before a login stays cheap: bytes
        are awaited only from a client that the application has let in."""
        is_sending = not (self._body.is_complete or self._body.is_broken or self._awaits_continue)
        is_let_in = "REMOTE_USER" in self._environ
        return Disposition.DISCARD if is_sending and is_let_in else Disposition.LINGER

    def _send_continue(self) -> None:
        """RFC 9110 §10.1.1: 100 is sent only when the body is read, and before the response."""
        if self._awaits_continue and not self._response.is_sent:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._awaits_continue = False

    def _may_persist(self) -> bool:
        if self._head.wants_close or not self._server.may_keep_alive:
            return False
        if isinstance(self._body, ChunkedBody) and not self._awaits_continue:
            # Proxies send an empty body like this to methods that take none.
            self._body.skip_end()
        if self._body.is_complete:
            return True
        left = self._body.remaining
        is_short = left is not None and left <= MAX_SKIPPED_BYTES
        return is_short and not self._awaits_continue and not self._body.is_broken

    def _fail(self, error: Exception) -> Disposition:
        is_ended = isinstance(error, ConnectionError) and self._response.is_sent
        if is_ended or isinstance(error, IncompleteBodyError):
            # The client has gone, or the application has logged why its body broke off.
            _log.debug("%s", error)
        else:
            _log.error("the application failed", exc_info=error)
        if self._response.is_finished:
            return self._closing
        if self._response.is_sent:
            return Disposition.RESET if self._response.ends_with_connection else Disposition.CLOSE
        try:
            self._response.fail(*_answer_to(error))
        except ClientGoneError:
            return Disposition.CLOSE
        return self._closing


def _answer_to(error: Exception) -> tuple[str, str]:
    if not isinstance(error, IncompleteBodyError):
        return "500 Internal Server Error", "the server failed at this request"
    if isinstance(error.__cause__, TimeoutError):
        return "408 Request Timeout", str(error)
    return "400 Bad Request", str(error)
