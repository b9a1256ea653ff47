"""COPY and MOVE keep what an object has in addition to its bytes: alone and in a folder, in one
request and in parts, on each store as far as it has such things."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from davbridge.paths import parse
from davbridge.store.s3 import S3Store
from davbridge.store.s3.messages.headers import TRANSACTION
from davbridge.tree.namespace import Namespace
from tests.support.endpoints import Endpoint, s3_client
from tests.support.stores import SMALL_PART, s3_store, store_client
from tests.support.weed import as_older_versions_ran_it

SIZES = {"in one request": 1000, "in parts": SMALL_PART + 1000}

UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


class Bucket:
    """A namespace without a cache, and its bucket as other programs see it."""

    def __init__(self, client: Any, name: str, store: S3Store) -> None:
        self.client = client
        self.name = name
        self.prefix = f"{uuid.uuid4().hex}/"
        self.tree = Namespace(store, prefix=self.prefix)

    def at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": self.prefix + key}

    def outside(self, key: str, size: int, **attributes: Any) -> None:
        self.client.put_object(**self.at(key), Body=bytes(size), **attributes)

    def head(self, key: str, *names: str) -> dict[str, Any]:
        answer = self.client.head_object(**self.at(key))
        return {name: answer.get(name) for name in names}

    def tags(self, key: str) -> dict[str, str]:
        tags = self.client.get_object_tagging(**self.at(key))["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in tags}

    def grants(self, key: str) -> set[tuple[str, str]]:
        acl = self.client.get_object_acl(**self.at(key))
        grantees = [(grant["Grantee"], grant["Permission"]) for grant in acl["Grants"]]
        return {(who.get("URI") or who["ID"], permission) for who, permission in grantees}


Opened = Callable[..., Bucket]


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a place of its own in a bucket that was made and probed once."""
    stores: dict[tuple[str, bool], tuple[Any, str, S3Store]] = {}
    with ExitStack() as stack:

        def made(endpoint: Endpoint, *, has_locks: bool) -> tuple[Any, str, S3Store]:
            client: Any = s3_client(endpoint)
            name = f"test-{uuid.uuid4().hex}"
            client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=has_locks)
            own = stack.enter_context(store_client(endpoint))
            store = stack.enter_context(s3_store(own, name))
            store.probe("")
            return client, name, store

        def opened(endpoint: str, *, has_locks: bool = False) -> Bucket:
            where = endpoint, has_locks
            if where not in stores:
                stores[where] = made(request.getfixturevalue(endpoint), has_locks=has_locks)
            bucket = Bucket(*stores[where])
            stack.callback(bucket.tree.close)
            return bucket

        yield opened


@pytest.fixture(params=["moto_server", "seaweedfs"])
def bucket(request: pytest.FixtureRequest, opened: Opened) -> Bucket:
    return opened(request.param)


@pytest.fixture
def locking(request: pytest.FixtureRequest, opened: Opened) -> Bucket:
    """A bucket with object locks."""
    return opened(request.param, has_locks=True)


Transfer = Callable[[Bucket], str]
"""Copies or moves ``d/f``, or ``d``; returns the key of the copy."""


@pytest.fixture(params=["COPY", "MOVE"])
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["of a file", "of a folder"])
def transfer(request: pytest.FixtureRequest, verb: str) -> Transfer:
    source, target, key = ("/d/f", "/t/g", "t/g")
    if request.param == "of a folder":
        source, target, key = ("/d", "/t/d", "t/d/f")

    def do(bucket: Bucket) -> str:
        bucket.tree.make_collection(parse("/t"))
        operation = bucket.tree.copy if verb == "COPY" else bucket.tree.move
        assert operation(parse(source), parse(target)) == []
        return key

    return do


@pytest.fixture(params=SIZES, ids=str)
def size(request: pytest.FixtureRequest) -> int:
    return SIZES[request.param]


on_moto = pytest.mark.parametrize("bucket", ["moto_server"], indirect=True)


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR", None])
def test_a_copy_has_the_storage_class_of_its_source(
    bucket: Bucket, transfer: Transfer, size: int, storage_class: str | None
) -> None:
    given = {"StorageClass": storage_class} if storage_class else {}
    bucket.outside("d/f", size, **given)
    assert bucket.head(transfer(bucket), "StorageClass") == {"StorageClass": storage_class}


