"""Heads: what is understood, and what is refused because it could be understood in two ways."""

from collections.abc import Iterable
from typing import Any

import pytest

from davbridge.http.errors import RequestHeadError
from davbridge.http.protocol.request_head import MAX_FIELD_COUNT, RequestHead, RequestHeadParser
from davbridge.http.protocol.streams import LineTooLongError
from tests.support.wire import RawClient, serving

HOST = b"Host: drive.example\r\n"


class Arrived:
    """What has come so far."""

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> None:
        self._data += data

    def take_through(self, end: bytes, limit: int) -> bytes | None:
        found = self._data.find(end, 0, limit)
        return None if found < 0 else self._take(found + len(end))

    def take_line(self, limit: int) -> bytes | None:
        end = self._data.find(b"\n", 0, limit)
        if end >= 0:
            return self._take(end + 1)
        if len(self._data) >= limit:
            raise LineTooLongError
        return None

    def _take(self, length: int) -> bytes:
        taken, self._data = self._data[:length], self._data[length:]
        return taken


def read(pieces: Iterable[bytes]) -> RequestHead | None:
    """As a connection takes it, in these pieces."""
    parser, arrived = RequestHeadParser(), Arrived()
    for piece in pieces:
        arrived.add(piece)
        head = parser.take(arrived)
        if head is not None:
            return head
    return None


def ways(data: bytes) -> list[list[bytes]]:
    """In one piece, line by line, and a byte at a time."""
    return [[data], data.splitlines(keepends=True), [data[at : at + 1] for at in range(len(data))]]


def parse(data: bytes) -> RequestHead:
    """In whichever pieces it comes."""
    heads = [read(way) for way in ways(data)]
    assert heads[0] is not None
    assert heads[1:] == heads[:-1]
    return heads[0]


def refusal(data: bytes) -> str:
    statuses = set()
    for way in ways(data):
        with pytest.raises(RequestHeadError) as caught:
            read(way)
        statuses.add(caught.value.status[:3])
    assert len(statuses) == 1
    return statuses.pop()


def put(*fields: bytes) -> bytes:
    return b"PUT /a HTTP/1.1\r\n" + HOST + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    names = ("REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "QUERY_STRING", "HTTP_HOST")
    text = "\n".join(f"{name}={environ.get(name)}" for name in names)
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode("latin-1")]


