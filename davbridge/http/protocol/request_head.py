"""The head of a request: its request line and header fields, parsed strictly (RFC 9112 §3, §5).

Also finds out how long the body is (§6).

Invariant: a head that another parser could understand in another way (the root of request
smuggling, §11.2) is refused with RequestHeadError, never repaired.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from davbridge.http.errors import RequestHeadError
from davbridge.http.protocol.streams import LineTooLongError

MAX_REQUEST_LINE = 16 * 1024
"""Bytes. Five times as long as a key of 1,024 bytes that is all percent-encoded."""

MAX_FIELDS = 32 * 1024
"""Bytes of all header fields together. A client that never ends them can't use more memory."""

MAX_FIELD_COUNT = 200
"""A client behind three proxies sends about 40."""

SINGLE_FIELDS = frozenset(
    b"authorization content-length content-range content-type depth destination host if "
    b"if-modified-since if-range if-unmodified-since lock-token overwrite range".split()
)
"""Fields that aren't lists. A second one is an error (RFC 9110 §5.3)."""

BODY_METHODS = frozenset((b"PUT", b"POST", b"PATCH", b"PROPPATCH"))
"""Methods that always have a body. In HTTP/1.0, it needs a Content-Length (RFC 1945 §7.2.2)."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%s) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])\r\n" % _TOKEN)
_FIELD = rb"%s:[\t -~\x80-\xff]*\r\n" % _TOKEN
_FIELD_LINE = re.compile(_FIELD)
_FIELDS = re.compile(rb"(?:%s)*+\r\n" % _FIELD)
_END = b"\r\n\r\n"
_HOST = re.compile(rb"[0-9A-Za-z.:_~%!$&()*+,;=\[\]-]*")
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)([^#]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")


class HeadSource(Protocol):
    """The bytes that have been received. Methods return None for what isn't there yet."""

    def take_through(self, end: bytes, limit: int) -> bytes | None: ...

    def take_line(self, limit: int) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A well-formed head. Field names are in lower case."""

    method: bytes
    target: bytes
    """As it was sent."""
    path: bytes
    """The target's path, percent-encoded as it was sent."""
    query: bytes
    is_http11: bool
    fields: dict[bytes, bytes]
    length: int | None
    """Bytes of the body; None if it is chunked."""

    @property
    def wants_continue(self) -> bool:
        """Whether the client waits for 100 before it sends the body (RFC 9110 §10.1.1)."""
        return self.is_http11 and b"expect" in self.fields and self.length != 0

    @property
    def wants_close(self) -> bool:
        """Whether this is the last request of its connection (RFC 9112 §9.3)."""
        value = self.fields.get(b"connection", b"").lower()
        options = [each.strip() for each in value.split(b",")]
        return b"close" in options if self.is_http11 else b"keep-alive" not in options


class RequestHeadParser:
    """Parses one head after another, in whatever pieces they arrive."""

    def __init__(self) -> None:
        self._request_line: re.Match[bytes] | None = None
        self._may_skip = True
        self._fields = bytearray()

    @property
    def has_begun(self) -> bool:
        """Whether the request line has been taken, and the fields not yet."""
        return self._request_line is not None

    def take(self, source: HeadSource) -> RequestHead | None:
        """The next head; None if it isn't all there yet. Nearly every head arrives in one piece.
        Raises RequestHeadError at the first malformed line."""
        if self._request_line is None:
            whole = source.take_through(_END, MAX_REQUEST_LINE) if self._may_skip else None
            if whole is not None:
                line, end, fields = whole.removeprefix(b"\r\n").partition(b"\r\n")
                return _head(_parse_request_line(line + end), fields)
            self._request_line = self._take_request_line(source)
        if self._request_line is None or not self._take_fields(source):
            return None
        head = _head(self._request_line, bytes(self._fields))
        self._request_line, self._may_skip = None, True
        self._fields.clear()
        return head

    def _take_request_line(self, source: HeadSource) -> re.Match[bytes] | None:
        try:
            line = source.take_line(MAX_REQUEST_LINE)
            if line == b"\r\n" and self._may_skip:
                # RFC 9112 §2.2: one empty line before a request is to be ignored.
                self._may_skip = False
                line = source.take_line(MAX_REQUEST_LINE)
        except LineTooLongError as error:
            raise RequestHeadError("414 URI Too Long", "the request line is too long") from error
        return None if line is None else _parse_request_line(line)

    def _take_fields(self, source: HeadSource) -> bool:
        """Whether all field lines are there, through the empty one."""
        try:
            while (line := source.take_line(MAX_FIELDS - len(self._fields))) is not None:
                self._fields += line
                if line == b"\r\n":
                    return True
                if not _FIELD_LINE.fullmatch(line):
                    raise _malformed_field()
        except LineTooLongError as error:
            raise _too_large() from error
        return False


