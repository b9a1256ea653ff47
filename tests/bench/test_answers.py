"""The checks let right answers pass, and wrong ones not."""

import pytest

from tests.bench.answers import (
    WrongAnswerError,
    expect_bytes,
    expect_listing,
    expect_status,
)
from tests.bench.wire import Answer, dechunked


def answer(body: str, status: int = 207) -> Answer:
    return Answer(status, {}, body.encode(), 0.0, 1.0, 2.0)


def response(href: str, prop: str, status: str = "HTTP/1.1 200 OK") -> str:
    return (
        f"<D:response><D:href>{href}</D:href><D:propstat><D:prop>{prop}</D:prop>"
        f"<D:status>{status}</D:status></D:propstat></D:response>"
    )


def file(href: str, size: int) -> str:
    return response(href, f"<D:getcontentlength>{size}</D:getcontentlength>")


FOLDER = response("/d/", "<D:resourcetype><D:collection/></D:resourcetype>")
SUB = response("http://h/d/s%20b/", "<D:resourcetype><D:collection/></D:resourcetype>")
EXPECTED = {"a.txt": 5, "s b": None}


def listing(*responses: str) -> Answer:
    return answer(f'<D:multistatus xmlns:D="DAV:">{"".join(responses)}</D:multistatus>')


def test_a_right_listing_passes() -> None:
    expect_listing(listing(FOLDER, file("/d/a.txt", 5), SUB), "/d", EXPECTED)


@pytest.mark.parametrize(
    "wrong",
    [
        listing(FOLDER, SUB),
        listing(FOLDER, file("/d/a.txt", 6), SUB),
        listing(FOLDER, file("/d/a.txt", 5), SUB, file("/d/b.txt", 5)),
        listing(FOLDER, file("/d/a.txt", 5), file("/d/a.txt", 5), SUB),
        listing(FOLDER, file("/d/a.txt", 5), file("/d/s%20b", 0)),
        listing(file("/d/a.txt", 5), SUB),
        listing(FOLDER, response("/d/a.txt", "", "HTTP/1.1 404 Not Found"), SUB),
        answer("<D:multistatus"),
        answer("", 500),
    ],
)
def test_a_wrong_listing_does_not_pass(wrong: Answer) -> None:
    with pytest.raises(WrongAnswerError):
        expect_listing(wrong, "/d", EXPECTED)


def test_other_bytes_and_other_statuses_are_wrong() -> None:
    expect_bytes(memoryview(b"abc"), b"abc", "GET")
    expect_status(answer("", 201), (201, 204), "PUT")
    with pytest.raises(WrongAnswerError):
        expect_bytes(b"abd", b"abc", "GET")
    with pytest.raises(WrongAnswerError):
        expect_status(answer("", 507), (201, 204), "PUT")


def test_a_chunked_body_is_read_whole_or_not_at_all() -> None:
    assert dechunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n") == b"abcde"
    # The end's five bytes, inside a chunk.
    cut = b"7\r\nab0\r\n\r\n"
    assert cut.endswith(b"0\r\n\r\n")
    assert dechunked(cut) is None
    assert dechunked(cut + b"\r\n0\r\n\r\n") == b"ab0\r\n\r\n"
