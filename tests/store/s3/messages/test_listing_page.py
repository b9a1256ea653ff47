"""Pages of listings as stores write them, and what must not pass for one."""

from datetime import UTC, datetime

import pytest
from botocore.parsers import ResponseParserError

from davbridge.store.base import ObjectRow
from davbridge.store.s3.messages.listing_page import parse_page
from davbridge.store.s3.messages.xml import parse_time

ROW = (
    "<Contents><Key>a%20b+%2B%01%C3%A9</Key><LastModified>2026-11-22T16:42:57.999Z</LastModified>"
    '<ETag>"e-1"</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>'
)
TIME = datetime(2026, 11, 22, 16, 42, 57, tzinfo=UTC)


def listing(inside: str, attributes: str = "") -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<ListBucketResult{attributes}>{inside}</ListBucketResult>".encode()


def test_a_page_has_rows_prefixes_and_a_way_on() -> None:
    page, token = parse_page(
        listing(
            f"<Name>b</Name>{ROW}<IsTruncated>true</IsTruncated>"
            "<CommonPrefixes><Prefix>d%2B/</Prefix></CommonPrefixes>"
            "<NextContinuationToken>t+%20</NextContinuationToken><EncodingType>url</EncodingType>",
            ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"',
        )
    )
    assert list(page.rows) == [ObjectRow("a b +\x01é", 7, TIME, "e-1")]
    assert list(page.prefixes) == ["d+/"]
    assert not page.is_last
    assert token == "t+%20"


def test_names_that_were_not_encoded_are_left_alone() -> None:
    page, token = parse_page(listing(ROW))
    assert page.rows[0].key == "a%20b+%2B%01%C3%A9"
    assert page.is_last
    assert token == ""


def test_a_folder_that_is_about_to_go_has_no_version() -> None:
    (row,) = parse_page(listing(ROW.replace("e-1", "")))[0].rows
    assert row.etag == ""


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T16:42:57Z",
        "2026-11-22T16:42:57.123456Z",
        "2026-11-22T16:42:57",
        "2026-11-22T16:42:57+00:00",
        "2026-11-22T17:42:57.000+01:00",
    ],
)
def test_times_are_to_the_second_and_utc(text: str) -> None:
    time = parse_time(text)
    assert time == TIME
    assert time.tzinfo is UTC


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"\xff\xfe\x00garbage",
        b"<html><body>Welcome</body></html>",
        b"<ListBucketResult>",
        listing(ROW)[:-1],
        listing(ROW)[:150],
        listing(ROW) + b"<more/>",
        listing(ROW.replace("<Size>7</Size>", "")),
        listing(ROW.replace("<Size>7", "<Size>many")),
        listing(ROW.replace("<Key>a", "<Key>%FF") + "<EncodingType>url</EncodingType>"),
        listing("<CommonPrefixes/>"),
        listing("<IsTruncated>true</IsTruncated>"),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + listing(ROW),
        b'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><ListBucketResult/>',
    ],
)
def test_an_incomplete_listing_is_no_page(content: bytes) -> None:
    with pytest.raises(ResponseParserError):
        parse_page(content)
