"""Readers on connections that break."""

import os
import time
from typing import TYPE_CHECKING

import pytest
from urllib3.connection import HTTPConnection

from davbridge.errors import NotFoundError, TruncatedError, UnavailableError
from davbridge.store.base import Attributes, ObjectReader
from davbridge.store.s3 import S3Store
from davbridge.store.s3.object_requests.reader import RESUMPTIONS
from tests.support.contract import drain
from tests.support.s3proxy import Answer, Cut, Fault, Request, S3Proxy, error, once
from tests.support.stores import MIB, fresh_bucket, s3_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = os.urandom(2 * MIB)


def ranges(proxy: S3Proxy) -> list[str | None]:
    return [request.headers["Range"] for request in proxy.requests if request.method == "GET"]


def read_out(reader: ObjectReader) -> bytes:
    """All that it gives; it is left open."""
    return b"".join(iter(lambda: reader.read(50_000), b""))


def test_a_whole_read_is_one_request(proxied: S3Store, proxy: S3Proxy) -> None:
    row = proxied.put_object("a", BODY, Attributes())
    proxy.requests.clear()
    assert drain(proxied.get_object("a", if_match=row.etag)) == BODY
    assert [request.method for request in proxy.requests] == ["GET"]


def test_ranges_one_after_another_need_one_connection(
    seaweedfs_client: "S3Client", bucket_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is free again once the last byte is read, before anybody closes the reader."""
    opened: list[HTTPConnection] = []
    connect = HTTPConnection.connect

    def count(connection: HTTPConnection) -> None:
        opened.append(connection)
        connect(connection)

    monkeypatch.setattr(HTTPConnection, "connect", count)
    with (
        fresh_bucket(seaweedfs_client, bucket_name),
        s3_store(seaweedfs_client, bucket_name) as store,
    ):
        store.put_object("a", BODY, Attributes())
        before = len(opened)
        for start in range(0, MIB, 64 * 1024):
            reader = store.get_object("a", start=start, end=start + 64 * 1024)
            assert read_out(reader) == BODY[start : start + 64 * 1024]
        assert len(opened) == before
    assert before > 0


@pytest.mark.parametrize("after", [0, 1, 300_000, len(BODY) - 1])
def test_a_cut_stream_is_resumed_where_it_broke(
    proxied: S3Store, proxy: S3Proxy, after: int
) -> None:
    row = proxied.put_object("a", BODY, Attributes())
    proxy.rule = once("GET", "/a", Cut(after))
    assert drain(proxied.get_object("a")) == BODY
    first, second = [request for request in proxy.requests if request.method == "GET"]
    assert first.headers["Range"] is None
    assert second.headers["Range"] == f"bytes={after}-{len(BODY) - 1}"
    assert second.headers["If-Match"] == f'"{row.etag}"'


def test_a_cut_range_is_resumed_within_the_range(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", BODY, Attributes())
    proxy.rule = once("GET", "/a", Cut(10))
    assert drain(proxied.get_object("a", start=100, end=200)) == BODY[100:200]
    assert ranges(proxy) == ["bytes=100-199", "bytes=110-199"]


def test_a_stream_that_keeps_breaking_but_advances_is_read_whole(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    body = os.urandom(8 * MIB)
    proxied.put_object("a", body, Attributes())
    proxy.rule = once("GET", "/a", *[Cut(MIB)] * 7)
    assert drain(proxied.get_object("a")) == body


def test_a_stream_that_does_not_advance_is_given_up(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", BODY, Attributes())
    proxy.rule = lambda request: Cut(100) if request.method == "GET" else None
    with proxied.get_object("a") as reader:
        got = [reader.read(256 * 1024) for _ in range(RESUMPTIONS + 1)]
        for _ in range(2):
            with pytest.raises(TruncatedError):
                reader.read(256 * 1024)
    assert b"".join(got) == BODY[: 100 * (RESUMPTIONS + 1)]
    assert proxy.count("GET") >= RESUMPTIONS + 1


def test_a_stream_that_breaks_whenever_its_reader_pauses_is_resumed_each_time(
    proxied: S3Store, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.store.s3.object_requests.reader.PAUSE", 0.05)
    proxied.put_object("a", BODY, Attributes())
    proxy.rule = lambda request: Cut(1000) if request.method == "GET" else None
    got = []
    with proxied.get_object("a", end=1000 * (2 * RESUMPTIONS + 1)) as reader:
        while block := reader.read(1000):
            got.append(block)
            time.sleep(0.06)
    assert b"".join(got) == BODY[: 1000 * (2 * RESUMPTIONS + 1)]
    assert proxy.count("GET") == 2 * RESUMPTIONS + 1


def test_a_cut_stream_is_never_resumed_in_another_version(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", BODY, Attributes())
    proxy.rule = once("GET", "/a", Cut(MIB))
    with proxied.get_object("a") as reader:
        assert reader.read(MIB) == BODY[:MIB]
        proxied.put_object("a", BODY[::-1], Attributes())
        with pytest.raises(TruncatedError):
            reader.read(MIB)


def test_a_store_that_ignores_if_match_is_found_out(proxied: S3Store, proxy: S3Proxy) -> None:
    other = Answer(206, b"x" * 1000, {"ETag": '"other"', "Content-Range": "bytes 1000-1999/2000"})
    other = other._replace(
        headers={**other.headers, "Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT"}
    )
    proxied.put_object("a", bytes(2000), Attributes())
    proxy.rule = once("GET", "/a", Cut(1000), other)
    with proxied.get_object("a") as reader:
        assert reader.read(1000) == bytes(1000)
        with pytest.raises(TruncatedError, match="another version"):
            reader.read(1000)


def test_a_cut_stream_whose_object_is_gone_raises(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", BODY, Attributes())
    proxy.rule = once("GET", "/a", Cut(MIB))
    with proxied.get_object("a") as reader:
        reader.read(MIB)
        proxied.delete_object("a")
        with pytest.raises(TruncatedError) as raised:
            reader.read(MIB)
    assert isinstance(raised.value.__cause__, NotFoundError)


def test_a_store_that_ignores_ranges_is_found_out(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", b"0123456789", Attributes())

    def ignore_range(request: Request) -> Fault | None:
        del request.headers["Range"]
        return None

    proxy.rule = ignore_range
    with pytest.raises(UnavailableError, match="range"):
        proxied.get_object("a", start=5)


def test_a_read_waits_while_the_store_throttles(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", b"body", Attributes())
    proxy.rule = once("GET", "/a", error("InternalError", 500), error("SlowDown", 503))
    assert drain(proxied.get_object("a")) == b"body"