def test_a_copy_has_the_content_headers_and_metadata_of_its_source(
    bucket: Bucket, transfer: Transfer, size: int
) -> None:
    given = {
        "ContentType": "text/x-own",
        "CacheControl": "no-cache",
        "ContentDisposition": "attachment",
        "ContentEncoding": "x-own",
        "ContentLanguage": "de",
        "Expires": datetime(2030, 1, 1, tzinfo=UTC),
        "Metadata": {"colour": "blue"},
    }
    bucket.outside("d/f", size, **given)
    seen = bucket.head(transfer(bucket), *given)
    seen["Metadata"].pop(TRANSACTION, None)
    assert seen == given


def test_a_copy_has_the_tags_of_its_source(bucket: Bucket, transfer: Transfer, size: int) -> None:
    bucket.outside("d/f", size, Tagging="a=b&c%20d=e%2Bf%3D&g=")
    assert bucket.tags(transfer(bucket)) == {"a": "b", "c d": "e+f=", "g": ""}


@pytest.fixture(scope="module")
def open_seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """As others run it: where its ports are closed, it can't read what it has encrypted (4.48)."""
    with as_older_versions_ran_it(tmp_path_factory.mktemp("open")) as (endpoint, _):
        yield endpoint


@pytest.mark.parametrize("bucket", ["moto_server", "open_seaweedfs"], indirect=True)
def test_a_copy_is_encrypted_as_its_source(bucket: Bucket, transfer: Transfer, size: int) -> None:
    bucket.outside("d/f", size, ServerSideEncryption="AES256")
    copied = bucket.client.get_object(**bucket.at(transfer(bucket)))
    assert copied["ServerSideEncryption"] == "AES256"
    assert copied["Body"].read() == bytes(size)


@on_moto
def test_a_copy_is_encrypted_by_the_kms_key_of_its_source(
    bucket: Bucket, transfer: Transfer, size: int
) -> None:
    given = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/own"}
    bucket.outside("d/f", size, **given)
    assert bucket.head(transfer(bucket), *given) == given


@on_moto
@pytest.mark.parametrize("size", [1000])
def test_a_copy_has_a_bucket_key_where_its_source_has_one(
    bucket: Bucket, transfer: Transfer, size: int
) -> None:
    """moto knows of none in an upload in parts."""
    given = {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True}
    bucket.outside("d/f", size, **given)
    assert bucket.head(transfer(bucket), *given) == given


@on_moto
def test_a_copy_redirects_as_its_source(bucket: Bucket, transfer: Transfer, size: int) -> None:
    bucket.outside("d/f", size, WebsiteRedirectLocation="/elsewhere")
    seen = bucket.head(transfer(bucket), "WebsiteRedirectLocation")
    assert seen == {"WebsiteRedirectLocation": "/elsewhere"}


@on_moto
@pytest.mark.parametrize("acl", ["public-read", "authenticated-read"])
def test_a_copy_has_the_acl_of_its_source(
    bucket: Bucket, transfer: Transfer, size: int, acl: str
) -> None:
    bucket.outside("d/f", size, ACL=acl)
    expected = bucket.grants("d/f")
    assert bucket.grants(transfer(bucket)) == expected


@on_moto
@pytest.mark.parametrize("size", [1000])
def test_a_copy_is_private_where_its_source_is(
    bucket: Bucket, transfer: Transfer, size: int
) -> None:
    """moto can't show the ACL of an upload in parts that was given none."""
    bucket.outside("d/f", size)
    expected = bucket.grants("d/f")
    assert bucket.grants(transfer(bucket)) == expected


@pytest.mark.parametrize("locking", ["moto_server", "seaweedfs"], indirect=True)
def test_a_copy_is_locked_as_its_source(locking: Bucket, transfer: Transfer) -> None:
    given = {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": UNTIL,
        "ObjectLockLegalHoldStatus": "ON",
    }
    locking.outside("d/f", 1000, **given)
    assert locking.head(transfer(locking), *given) == given


@pytest.mark.parametrize("locking", ["seaweedfs"], indirect=True)
def test_a_copy_in_parts_is_locked_as_its_source(locking: Bucket, transfer: Transfer) -> None:
    """moto knows of no lock in an upload in parts."""
    given = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": UNTIL}
    locking.outside("d/f", SIZES["in parts"], **given)
    assert locking.head(transfer(locking), *given) == given
