"""A server on loopback for the time of a test, and a client that speaks bytes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from wsgiref.types import WSGIApplication

from davbridge.config import ServerSettings
from davbridge.http.server import HttpServer
from tests.support.sockets import reset_at_close
from tests.support.waiting import FOREVER, PATIENCE


@contextlib.contextmanager
def serving(app: WSGIApplication, **settings: Any) -> Iterator[HttpServer]:
    """``app`` on a free port of loopback, with few threads. It bears clients that say nothing."""
    defaults: dict[str, Any] = {
        "port": 0,
        "threads": 4,
        "timeout": FOREVER,
        "shutdown_timeout": 2.0,
    }
    server = HttpServer(app, ServerSettings(**(defaults | settings)))
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it was on the wire. Field names are lower case."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.fields.get("connection", "").lower() == "close"


class RawClient:
    """One connection that sends what it is told, well-formed or not."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes, *, is_head: bool = False) -> Answer:
        self.send(data)
        return self.answer(is_head=is_head)

    def answer(self, *, is_head: bool = False) -> Answer:
        """The next response. Raises ConnectionError where it is cut short."""
        status = int(self._line().split()[1])
        fields: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        if is_head or status in (100, 204, 304):
            return Answer(status, fields, b"")
        if "transfer-encoding" in fields:
            return Answer(status, fields, b"".join(self._chunks()))
        if "content-length" in fields:
            return Answer(status, fields, self._exactly(int(fields["content-length"])))
        return Answer(status, fields, self._file.read())

    def at_end(self) -> bool:
        """Whether the server has closed, with nothing left to read. Waits for either."""
        try:
            return not self._file.read(1)
        except ConnectionResetError:
            return True

    def is_silent(self, seconds: float) -> bool:
        """Whether the server sends nothing, and doesn't close, for a while."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False

    def finish_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with RST instead of FIN."""
        reset_at_close(self.socket)
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"cut short in a line: {line!r}")
        return line[:-2].decode("latin-1")

    def _exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise ConnectionError(f"cut short after {len(data)} of {length} bytes")
        return data

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line(), 16):
            yield self._exactly(size)
            assert self._line() == ""
        assert self._line() == ""
