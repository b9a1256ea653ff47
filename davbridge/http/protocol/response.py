"""One response: sends what the application gives to start_response, and its blocks.

Sets the framing (RFC 9112 §6, §7), and the fields that belong to the connection.

Invariants:
- Nothing is sent before the first block or `finish`. So a failure until then gets its own status.
- A response that ends early never looks whole: it is shorter than its Content-Length, or the last
  chunk is missing.
- No byte of a status or a field can begin a line of its own.
- Hop-by-hop fields of the application are dropped; PEP 3333 forbids them.
"""

import re
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from types import TracebackType

from davbridge.http.errors import BrokenResponseError, ClientGoneError
from davbridge.http.protocol.streams import SocketWriter

SERVER = b"davbridge"
"""Without a version. Finder and Cyberduck behave differently if it contains IIS."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

_SERVER_FIELDS = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_STATUS = re.compile(r"[2-5][0-9][0-9] [\t -~]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_LENGTH = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class ResponseWriter:
    """The response to one request. ``may_persist`` is called once, when the head is sent."""

    def __init__(
        self,
        writer: SocketWriter,
        *,
        is_head: bool,
        is_http11: bool,
        may_persist: Callable[[], bool],
    ) -> None:
        self._writer = writer
        self._is_head = is_head
        self._is_http11 = is_http11
        self._may_persist = may_persist
        self._status = 0
        self.has_body = not is_head
        """Whether bytes follow the head (RFC 9112 §6.3)."""
        self._lines: list[str] = []
        self._remaining: int | None = None
        """Bytes of the Content-Length that are still to be sent; None if there is none."""
        self._is_chunked = False
        self.is_sent = False
        """Whether something has been sent, so that the status can't change any more."""
        self.is_finished = False
        self.persists = False
        """Whether the response says that the connection stays open."""

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None, /
    ) -> Callable[[bytes], object]:
        """WSGI's start_response. Raises BrokenResponseError if HTTP doesn't allow it."""
        try:
            if exc_info and exc_info[1] is not None and self.is_sent:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None  # PEP 3333: no circular reference through the traceback
        if not _STATUS.fullmatch(status):
            raise BrokenResponseError(f"not a status: {status!r}")
        self._status = int(status[:3])
        self.has_body = not self._is_head and self._status not in _WITHOUT_BODY
        self._remaining = None
        self._lines = [f"HTTP/1.1 {status}"]
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            self._add(name, value)
        if "date" not in names:
            self._lines.append(_date(int(time.time())))
        if "x-content-type-options" not in names:
            self._lines.append("X-Content-Type-Options: nosniff")
        return self.write

    def write(self, block: bytes) -> None:
        """Sends a block, and the head before the first one. Empty blocks do nothing."""
        if not self._lines:
            raise BrokenResponseError("a block before start_response")
        if not isinstance(block, bytes):
            raise BrokenResponseError(f"a block of {type(block).__name__}, not bytes")
        if not block:
            return
        if self.has_body and self._remaining is not None and len(block) > self._remaining:
            raise BrokenResponseError("more bytes than its Content-Length")
        head = b"" if self.is_sent else self._head()
        self._send(head + self._frame(block) if head else self._frame(block))

    def finish(self) -> None:
        """Ends the response. Raises BrokenResponseError if it is too short."""
        if not self._lines:
            raise BrokenResponseError("no start_response")
        if self.has_body and self._remaining:
            raise BrokenResponseError(f"{self._remaining} bytes short of its Content-Length")
        if not self.is_sent:
            if self.has_body and self._remaining is None:
                self._add("Content-Length", "0")
            self._send(self._head())
        elif self._is_chunked:
            self._send(b"0\r\n\r\n")
        self.is_finished = True

    def fail(self, status: str, reason: str) -> None:
        """Sends an error response, instead of what was started but not sent."""
        text = f"{reason}\n".encode("ascii", "replace")
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(text))),
        ]
        self._may_persist = lambda: False
        self.start(status, headers)
        self.write(text)
        self.finish()

    @property
    def ends_with_connection(self) -> bool:
        """Whether the body ends where the connection ends (HTTP/1.0)."""
        return self.has_body and self._remaining is None and not self._is_chunked

    def _add(self, name: str, value: str) -> None:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BrokenResponseError(f"not a header field: {name!r}: {value!r}")
        lowered = name.lower()
        if lowered in _SERVER_FIELDS:
            return
        if lowered == "content-length":
            if not _LENGTH.fullmatch(value) or self._remaining is not None:
                raise BrokenResponseError("not a Content-Length, or a second one")
            if self._status == HTTPStatus.NO_CONTENT:
                return  # RFC 9110 §8.6
            self._remaining = int(value)
        self._lines.append(f"{name}: {value}")

    def _head(self) -> bytes:
        self._is_chunked = self.has_body and self._remaining is None and self._is_http11
        self.persists = self._may_persist() and not self.ends_with_connection
        lines = self._lines
        if self._is_chunked:
            lines.append("Transfer-Encoding: chunked")
        if not self.persists:
            lines.append("Connection: close")
        elif not self._is_http11:
            lines.append("Connection: keep-alive")
        head = "\r\n".join(lines).encode("latin-1")
        return b"%b\r\nServer: %b\r\n\r\n" % (head, SERVER)

    def _frame(self, block: bytes) -> bytes:
        if not self.has_body:
            return b""
        if self._is_chunked:
            return b"%x\r\n%b\r\n" % (len(block), block)
        if self._remaining is not None:
            self._remaining -= len(block)
        return block

    def _send(self, data: bytes) -> None:
        self.is_sent = True
        try:
            self._writer.write(data)
        except OSError as error:
            raise ClientGoneError(f"the client is gone: {error}") from error


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """The Date field, which is the same for all responses of a second."""
    return f"Date: {formatdate(second, usegmt=True)}"
