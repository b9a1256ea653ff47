"""Copies whose answers are lost, on a store that holds conditions on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from davbridge.clock import utc_now
from davbridge.errors import PreconditionFailedError, UnavailableError
from davbridge.store.base import IF_ABSENT, Attributes, Condition, ObjectRow
from davbridge.store.s3 import S3Store
from tests.support.contract import LONG, drain, keys, write
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import Answer, Lose, S3Proxy, error, once, s3_proxy
from tests.support.skipping import Skipping
from tests.support.stores import fresh_bucket, s3_store, store_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OLD = "Sun, 22 Nov 2020 16:42:57 GMT"
NEW = "Sun, 22 Nov 2099 16:42:57 GMT"
HEAD = {"Last-Modified": NEW, "Content-Length": "7"}


@pytest.fixture(scope="module")
def weak_line(seaweedfs: Endpoint) -> Iterator[S3Proxy]:
    with s3_proxy(seaweedfs.url) as running:
        yield running


@pytest.fixture(scope="module")
def client(weak_line: S3Proxy, seaweedfs: Endpoint) -> Iterator["S3Client"]:
    with store_client(replace(seaweedfs, url=weak_line.url)) as client:
        yield client


@pytest.fixture
def line(weak_line: S3Proxy) -> S3Proxy:
    weak_line.reset()
    return weak_line


@pytest.fixture
def store(
    line: S3Proxy,
    client: "S3Client",
    seaweedfs_client: "S3Client",
    bucket_name: str,
    skipping: Skipping,
) -> Iterator[S3Store]:
    """It skips its pauses: what is lost here has been done, or never will be."""
    with (
        fresh_bucket(seaweedfs_client, bucket_name),
        s3_store(client, bucket_name, skipping.timing) as store,
    ):
        yield store


@pytest.mark.parametrize("attributes", [None, Attributes("text/other", {"mtime": "1"})])
@pytest.mark.parametrize("body", [b"body", LONG], ids=["whole", "in parts"])
def test_a_copy_whose_answer_is_lost_is_not_refused(
    store: S3Store, line: S3Proxy, attributes: Attributes | None, body: bytes
) -> None:
    source = write(store, "a", body)
    is_long = len(body) > len(b"body")
    line.rule = once("POST", "/b?uploadId", Lose()) if is_long else once("PUT", "/b", Lose())
    row = store.copy_object(source, "b", attributes=attributes, condition=IF_ABSENT)
    assert row == store.head_object("b").row
    assert drain(store.get_object("b")) == body


def test_a_refusal_of_a_copy_is_believed_where_the_object_is_anothers(
    store: S3Store, line: S3Proxy
) -> None:
    source = write(store, "a", b"body")
    write(store, "b", b"another's")
    for attributes in (None, Attributes("text/other")):
        line.rule = once("PUT", "/b", error("InternalError", 500))
        with pytest.raises(PreconditionFailedError):
            store.copy_object(source, "b", attributes=attributes, condition=IF_ABSENT)
    assert drain(store.get_object("b")) == b"another's"


def test_a_copy_of_which_nobody_can_tell_whose_it_is_is_no_refusal(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda request: (
        Answer(200, b"", {**HEAD, "ETag": '"another"'})
        if request.method == "HEAD"
        else error("InternalError", 500)
        if len(canned.requests) == 2  # the first one is a look at the source
        else error("PreconditionFailed", 412)
    )
    source = ObjectRow("a", 7, utc_now(), "etag-of-2-parts-2")
    with pytest.raises(UnavailableError, match="isn't known"):
        canned_store.copy_object(source, "b", condition=IF_ABSENT)


@pytest.mark.parametrize(
    ("size", "etag", "modified"), [(8, "e", NEW), (7, "f", NEW), (7, "e", OLD)]
)
def test_a_copy_counts_as_made_if_size_and_etag_are_the_sources_and_it_is_not_older_than_the_try(
    canned_store: S3Store, canned: S3Proxy, size: int, etag: str, modified: str
) -> None:
    told = {**HEAD, "ETag": '"e"'}
    canned.rule = lambda request: (
        Answer(200, b"", told)
        if request.method == "HEAD"
        else error("InternalError", 500)
        if len(canned.requests) == 2  # the first one is a look at the source
        else error("PreconditionFailed", 412)
    )
    own = ObjectRow("a", 7, utc_now(), "e")
    assert canned_store.copy_object(own, "b", condition=IF_ABSENT).etag == "e"
    canned.requests.clear()
    told["Last-Modified"] = modified
    with pytest.raises(PreconditionFailedError):
        canned_store.copy_object(ObjectRow("a", size, utc_now(), etag), "b", condition=IF_ABSENT)


def test_a_large_copy_keeps_its_conditions_and_its_source(store: S3Store) -> None:
    source = write(store, "a", LONG)
    old = write(store, "b", b"old")
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source, "b", condition=IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source, "b", condition=Condition(if_match="0" * 32))
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source._replace(etag="0" * 32), "b")
    assert drain(store.get_object("b")) == b"old"
    store.copy_object(source, "b", condition=Condition(if_match=old.etag))
    assert drain(store.get_object("b")) == LONG


@pytest.mark.parametrize("lost", [Lose(), error("InternalError", 500)])
def test_a_deletion_whose_answer_is_lost_has_gone_well(
    store: S3Store, line: S3Proxy, skipping: Skipping, lost: Lose | Answer
) -> None:
    write(store, "a", b"body")
    skipping.skip(10)
    line.rule = once("DELETE", "/a", lost)
    store.delete_object("a")
    write(store, "a", b"body")
    skipping.skip(10)
    line.rule = once("POST", "delete", lost)
    assert store.delete_objects(["a", "absent"]) == []
    assert keys(store) == []


def test_an_abort_whose_answer_is_lost_has_gone_well(
    store: S3Store, line: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    line.rule = once("DELETE", "uploadId", Lose())
    writer = store.open_writer("a", Attributes())
    writer.write(LONG)
    writer.abort()
    assert "not aborted" not in caplog.text
    assert line.count("DELETE") == 2


def test_an_upload_ends_once(store: S3Store, line: S3Proxy) -> None:
    writer = store.open_writer("a", Attributes())
    writer.write(LONG)
    writer.commit()
    asked = len(line.requests)
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.commit()
    writer.abort()
    assert len(line.requests) == asked
    assert drain(store.get_object("a")) == LONG


ODD = " !\"#$%&'()*+,-.:;<=>?@[]^_`{|}~é日🎉\x7f"


def test_every_character_of_a_key_is_signed_as_it_is(
    store: S3Store, client: "S3Client", bucket_name: str
) -> None:
    """SeaweedFS checks signatures; and what boto3 makes of a key is the same one."""
    for name in (*ODD, ODD, "a+b%20c%2Fd", "...", "%zz"):
        key = f"d/x{name}y"
        row = store.put_object(key, b"body", Attributes())
        assert client.get_object(Bucket=bucket_name, Key=key)["Body"].read() == b"body"
        assert drain(store.get_object(key)) == b"body"
        store.copy_object(row, f"{key}/2", condition=IF_ABSENT)
        assert keys(store, f"{key}/") == [f"{key}/2"]
        assert store.delete_objects([f"{key}/2"]) == []
        store.delete_object(key)


def test_an_upload_in_parts_keeps_every_character(store: S3Store) -> None:
    source = write(store, f"d/{ODD}", LONG)
    store.copy_object(source, f"e/{ODD}")
    assert drain(store.get_object(f"e/{ODD}")) == LONG


def test_headers_that_are_not_ascii_are_signed_as_the_bytes_that_they_are(store: S3Store) -> None:
    """As other tools write them: UTF-8, which is read as Latin-1 and sent as that again."""
    kept = Attributes("text/plain; name=é".encode().decode("latin-1"))
    writer = store.open_writer("a", kept)
    writer.write(LONG)
    store.copy_object(writer.commit(), "b")
    assert store.head_object("b").attributes == kept
