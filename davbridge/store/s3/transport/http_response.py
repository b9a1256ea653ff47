"""One HTTP/1.1 response, read as it arrives: its head, and its body, whose end is known by its
length, by chunks, or by the end of the connection (RFC 9112 §6.3).

http.client takes four times as much processor time, and urllib3 seven times: they parse headers as
an e-mail's.

Invariants: names of headers are in lower case; a body that ends before its announced length, or
before its last chunk, raises; `at_end` is called once, when the whole body has been read, and never
after a failure or an early `close`.
"""

from collections.abc import Callable
from http.client import BadStatusLine, HTTPException, IncompleteRead, LineTooLong
from typing import BinaryIO, NamedTuple

MAX_LINE = 65536

MAX_HEADERS = 200

MAX_INTERIM = 10
"""Interim responses before the final one."""


class ResponseHead(NamedTuple):
    """A response without its body."""

    version: str
    status: int
    headers: dict[str, str]

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection can be used for another request (RFC 9112 §9.3)."""
        options = self.headers.get("connection", "").lower()
        return "close" not in options if self.version == "HTTP/1.1" else "keep-alive" in options

    @property
    def is_chunked(self) -> bool:
        """Raises HTTPException for an unrequested content coding, which would change the bytes."""
        coding = self.headers.get("transfer-encoding", "").lower()
        if coding not in ("", "chunked"):
            raise HTTPException(f"an unknown coding: {coding[:80]!r}")
        return bool(coding)


def read_response_head(file: BinaryIO) -> ResponseHead:
    """The head of the final response. Raises HTTPException, and OSError."""
    for _ in range(MAX_INTERIM):
        version, status = _status(_line(file))
        headers = _headers(file)
        if status >= 200:  # those before are interim (RFC 9110 §15.2)
            return ResponseHead(version, status, headers)
    raise HTTPException("an answer that never comes")


class ResponseBody:
    """The body that follows ``head``. Raises HTTPException if it is incomplete."""

    def __init__(
        self, file: BinaryIO, head: ResponseHead, *, is_head: bool, at_end: Callable[[], None]
    ) -> None:
        self._file = file
        self._at_end = at_end
        self._is_chunked = False
        self._left: int | None = None
        """The bytes that are missing, of the chunk or of the whole; None: until the connection
        ends."""
        if is_head or head.status in (204, 304):
            self._left = 0
        elif head.is_chunked:
            self._is_chunked = True
            self._left = 0
        elif "content-length" in head.headers:
            self._left = _number(head.headers["content-length"], 10)
        self._is_through = False
        if self._left == 0 and not self._is_chunked:
            self._end()

    @property
    def is_through(self) -> bool:
        return self._is_through

    def read(self, size: int) -> bytes:
        """The next bytes, ``size`` of them or fewer; ``b""`` only at the end."""
        if self._is_through or size == 0:
            return b""
        if self._is_chunked:
            return self._read_chunk(size)
        if self._left is None:
            data = self._file.read(size)
            if len(data) < size or size < 0:
                self._end()
            return data
        return self._read_counted(size)

    def read_all(self, most: int) -> bytes:
        """The rest; if that is more than ``most`` bytes, one byte more than ``most``."""
        blocks, room = [], most + 1
        while room and (block := self.read(room)):
            blocks.append(block)
            room -= len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def _read_counted(self, size: int) -> bytes:
        assert self._left is not None
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        if self._left == 0 and not self._is_chunked:
            self._end()
        elif not data:
            raise IncompleteRead(b"", self._left)
        return data

    def _read_chunk(self, size: int) -> bytes:
        if self._left == 0:
            self._left = _number(_line(self._file).partition(b";")[0].decode("latin-1"), 16)
            if self._left == 0:
                _headers(self._file)  # the trailer section
                self._end()
                return b""
        data = self._read_counted(size)
        if self._left == 0 and _line(self._file) != b"":
            raise BadStatusLine("a chunk is longer than it said")
        return data

    def _end(self) -> None:
        self._is_through = True
        self._at_end()


def _line(file: BinaryIO) -> bytes:
    line = file.readline(MAX_LINE + 1)
    if line.endswith(b"\n"):
        return line.rstrip(b"\r\n")
    raise _incomplete(line)


def _incomplete(line: bytes) -> HTTPException:
    return LineTooLong("line") if len(line) > MAX_LINE else IncompleteRead(line)


def _status(line: bytes) -> tuple[str, int]:
    version, _, rest = line.decode("latin-1").partition(" ")
    status = rest[:3]
    if not (version.startswith("HTTP/1.") and status.isdecimal() and len(status) == 3):
        raise BadStatusLine(repr(line[:80]))
    return version, int(status)


def _headers(file: BinaryIO) -> dict[str, str]:
    # Half of the time for a response is spent here: hence no call for each line.
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = file.readline(MAX_LINE + 1)
        if line in (b"\r\n", b"\n"):
            return headers
        if line[-1:] != b"\n":
            raise _incomplete(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name != name.strip():
            raise BadStatusLine(f"no header: {line[:80]!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    raise HTTPException("too many headers")


def _number(text: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise BadStatusLine(f"no length: {text[:80]!r}")
    return number
