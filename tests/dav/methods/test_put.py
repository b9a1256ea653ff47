"""PUT: what is stored, under which conditions, and what is refused."""

import socket

import pytest

from davbridge.config import DriveSettings
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import fill, lock, wait_for_usage
from tests.support.bridge import Bridge, Client, running_bridge
from tests.support.contract import drain, keys
from tests.support.waiting import FOREVER
from tests.support.wire import RawClient


def test_put_answers_201_then_204_with_the_stores_etag(client: Client, store: MemoryStore) -> None:
    created = client("PUT", "/a%20b.txt", b"one")
    replaced = client("PUT", "/a%20b.txt", b"two")
    head = client("HEAD", "/a%20b.txt")
    assert (created.status, replaced.status, head.status) == (201, 204, 200)
    assert drain(store.get_object("a b.txt")) == b"two"
    assert store.head_object("a b.txt").attributes.content_type == "text/plain"
    assert replaced.header("ETag") == head.header("ETag") != created.header("ETag")
    assert replaced.header("Last-Modified") == head.header("Last-Modified")
    assert head.header("Content-Length") == "3"
    assert head.body == b""


def test_put_takes_a_chunked_body(client: Client, store: MemoryStore) -> None:
    assert client("PUT", "/big", (b"x" * 100_000 for _ in range(7))).status == 201
    assert len(drain(store.get_object("big"))) == 700_000
    assert client("PUT", "/none", iter(())).status == 201
    assert drain(store.get_object("none")) == b""


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("image/png", "image/png"),
        ("application/octet-stream", "application/pdf"),
        ("application/x-directory", "application/pdf"),
        ("httpd/unix-directory; x=y", "application/pdf"),
        ("Inode/Directory", "application/pdf"),
        ("", "application/pdf"),
        ("image/" + "a" * 249, "image/" + "a" * 249),
        ("image/" + "a" * 250, "application/pdf"),
    ],
)
def test_put_stores_a_content_type_that_says_something(
    client: Client, store: MemoryStore, sent: str, stored: str
) -> None:
    client("PUT", "/x.pdf", b"", content_type=sent)
    assert store.head_object("x.pdf").attributes.content_type == stored


def test_put_needs_its_parent_and_no_collection_in_its_place(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "d/f", "file")
    assert client("PUT", "/missing/f", b"x").status == 409
    assert client("PUT", "/file/f", b"x").status == 409
    assert client("PUT", "/d", b"x").status == 405
    assert client("PUT", "/new/", b"x").status == 405
    assert client("PUT", "/f", b"x", content_range="bytes 0-0/2").status == 400
    assert keys(store) == ["d/f", "file"]


def test_put_over_the_limit_is_413_before_the_body(store: MemoryStore) -> None:
    with running_bridge(store, drive=DriveSettings(max_file_size=10)) as bridge:
        with bridge.client() as client:
            assert client("PUT", "/f", b"x" * 11).status == 413
        with bridge.client() as client:
            assert client("PUT", "/f", iter([b"x" * 6, b"x" * 6])).status == 413
        with bridge.client() as client:
            assert client("PUT", "/f", b"x" * 10).status == 201
    assert keys(store) == ["f"]


def test_put_over_the_quota_is_507(store: MemoryStore) -> None:
    fill(store, "f")
    with running_bridge(store, drive=DriveSettings(quota=100)) as bridge:
        wait_for_usage(bridge)
        with bridge.client() as client:
            assert client("PUT", "/g", b"x" * 100).status == 507
    assert keys(store) == ["f"]


def test_put_honours_if_match_and_if_none_match(client: Client, store: MemoryStore) -> None:
    etag = client("PUT", "/f", b"1").header("ETag")
    assert client("PUT", "/f", b"2", if_none_match="*").status == 412
    assert client("PUT", "/f", b"2", if_match='"other"').status == 412
    assert client("PUT", "/g", b"2", if_match=etag).status == 412
    assert client("PUT", "/f", b"2", if_match=etag).status == 204
    assert client("PUT", "/g", b"2", if_none_match="*").status == 201
    assert drain(store.get_object("f")) == b"2"


def test_the_store_decides_if_match_where_the_cache_is_out_of_date(
    client: Client, store: MemoryStore
) -> None:
    etag = client("PUT", "/f", b"1").header("ETag")
    store.put_object("f", b"from elsewhere", Attributes())
    assert client("PUT", "/f", b"2", if_match=etag).status == 412
    assert drain(store.get_object("f")) == b"from elsewhere"


def test_if_match_any_holds_of_a_version_that_the_cache_does_not_know(
    client: Client, store: MemoryStore
) -> None:
    client("PUT", "/f", b"1")
    store.put_object("f", b"from elsewhere", Attributes())
    assert client("PUT", "/f", b"2", if_match="*").status == 204
    assert drain(store.get_object("f")) == b"2"


@pytest.mark.parametrize("framing", ["Content-Length: 3000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("target", "field", "status"),
    [
        ("/missing/f", "", 409),
        ("/f", "If-None-Match: *\r\n", 412),
        ("/locked", "", 423),
        ("/d", "", 405),
        ("/f", "Content-Range: bytes 0-1/2\r\n", 400),
    ],
)
def test_a_refused_put_is_seen_as_refused_by_who_sends_all_before_it_reads(
    target: str,
    field: str,
    status: int,
    framing: str,
    client: Client,
    bridge: Bridge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 9112 §9.6. KIO takes a connection that is closed meanwhile for a broken one."""
    monkeypatch.setattr("davbridge.http.connections.lingering_close.QUIET_SECONDS", FOREVER)
    assert client("PUT", "/f", b"x").status == 201
    assert client("MKCOL", "/d").status == 201
    lock(client, "/locked")
    body = b"x" * 3_000_000
    if framing.endswith("chunked"):
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with RawClient(bridge.port) as raw:
        raw.send(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\n{field}{framing}\r\n\r\n".encode())
        for at in range(0, len(body) - 1, 1_000_000):
            raw.send(body[at : min(at + 1_000_000, len(body) - 1)])
            assert raw.socket.recv(12, socket.MSG_PEEK) == f"HTTP/1.1 {status}".encode()
        answer = raw.answer()
        assert (answer.status, answer.closes) == (status, True)
        assert raw.is_silent(0.05)
        raw.send(body[-1:])
        assert raw.at_end()
