"""Answers that no S3 store gives: errors, and neither crashes, wrong listings nor much memory."""

from itertools import islice

import pytest

from davbridge.dav.errors import answer_status
from davbridge.errors import StoreError, UnavailableError
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from tests.support.canned import ENTRY, LISTING, OPERATIONS, ROW
from tests.support.memory import peak_of
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, once

HEADERS = {"ETag": '"e"', "Last-Modified": "Sun, 22 Nov 2026 16:42:57 GMT"}
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><ListBucketResult>&b;'
NO_ROWS = LISTING(rows="").encode()
MIB = 1024**2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200),
        Answer(200, b"<html><body>Welcome! Log in <a href='/'>here</a>.</body></html>"),
        Answer(200, b'{"it": "works"}'),
        Answer(200, b"\x00\xff" * 1000),
        Answer(200, b"<Error><Code>SlowDown</Code></Error>"),
        Answer(200, b"<html>Log in</html>", {"ETag": '"e"', "Content-Type": "text/html"}),
        Answer(200, b"<Error><Code>InternalError</Code></Error>", {"ETag": '"e"'}),
        Answer(200, LAUGHS),
        Answer(200, b"<a>" * 100_000),
        Answer(200, b"<a" + b" b='c'" * 100_000 + b"/>"),
        Answer(200, b"short", {**HEADERS, "Content-Length": "-1"}),
        Answer(200, b"short", {**HEADERS, "Content-Length": "many"}),
        Answer(200, b"short", {**HEADERS, "Content-Length": "9" * 5000}),
        Answer(200, b"", {**HEADERS, "Last-Modified": "Mon, 99 Nov 99999999999999 99:99:99 GMT"}),
        Answer(206, b"short", {"Content-Range": "bytes 1-2/3"}),
        Answer(299, b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"),
    ],
    ids=lambda answer: repr(answer.body[:20]),
)
def test_an_answer_that_makes_no_sense_is_never_believed(
    canned_store: S3Store, canned: S3Proxy, answer: Answer
) -> None:
    canned.rule = lambda _: answer
    silent = set()
    for name, call in OPERATIONS.items():
        try:
            call(canned_store)
            silent.add(name)
        except StoreError as failure:
            assert answer_status(failure) in (500, 503), failure  # noqa: PT017
            assert len(str(failure)) < 500  # noqa: PT017
    # What has no body has nothing that could be wrong, and some of these have an ETag.
    written = {"PUT", "CREATE", "OVERWRITE", "UPLOAD"} if "ETag" in answer.headers else set()
    assert silent <= ({"DELETE"} | written if not answer.body else set()), silent


@pytest.mark.parametrize(
    "rows",
    [
        ENTRY("elsewhere", 1),
        ENTRY("d", 1),
        ENTRY("", 1),
        ENTRY("d/a", -1),
        ENTRY("d/a", "1_0"),
        ENTRY("d/a", "9" * 5000),
        ENTRY("d/a", 1).replace('"e"', '" "'),
        ENTRY("d/a", 1).replace('"e"', '"e&#13;&#10;Set-Cookie: a=b"'),
        ENTRY("d/a", 1).replace('"e"', '"e"f"'),
        ENTRY("d/a", 1).replace('"e"', '"é"'),
        ENTRY("d/a", "9" * 19),
        ENTRY("d/" + "a" * 100_000, 1),
        "<CommonPrefixes><Prefix>elsewhere/</Prefix></CommonPrefixes>",
        "<CommonPrefixes><Prefix></Prefix></CommonPrefixes>",
        ENTRY("d/a", 1) * 20_000,
    ],
    ids=lambda rows: rows[:60],
)
def test_a_listing_with_absurd_rows_is_unavailable(
    canned_store: S3Store, canned: S3Proxy, rows: str
) -> None:
    canned.rule = lambda _: Answer(200, LISTING(rows=rows).encode())
    with pytest.raises(UnavailableError):
        list(canned_store.list_objects("d/"))


@pytest.mark.parametrize("tokens", [["t"], ["t", "u"], ["t", "u", "v", "w", "x"]])
def test_a_listing_that_never_ends_is_given_up(
    canned_store: S3Store, canned: S3Proxy, tokens: list[str]
) -> None:
    def rule(_: Request) -> Fault:
        token = tokens[len(canned.requests) % len(tokens)]
        more = f"<NextContinuationToken>{token}</NextContinuationToken>"
        listing = LISTING(rows=ENTRY("d/a", 1) + more).replace("false", "true")
        return Answer(200, listing.encode())

    canned.rule = rule
    with pytest.raises(UnavailableError, match="repeats its tokens"):
        list(canned_store.list_objects("d/"))
    assert len(canned.requests) <= 4 * len(tokens)


