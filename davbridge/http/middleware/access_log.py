"""The access log: one line per request.

Invariant: nothing that a client sends can begin a line, or end a field, of the log.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HARMLESS = re.compile(r"[!#-\[\]-~]*")
"""Matches nearly all names, methods and targets, which need no escaping."""

_log = logging.getLogger("davbridge.http.access")


class AccessLog:
    """WSGI middleware. Wraps the login as well, so that refused logins are logged."""

    def __init__(
        self, app: WSGIApplication, *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._timer = timer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not _log.isEnabledFor(logging.INFO):
            return self._app(environ, start_response)
        record = _Record(environ, self._timer)
        try:
            blocks = self._app(environ, record.recording(start_response))
        except BaseException:
            record.write()
            raise
        return _LoggedBlocks(blocks, record)


class _Record:
    """The fields of one request's line, as far as they are known."""

    def __init__(self, environ: WSGIEnvironment, timer: Callable[[], float]) -> None:
        self._environ = environ
        self._timer = timer
        self._begin = timer()
        self._status = "-"
        self.sent = 0
        self.has_failed = False
        """Whether the application failed, so that the client did not get its status."""

    def recording(self, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            self._status = status[:3]
            write = start_response(status, headers, *rest)

            def counted(block: bytes) -> object:
                self.sent += len(block)
                return write(block)

            return counted

        return start

    def write(self) -> None:
        environ = self._environ
        address, user = environ.get("REMOTE_ADDR") or "-", environ.get("REMOTE_USER") or "-"
        method, target = environ["REQUEST_METHOD"], environ["REQUEST_URI"]
        status = "-" if self.has_failed else self._status
        seconds = self._timer() - self._begin
        fields = {
            "address": address,
            "user": user,
            "method": method,
            "path": target,
            "status": int(status) if status.isdecimal() else None,
            "bytes": self.sent,
            "duration": round(seconds, 6),
        }
        _log.info(
            '%s %s "%s %s" %s %d %.3f',
            address,
            printable(user),
            printable(method),
            printable(target),
            status,
            self.sent,
            seconds,
            extra={"fields": fields},
        )


class _LoggedBlocks:
    """The blocks of a response. `close` writes the line."""

    def __init__(self, blocks: Iterable[bytes], record: _Record) -> None:
        self._blocks = blocks
        self._record = record

    def __iter__(self) -> Iterator[bytes]:
        record = self._record
        record.has_failed = True  # until the application has given a block, or ended
        for block in self._blocks:
            record.sent += len(block)
            record.has_failed = False
            yield block
            record.has_failed = True
        record.has_failed = False

    def close(self) -> None:
        try:
            close = getattr(self._blocks, "close", None)
            if close is not None:
                close()
        finally:
            self._record.write()


def printable(text: str) -> str:
    """``text`` with every quote, blank, backslash and unprintable character escaped."""
    if _HARMLESS.fullmatch(text):
        return text
    return "".join(
        char if char.isprintable() and char not in ' "\\' else _escaped(char) for char in text
    )


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}" if char.isascii() else char.encode("unicode_escape").decode()