def _parse_request_line(line: bytes) -> re.Match[bytes]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RequestHeadError("400 Bad Request", "malformed request line")
    if match[3] != b"1":
        raise RequestHeadError("505 HTTP Version Not Supported", "this server speaks HTTP/1.1")
    return match


def _head(request_line: re.Match[bytes], field_lines: bytes) -> RequestHead:
    method, target, _, minor = request_line.groups()
    is_http11 = minor != b"0"
    authority, path, query = split_target(method, target)
    fields = parse_fields(field_lines)
    if is_http11 and b"host" not in fields:
        raise RequestHeadError("400 Bad Request", "a Host header is needed")
    if authority:
        # RFC 9112 §3.2.2: the target's authority replaces the Host header.
        fields[b"host"] = authority
    _check(fields)
    length = _length(method, fields, is_http11)
    return RequestHead(method, target, path, query, is_http11, fields, length)


def split_target(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
    """Authority (empty in origin form), path and query of a request target (RFC 9112 §3.2)."""
    if method == b"CONNECT":
        raise RequestHeadError("501 Not Implemented", "this server is no proxy")
    if target == b"*" and method == b"OPTIONS":
        return b"", b"/", b""
    authority = b""
    if match := _ABSOLUTE.fullmatch(target):
        authority, target = match.groups()
        target = target if target.startswith(b"/") else b"/" + target
    if not target.startswith(b"/") or b"#" in target:
        raise RequestHeadError("400 Bad Request", "malformed request target")
    path, _, query = target.partition(b"?")
    return authority, path, query


def parse_fields(lines: bytes) -> dict[bytes, bytes]:
    """Values by lower-case names, of field lines through the empty one. No folding, no space
    before the colon."""
    if not _FIELDS.fullmatch(lines):
        raise _malformed_field()
    if lines.count(b"\n") > MAX_FIELD_COUNT + 1:
        raise _too_large()
    fields: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n")[:-2]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if name not in fields:
            fields[name] = value
        elif name in SINGLE_FIELDS:
            raise RequestHeadError("400 Bad Request", f"two {name.decode()} headers")
        else:
            fields[name] += b", " + value
    return fields


def is_field(line: bytes) -> bool:
    """Whether ``line``, with its end, is a well-formed field."""
    return _FIELD_LINE.fullmatch(line) is not None


def _malformed_field() -> RequestHeadError:
    return RequestHeadError("400 Bad Request", "malformed header field")


def _too_large() -> RequestHeadError:
    return RequestHeadError("431 Request Header Fields Too Large", "the headers are too long")


def _check(fields: dict[bytes, bytes]) -> None:
    if not _HOST.fullmatch(fields.get(b"host", b"")):
        raise RequestHeadError("400 Bad Request", "malformed Host header")
    if fields.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise RequestHeadError("417 Expectation Failed", "only 100-continue can be expected")


def _length(method: bytes, fields: dict[bytes, bytes], is_http11: bool) -> int | None:
    """RFC 9112 §6.3. In HTTP/1.0, a body may also end where the connection ends: an upload would
    look empty, or as if it were whole wherever it is cut."""
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if coding is None:
        if length is None:
            if method in BODY_METHODS and not is_http11:
                raise RequestHeadError("411 Length Required", "a Content-Length is needed")
            return 0
        if not _LENGTH.fullmatch(length):
            raise RequestHeadError("400 Bad Request", "malformed Content-Length")
        return int(length)
    if length is not None:
        raise RequestHeadError("400 Bad Request", "Content-Length beside Transfer-Encoding")
    if not is_http11:
        raise RequestHeadError("400 Bad Request", "Transfer-Encoding in HTTP/1.0")
    if coding.lower() != b"chunked":
        raise RequestHeadError("400 Bad Request", "the only Transfer-Encoding is chunked")
    return None
