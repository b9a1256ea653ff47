"""Storage class, encryption and ACL of what davbridge writes, as its settings have it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from davbridge.filestore import FileStore
from davbridge.library import Options, open_store
from davbridge.store.s3.object_requests.multipart import PART_SIZE
from tests.support.endpoints import Endpoint, s3_client

KMS: Options = {"encryption": "aws:kms", "kms_key_id": "alias/drive"}


class Bucket:
    """A bucket as other programs see it."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self.client: Any = s3_client(endpoint)
        self.client.create_bucket(Bucket=name)
        self._endpoint = endpoint
        self._name = name

    @contextmanager
    def opened(self, options: Options) -> Iterator[FileStore]:
        """davbridge, with these settings. It probes the bucket first."""
        end = self._endpoint
        where: Options = {
            "endpoint_url": end.url,
            "region": end.region,
            "access_key": end.access_key,
            "secret_key": end.secret_key,
        }
        where.update(options)
        with open_store(self._name, **where) as store:
            yield store

    def head(self, key: str) -> dict[str, Any]:
        head: dict[str, Any] = self.client.head_object(Bucket=self._name, Key=key)
        return head

    def readers(self, key: str) -> list[str]:
        """The groups that may read an object."""
        acl = self.client.get_object_acl(Bucket=self._name, Key=key)
        grantees = [grant["Grantee"] for grant in acl["Grants"] if grant["Permission"] == "READ"]
        return [grantee["URI"].rpartition("/")[2] for grantee in grantees]

    def all_keys(self) -> list[str]:
        return [row["Key"] for row in self.client.list_objects_v2(Bucket=self._name)["Contents"]]


@pytest.fixture(params=["moto_server", "seaweedfs"])
def bucket(request: pytest.FixtureRequest, bucket_name: str) -> Bucket:
    return Bucket(request.getfixturevalue(request.param), bucket_name)


on_moto = pytest.mark.parametrize("bucket", ["moto_server"], indirect=True)

sizes = pytest.mark.parametrize("size", [10, PART_SIZE + 1], ids=["in one request", "in parts"])


@sizes
def test_files_are_written_in_the_class_that_is_set(bucket: Bucket, size: int) -> None:
    with bucket.opened({"storage_class": "STANDARD_IA"}) as store:
        store.create_directory("/d")
        store.store_fileobject(io.BytesIO(bytes(size)), "/d/f")
        store.move("/d/f", "/d/g")
    assert bucket.head("d/g")["StorageClass"] == "STANDARD_IA"
    assert "StorageClass" not in bucket.head("d/")


@sizes
def test_all_is_written_with_the_encryption_that_is_set(bucket: Bucket, size: int) -> None:
    with bucket.opened({"encryption": "AES256"}) as store:
        store.create_directory("/d")
        store.store_fileobject(io.BytesIO(bytes(size)), "/d/f")
        store.duplicate("/d", "/e")
    assert {key: bucket.head(key).get("ServerSideEncryption") for key in ("d/f", "e/f")} == {
        "d/f": "AES256",
        "e/f": "AES256",
    }


@on_moto
@sizes
def test_all_is_written_with_the_kms_key_that_is_set(bucket: Bucket, size: int) -> None:
    with bucket.opened(KMS) as store:
        store.create_directory("/d")
        store.store_fileobject(io.BytesIO(bytes(size)), "/d/f")
        store.duplicate("/d/f", "/d/g")
    for key in bucket.all_keys():
        head = bucket.head(key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/drive")


@on_moto
def test_a_key_of_the_buckets_is_asked_for_where_that_is_set(bucket: Bucket) -> None:
    with bucket.opened({**KMS, "bucket_key": True}) as store:
        store.store_fileobject(io.BytesIO(b"x"), "/f")
    assert bucket.head("f")["BucketKeyEnabled"]


@on_moto
@sizes
def test_files_are_written_with_the_acl_that_is_set(bucket: Bucket, size: int) -> None:
    with bucket.opened({"acl": "public-read"}) as store:
        store.store_fileobject(io.BytesIO(bytes(size)), "/f")
        store.duplicate("/f", "/g")
    assert bucket.readers("f") == bucket.readers("g") == ["AllUsers"]