SMUGGLING = {
    "both framings": put(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "both framings, other order": put(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "two lengths that differ": put(b"Content-Length: 5", b"Content-Length: 6"),
    "two lengths that agree": put(b"Content-Length: 5", b"Content-Length: 5"),
    "a list of lengths": put(b"Content-Length: 5, 6"),
    "plus in a length": put(b"Content-Length: +5"),
    "underscore in a length": put(b"Content-Length: 1_0"),
    "negative length": put(b"Content-Length: -1"),
    "hexadecimal length": put(b"Content-Length: 0x5"),
    "empty length": put(b"Content-Length:"),
    "endless length": put(b"Content-Length: " + b"9" * 40),
    "non-ASCII digits": put(b"Content-Length: \xef\xbc\x95"),
    "space before the colon": put(b"Transfer-Encoding : chunked"),
    "space before the length's colon": put(b"Content-Length : 5"),
    "unknown coding": put(b"Transfer-Encoding: xchunked"),
    "coding before chunked": put(b"Transfer-Encoding: gzip, chunked"),
    "chunked twice": put(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "identity": put(b"Transfer-Encoding: identity"),
    "vertical tab in a coding": put(b"Transfer-Encoding: \x0bchunked"),
    "folded field": put(b"X: 1", b" Transfer-Encoding: chunked"),
    "folded field with a tab": put(b"X: 1", b"\tmore"),
    "leading blank in the first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "NUL in a value": put(b"X: a\0b"),
    "bare CR in a value": put(b"X: a\rContent-Length: 5"),
    "bare LF after a field": b"GET / HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "no colon": put(b"Content-Length 5"),
    "empty name": put(b": 5"),
    "blank in a name": put(b"Content Length: 5"),
    "non-ASCII in a name": put("Contént-Length: 5".encode()),
    "chunked in HTTP/1.0": b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a path in the host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a user in the host": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "two destinations": put(b"Destination: /x", b"Destination: /y"),
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "strange version": b"GET / HTTP/+1.1\r\n" + HOST + b"\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "blank in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "control in the target": b"GET /a\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "relative target": b"GET a HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk without OPTIONS": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "another scheme": b"GET ftp://a/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("data", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_an_ambiguous_head_is_refused(data: bytes) -> None:
    """RFC 9112 §5.1, §6.1, §6.3."""
    assert refusal(data) == "400"


@pytest.mark.parametrize("data", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_bytes_after_a_refused_head_are_never_served(data: bytes) -> None:
    served = []

    def remember(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        served.append(environ["REQUEST_URI"])
        return app(environ, start_response)

    with serving(remember) as server, RawClient(server.port) as client:
        answer = client.ask(data + b"DELETE /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (answer.status, answer.closes) == (400, True)
        client.finish_sending()
        assert client.at_end()
    assert served == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", "505"),
        (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", "501"),
        (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "414"),
        (put(b"X: " + b"a" * 40000), "431"),
        (put(*[b"X: " + b"a" * 1000] * 40), "431"),
        (put(*[b"X: y"] * MAX_FIELD_COUNT), "431"),
        (put(*[b"X%d: y" % number for number in range(MAX_FIELD_COUNT)]), "431"),
        (put(b"Expect: 200-ok"), "417"),
    ],
)
def test_a_head_beyond_a_limit_gets_its_own_status(data: bytes, status: str) -> None:
    """RFC 9110 §15.5.15; RFC 6585 §5."""
    assert refusal(data) == status


def test_a_head_without_end_is_cut_off_at_the_limit() -> None:
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)
        assert (answer.status, answer.closes) == (431, True)


def test_fields_are_lower_case_trimmed_and_joined() -> None:
    """RFC 9110 §5.1, §5.3, §5.5."""
    head = parse(put(b"Accept: a", b"ACCEPT:\t b \t", b"Empty:"))
    assert head.fields[b"accept"] == b"a, b"
    assert head.fields[b"empty"] == b""


def test_a_long_run_of_blanks_is_parsed_in_linear_time() -> None:
    assert parse(put(b"X:" + b" " * 30_000 + b"y")).fields[b"x"] == b"y"


def test_one_empty_line_before_a_request_is_ignored() -> None:
    """RFC 9112 §2.2."""
    assert parse(b"\r\n" + put()).method == b"PUT"


def test_an_incomplete_head_is_not_parsed_yet() -> None:
    for end in (0, 1, 5, 30, len(put()) - 1):
        assert read([put()[:end]]) is None


def test_heads_in_one_piece_are_taken_one_after_the_other() -> None:
    parser, arrived = RequestHeadParser(), Arrived()
    arrived.add(put(b"X: 1") + put(b"X: 2")[:-3])
    first, second = parser.take(arrived), parser.take(arrived)
    assert first is not None
    assert first.fields[b"x"] == b"1"
    assert second is None
    arrived.add(b"\n\r\n")
    third = parser.take(arrived)
    assert third is not None
    assert third.fields[b"x"] == b"2"


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ((), 0),
        ((b"Content-Length: 0",), 0),
        ((b"Content-Length: 007",), 7),
        ((b"Transfer-Encoding: Chunked",), None),
    ],
)
def test_the_body_s_length_is_in_the_head(fields: tuple[bytes], length: int | None) -> None:
    assert parse(put(*fields)).length == length


@pytest.mark.parametrize(
    ("line", "fields", "closes"),
    [
        (b"GET / HTTP/1.1", b"", False),
        (b"GET / HTTP/1.1", b"Connection: TE, Close\r\n", True),
        (b"GET / HTTP/1.0", b"", True),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", False),
    ],
)
def test_version_and_connection_field_say_whether_the_connection_closes(
    line: bytes, fields: bytes, closes: bool
) -> None:
    """RFC 9112 §9.3."""
    assert parse(line + b"\r\n" + HOST + fields + b"\r\n").wants_close is closes


@pytest.mark.parametrize(
    ("target", "uri", "path", "query", "host"),
    [
        (b"/a/b?c=d&e", "/a/b?c=d&e", "/a/b", "c=d&e", "drive.example"),
        (b"//x/y", "//x/y", "//x/y", "", "drive.example"),
        (b"/%2F%252F%20%C3%A4", "/%2F%252F%20%C3%A4", "/%2F%2F \xc3\xa4", "", "drive.example"),
        (b"/a%2fb", "/a%2fb", "/a%2Fb", "", "drive.example"),
        ("/ä".encode(), "/\xc3\xa4", "/\xc3\xa4", "", "drive.example"),
        (b"/%zz%", "/%zz%", "/%zz%", "", "drive.example"),
        (b"/a;b[1]|^", "/a;b[1]|^", "/a;b[1]|^", "", "drive.example"),
        (b"http://other:8080/a?b", "http://other:8080/a?b", "/a", "b", "other:8080"),
        (b"HTTPS://other?b", "HTTPS://other?b", "/", "b", "other"),
        (b"/http://a/../b", "/http://a/../b", "/http://a/../b", "", "drive.example"),
    ],
)
def test_the_target_reaches_the_application_untouched(
    target: bytes, uri: str, path: str, query: str, host: str
) -> None:
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    expected = ["REQUEST_METHOD=GET", f"REQUEST_URI={uri}", f"PATH_INFO={path}"]
    assert answer.body.decode("latin-1").split("\n") == [
        *expected,
        f"QUERY_STRING={query}",
        f"HTTP_HOST={host}",
    ]


def test_options_asterisk_is_asked_of_the_root() -> None:
    """RFC 9112 §3.2.4."""
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"REQUEST_URI=*\nPATH_INFO=/\n" in answer.body


def test_a_field_with_an_underscore_stands_in_for_no_other() -> None:
    seen: dict[str, Any] = {}

    def remember(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return app(environ, start_response)

    with serving(remember) as server, RawClient(server.port) as client:
        client.ask(put(b"Content_Length: 9", b"Remote_User: root", b"X-Fine: 1"))
    assert "CONTENT_LENGTH" not in seen
    assert "HTTP_REMOTE_USER" not in seen
    assert seen["HTTP_X_FINE"] == "1"


def test_a_slow_head_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 §15.5.9."""
    monkeypatch.setattr("davbridge.http.protocol.request_reader.HEAD_SECONDS", 0.3)
    with serving(app) as server, RawClient(server.port) as client:
        answer = client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert (answer.status, answer.closes) == (408, True)


def test_a_head_that_trickles_in_gets_408_however_steadily(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("davbridge.http.protocol.request_reader.HEAD_SECONDS", 0.5)
    with serving(app) as server, RawClient(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        while client.is_silent(0.05):
            client.send(b"y")
        assert client.answer().status == 408


def test_a_head_that_comes_byte_by_byte_is_served() -> None:
    with serving(app) as server, RawClient(server.port) as client:
        for _ in range(2):
            for byte in put(b"X: 1"):
                client.send(bytes([byte]))
            assert client.answer().status == 200


def test_a_client_that_closes_in_its_head_gets_400() -> None:
    with serving(app) as server, RawClient(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        client.finish_sending()
        assert client.answer().status == 400


@pytest.mark.parametrize("method", [b"PUT", b"POST", b"PROPPATCH"])
@pytest.mark.parametrize("field", [b"", b"Connection: keep-alive\r\n"])
def test_a_body_without_a_length_in_http_1_0_is_refused(method: bytes, field: bytes) -> None:
    """RFC 1945 §7.2.2, RFC 9110 §15.5.12."""
    assert refusal(method + b" /f HTTP/1.0\r\n" + field + b"\r\n") == "411"


@pytest.mark.parametrize(
    "head",
    [
        b"PUT /f HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        b"PUT /f HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PROPFIND /f HTTP/1.0\r\n\r\n",
        b"MKCOL /f HTTP/1.0\r\n\r\n",
    ],
)
def test_a_request_without_a_body_needs_no_length(head: bytes) -> None:
    """RFC 9112 §6.3: without both fields, an HTTP/1.1 request has no body."""
    assert parse(head).length == 0
