"""Answers as servers send them, whole and broken."""

from http.client import HTTPException
from io import BytesIO

import pytest

from davbridge.store.s3.transport.http_response import (
    ResponseBody,
    ResponseHead,
    read_response_head,
)

OK = b"HTTP/1.1 200 OK\r\n"


class Ends:
    """Counts the ends of bodies."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def opened(answer: bytes, *, is_head: bool = False) -> tuple[ResponseHead, ResponseBody, Ends]:
    file, ends = BytesIO(answer), Ends()
    head = read_response_head(file)
    return head, ResponseBody(file, head, is_head=is_head, at_end=ends), ends


def test_a_head_has_its_status_and_headers_in_lower_case() -> None:
    head, _, _ = opened(OK + b'ETag:  "a b" \r\nX-Amz-Meta-N: \xe9\r\nVia: 1\r\nvia: 2\r\n\r\n')
    assert head.status == 200
    assert head.headers == {"etag": '"a b"', "x-amz-meta-n": "é", "via": "1, 2"}


def test_interim_answers_are_ignored() -> None:
    head, _, _ = opened(b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert head == ResponseHead("HTTP/1.1", 204, {})


@pytest.mark.parametrize(
    ("answer", "keeps"),
    [
        (OK, True),
        (OK + b"Connection: Close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_a_connection_is_kept_where_the_server_keeps_it(answer: bytes, keeps: bool) -> None:
    head, _, _ = opened(answer + b"\r\n")
    assert head.keeps_alive is keeps


@pytest.mark.parametrize("size", [1, 3, 4, 100])
@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 7\r\n\r\ncontent" + b"HTTP/1.1 the next",
        OK
        + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\ncon\r\n4\r\ntent\r\n0\r\nT: 1\r\n\r\nHTTP",
        OK + b"\r\ncontent",
    ],
    ids=["counted", "chunked", "to-the-end"],
)
def test_a_body_ends_where_it_says(answer: bytes, size: int) -> None:
    _, body, ends = opened(answer)
    blocks = list(iter(lambda: body.read(size), b""))
    assert b"".join(blocks) == b"content"
    assert max(map(len, blocks)) <= size
    assert body.is_through
    assert ends.count == 1
    _, again, ends = opened(answer)
    assert again.read_all(1000) == b"content"
    assert ends.count == 1


@pytest.mark.parametrize(
    ("answer", "is_head"),
    [
        (OK + b"Content-Length: 7\r\n\r\n", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", False),
        (OK + b"Content-Length: 0\r\n\r\n", False),
    ],
)
def test_an_answer_without_a_body_ends_at_once(answer: bytes, is_head: bool) -> None:
    _, body, ends = opened(answer, is_head=is_head)
    assert body.is_through
    assert ends.count == 1
    assert body.read_all(1000) == body.read(10) == b""


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 8\r\n\r\ncontent",
        OK + b"Transfer-Encoding: chunked\r\n\r\n8\r\ncontent",
        OK + b"Transfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\ncontent\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\ncontent\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-7\r\ncontent\r\n0\r\n\r\n",
    ],
)
def test_a_body_that_is_cut_short_or_broken_raises(answer: bytes) -> None:
    _, body, ends = opened(answer)
    with pytest.raises(HTTPException):
        body.read_all(1000)
    _, body, ends = opened(answer)
    with pytest.raises(HTTPException):
        list(iter(lambda: body.read(3), b""))
    assert ends.count == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 2xx OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        OK,
        OK + b"A: b\r\n",
        OK + b"no header\r\n\r\n",
        OK + b"A: b\r\n folded\r\n\r\n",
        OK + b"A : b\r\n\r\n",
        OK + b"Content-Length: many\r\n\r\n",
        OK + b"Content-Length: 1, 2\r\n\r\nab",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
        OK + b"A: b\r\n" * 300 + b"\r\n",
        OK + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
    ],
)
def test_bytes_that_are_no_answer_raise(answer: bytes) -> None:
    with pytest.raises(HTTPException):
        opened(answer)
