"""What a crash has left: found by the mark, by nothing else, and removed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from davbridge.errors import AccessDeniedError, UnavailableError
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.capabilities import CANARY
from tests.support.contract import LONG, keys, write
from tests.support.s3proxy import Answer, S3Proxy, error, once
from tests.support.stores import fresh_bucket, s3_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOW = timedelta(minutes=-1)
"""An age that everything has."""


@pytest.fixture(params=["moto", "seaweedfs"])
def client(request: pytest.FixtureRequest) -> "S3Client":
    client: S3Client = request.getfixturevalue(f"{request.param}_client")
    return client


@pytest.fixture
def store(client: "S3Client", bucket_name: str) -> Iterator[S3Store]:
    with fresh_bucket(client, bucket_name), s3_store(client, bucket_name) as store:
        yield store


def crash(store: S3Store, key: str) -> None:
    """Leaves an upload with two parts."""
    store.open_writer(key, Attributes()).write(LONG)


def begin(client: "S3Client", bucket: str, key: str, part: int, body: bytes) -> str:
    """Another tool's upload."""
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    client.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=part, Body=body)
    return upload_id


def uploads(client: "S3Client", bucket: str) -> list[str]:
    answer = client.list_multipart_uploads(Bucket=bucket)
    return sorted(upload["Key"] for upload in answer.get("Uploads", ()))


def test_only_uploads_of_davbridge_are_swept(
    store: S3Store, client: "S3Client", bucket_name: str
) -> None:
    crash(store, "d/own +%é.bin")
    crash(store, "elsewhere/own.bin")
    others = {
        "d/plain": begin(client, bucket_name, "d/plain", 1, b"davbridge"),
        "d/last": begin(client, bucket_name, "d/last", 10_000, b"somebody else's"),
        "d/own +%é.bin": begin(client, bucket_name, "d/own +%é.bin", 2, b"another tool's"),
    }
    store.close()  # so that the parts of those that crashed have arrived
    (told,) = store.sweep("d/", NOW, dry_run=True)
    assert told.key == "d/own +%é.bin"
    assert told.size > 10_000_000
    assert store.abort_stale_uploads("d/", NOW) == 1
    assert uploads(client, bucket_name) == sorted([*others, "elsewhere/own.bin"])
    assert store.abort_stale_uploads("", NOW) == 1
    for key, upload_id in others.items():
        client.abort_multipart_upload(Bucket=bucket_name, Key=key, UploadId=upload_id)


def test_an_upload_that_may_be_under_way_is_left_alone(
    store: S3Store, client: "S3Client", bucket_name: str
) -> None:
    writer = store.open_writer("a", Attributes())
    writer.write(LONG)
    assert store.abort_stale_uploads("", timedelta(minutes=5)) == 0
    writer.commit()
    assert keys(store) == ["a"]
    assert uploads(client, bucket_name) == []


def test_an_age_beyond_all_dates_sweeps_nothing(store: S3Store) -> None:
    crash(store, "a")
    store.put_object(f"{CANARY}0123.present", b"", Attributes())
    store.close()
    assert list(store.sweep("", timedelta(days=999_999))) == []
    assert store.abort_stale_uploads("", NOW) == 2


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_clock_that_is_wrong_makes_nothing_old(
    proxied: S3Store, proxy: S3Proxy, year: str
) -> None:
    writer = proxied.open_writer("a", Attributes())
    writer.write(LONG)
    answer = Answer(200, b"", {"Date": f"Mon, 01 Jan {year} 00:00:00 GMT"})
    proxy.rule = lambda request: answer if request.method == "HEAD" else None
    assert proxied.abort_stale_uploads("") == 0
    proxy.reset()
    writer.commit()


def test_a_canary_that_a_crash_left_is_swept(store: S3Store) -> None:
    store.put_object(f"d/{CANARY}0123.present", b"", Attributes())
    store.put_object("d/.davbridge.properties.json", b"{}", Attributes())
    assert store.abort_stale_uploads("d/", timedelta(minutes=5)) == 0
    assert store.abort_stale_uploads("d/", NOW) == 1
    assert [key for key in keys(store) if key != "d/"] == ["d/.davbridge.properties.json"]


def test_the_upload_of_a_canary_is_swept(
    store: S3Store, client: "S3Client", bucket_name: str
) -> None:
    begin(client, bucket_name, f"d/{CANARY}0123.marked", 1, b"canary")
    assert store.abort_stale_uploads("", NOW) == 0  # another bridge's, of what it shows
    assert store.abort_stale_uploads("d/", NOW) == 1


def test_a_sweep_that_is_forbidden_does_no_harm(proxied: S3Store, proxy: S3Proxy) -> None:
    write(proxied, "a", b"body")
    proxy.rule = lambda _: error("AccessDenied", 403)
    assert proxied.abort_stale_uploads("") == 0
    with pytest.raises(AccessDeniedError):
        list(proxied.sweep(""))


@pytest.mark.parametrize(
    "listing",
    [
        "<html/>",
        "<ListMultipartUploadsResult><Upload><Key>a</Key></Upload></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><Upload><Key>elsewhere</Key><UploadId>1</UploadId>"
        "<Initiated>2020-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
        "<NextKeyMarker>a</NextKeyMarker></ListMultipartUploadsResult>",
    ],
)
def test_a_listing_of_uploads_that_makes_no_sense_ends_the_sweep(
    proxied: S3Store, proxy: S3Proxy, listing: str
) -> None:
    proxy.rule = lambda request: (
        Answer(200, listing.encode()) if "uploads" in request.target else None
    )
    with pytest.raises(UnavailableError):
        list(proxied.sweep("d/", NOW))
    assert proxy.count("DELETE") == 0
    assert proxy.count("GET") <= 3


def test_an_upload_that_ends_meanwhile_is_passed_over(proxied: S3Store, proxy: S3Proxy) -> None:
    crash(proxied, "a")
    crash(proxied, "b")
    proxied.close()
    proxy.rule = once("GET", "/a?uploadId", error("NoSuchUpload", 404))
    assert [swept.key for swept in proxied.sweep("", NOW)] == ["b"]
    assert [swept.key for swept in proxied.sweep("", NOW)] == ["a"]
