"""One keep-alive connection to a server, which costs the machine little and tells times.

What http.client would spend on an answer of some MiB is more than a good server does. An answer is
timed when its last byte is there; its framing is read after that.
"""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_READ = 1 << 20

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: dict[str, str]
    """Names are in lower case."""
    body: bytes
    """Empty where it was read into a buffer of the caller's."""
    started_at: float
    first_byte_at: float
    """When the body began to come."""
    ended_at: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.started_at


class Connection:
    """Not for several threads at a time."""

    def __init__(self, port: int, timeout: float = 1200.0) -> None:
        self._host = f"127.0.0.1:{port}"
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | memoryview = b"",
        headers: Headers | None = None,
        *,
        repeat: int = 1,
        into: memoryview | None = None,
    ) -> Answer:
        """Sends a request, its body ``repeat`` times over, and reads the answer.

        Its body goes into ``into``, if that is given.
        """
        sent = request(self._host, method, target, len(body) * repeat, headers or {})
        started_at = time.monotonic()
        if len(body) <= _READ:
            sent, body = sent + body, b""
        self._socket.sendall(sent)
        for _ in range(repeat):
            self._socket.sendall(body)
        status, fields, rest = self._head()
        if method == "HEAD" or status in (204, 304):
            now = time.monotonic()
            return Answer(status, fields, b"", started_at, now, now)
        if not rest and fields.get("content-length") != "0":
            rest += self._receive()
        first_byte_at = time.monotonic()
        content = self._body(fields, rest, into)
        return Answer(status, fields, content[0], started_at, first_byte_at, content[1])

    def _receive(self) -> bytes:
        data = self._socket.recv(_READ)
        if not data:
            raise OSError("the server closed the connection in mid-answer")
        return data

    def _head(self) -> tuple[int, dict[str, str], bytearray]:
        got = bytearray()
        while (end := got.find(_HEAD_END)) < 0:
            got += self._receive()
        status, fields = parse_head(bytes(got[:end]))
        del got[: end + len(_HEAD_END)]
        return status, fields, got

    def _body(
        self, fields: dict[str, str], rest: bytearray, into: memoryview | None
    ) -> tuple[bytes, float]:
        if "chunked" in fields.get("transfer-encoding", ""):
            return self._chunked(rest)
        length = int(fields["content-length"])
        if into is not None:
            return b"", self._fill(rest, into[:length])
        while len(rest) < length:
            rest += self._receive()
        return bytes(rest), time.monotonic()

    def _fill(self, rest: bytearray, into: memoryview) -> float:
        into[: len(rest)] = rest
        filled = len(rest)
        while filled < len(into):
            count = self._socket.recv_into(into[filled : filled + _READ])
            if not count:
                raise OSError("the server closed the connection in mid-answer")
            filled += count
        return time.monotonic()

    def _chunked(self, got: bytearray) -> tuple[bytes, float]:
        while True:
            while not got.endswith(b"0\r\n\r\n"):
                got += self._receive()
            ended_at = time.monotonic()
            # Only nearly always the end: a body may hold those bytes, too.
            body = dechunked(bytes(got))
            if body is not None:
                return body, ended_at
            got += self._receive()


def request(host: str, method: str, target: str, length: int, headers: Headers) -> bytes:
    """The head of a request, as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if length or method in ("PUT", "PROPFIND"):
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of a response."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}


_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")


def dechunked(wire: bytes) -> bytes | None:
    """The content of a chunked body; None where it isn't complete."""
    parts: list[bytes] = []
    at = 0
    while head := _CHUNK.match(wire, at):
        size = int(head[1], 16)
        if size == 0:
            return b"".join(parts) if len(wire) == head.end() + 2 else None
        at = head.end() + size + 2
        parts.append(wire[head.end() : at - 2])
    return None