@pytest.mark.parametrize("rows", ["", ENTRY("d/a", 1)])
def test_a_listing_that_shows_nothing_new_for_long_is_given_up(
    canned_store: S3Store, canned: S3Proxy, rows: str
) -> None:
    def rule(_: Request) -> Fault:
        more = f"<NextContinuationToken>{len(canned.requests)}</NextContinuationToken>"
        return Answer(200, LISTING(rows=rows + more).replace("false", "true").encode())

    canned.rule = rule
    with pytest.raises(UnavailableError, match="get on"):
        list(islice(canned_store.list_objects("d/"), 1000))


@pytest.mark.parametrize("told", ["TRUE", " true ", ""])
def test_a_listing_that_shows_something_new_is_read_on(
    canned_store: S3Store, canned: S3Proxy, told: str
) -> None:
    more = LISTING(rows="<NextContinuationToken>t</NextContinuationToken>").replace("false", told)
    canned.rule = once("GET", "list-type", Answer(200, more.encode()), Answer(200, NO_ROWS))
    assert [page.is_last for page in canned_store.list_objects("d/")] == [False, True]


def test_a_common_prefix_that_is_no_folder_is_unavailable(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    rows = "<CommonPrefixes><Prefix>d/abc</Prefix></CommonPrefixes>"
    canned.rule = lambda _: Answer(200, LISTING(rows=rows).encode())
    with pytest.raises(UnavailableError):
        list(canned_store.list_objects("d/", delimiter="/"))


@pytest.mark.parametrize(
    "served",
    [
        "",
        "bytes 0-2/12",
        "bytes 2-2/12",
        "bytes 1-2/x",
        "bytes 1-2/-12",
        "bytes 1-2/1",
        "bytes 1-0/12",
        "bytes 1-11/12",
        "bytes 1-2/" + "9" * 5000,
        "items 1-2/12",
        "bytes 1-2/12, bytes 4-5/12",
        "bytes 1-1/12",
    ],
)
def test_a_range_that_was_not_asked_for_is_unavailable(
    canned_store: S3Store, canned: S3Proxy, served: str
) -> None:
    told = {"Content-Range": served} if served else {}
    canned.rule = lambda _: Answer(206, b"bc", {**HEADERS, **told})
    with pytest.raises(UnavailableError):
        canned_store.get_object("a", start=1, end=3)


def test_a_version_that_was_not_asked_for_is_never_read(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda _: Answer(200, b"another", HEADERS)
    with pytest.raises(StoreError) as raised:
        canned_store.get_object("a", if_match="f")
    assert answer_status(raised.value) == 412


def test_no_key_counts_as_deleted_by_an_answer_about_other_keys(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    answer = b"<DeleteResult><Error><Key>c</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    canned.rule = lambda _: Answer(200, answer)
    assert [failure.key for failure in canned_store.delete_objects(["a", "b"])] == ["a", "b"]


@pytest.mark.parametrize("name", ["LIST", "LOOKUP", "COPY", "COPY IN PARTS", "DELETE", "PUT"])
@pytest.mark.parametrize("body", [b" " * 40 * MIB, b"<a/>" * MIB], ids=["blanks", "elements"])
def test_an_answer_without_end_takes_little_memory(
    canned_store: S3Store, canned: S3Proxy, name: str, body: bytes
) -> None:
    canned.rule = lambda _: Answer(200, body)

    def ask() -> None:
        with pytest.raises(StoreError):
            OPERATIONS[name](canned_store)

    # The server of the test is in this process, and has the body once for all.
    assert peak_of(ask) < 20 * MIB


def test_an_upload_whose_parts_get_no_etag_fails(canned_store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda request: (
        Answer(200, b"<R><UploadId>u</UploadId></R>")
        if "uploads" in request.target
        else Answer(204)
    )
    writer = canned_store.open_writer("a", Attributes(), length=20 * MIB)
    writer.write(bytes(20 * MIB))
    with pytest.raises(UnavailableError):
        writer.commit()
    assert canned.requests[-1].method == "DELETE"


def test_a_copy_without_an_etag_in_its_answer_is_unavailable(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda _: Answer(
        200,
        b"<CopyObjectResult><LastModified>2026-11-22T16:42:57Z</LastModified></CopyObjectResult>",
    )
    with pytest.raises(UnavailableError):
        canned_store.copy_object(ROW, "b")


def test_a_version_that_a_proxy_weakened_is_the_stores(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda _: Answer(200, b"", {**HEADERS, "ETag": 'W/"e"'})
    assert canned_store.put_object("a", b"", Attributes()).etag == "e"
    assert canned_store.get_object("a", if_match="e").read(1) == b""
