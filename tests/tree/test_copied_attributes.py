"""What an object has beside its bytes goes along: by COPY and MOVE, alone and in a folder, in one
request and in parts, on each store as far as it has such things."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from davbridge.paths import parse
from davbridge.store.s3 import S3Store
from davbridge.tree.namespace import Namespace
from tests.support.endpoints import Endpoint, s3_client
from tests.support.stores import SMALL_PART, s3_store, store_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SIZES = {"in one request": 1000, "in parts": SMALL_PART + 1000}


class Bucket:
    """A namespace without a cache, and the bucket as other programs see it."""

    def __init__(self, client: "S3Client", name: str, store: S3Store) -> None:
        self.client = client
        self.name = name
        self.store = store
        self.tree = Namespace(store)

    def outside(self, key: str, size: int, **attributes: Any) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=bytes(size), **attributes)

    def head(self, key: str, *names: str) -> dict[str, Any]:
        answer: Any = self.client.head_object(Bucket=self.name, Key=key)
        return {name: answer.get(name) for name in names}


@pytest.fixture(params=["moto_server", "seaweedfs"])
def bucket(request: pytest.FixtureRequest, bucket_name: str) -> Iterator[Bucket]:
    endpoint: Endpoint = request.getfixturevalue(request.param)
    client = s3_client(endpoint)
    client.create_bucket(Bucket=bucket_name)
    with store_client(endpoint) as own, s3_store(own, bucket_name) as store:
        bucket = Bucket(client, bucket_name, store)
        yield bucket
        bucket.tree.close()


Transfer = Callable[[Bucket], str]
"""Copies or moves ``d/f``; returns the key of the copy."""


@pytest.fixture(params=["COPY", "MOVE"])
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["of a file", "of a folder"])
def transfer(request: pytest.FixtureRequest, verb: str) -> Transfer:
    paths = ("/d/f", "/t/g") if request.param == "of a file" else ("/d", "/t/d")

    def do(bucket: Bucket) -> str:
        bucket.tree.make_collection(parse("/t"))
        operation = bucket.tree.copy if verb == "COPY" else bucket.tree.move
        assert operation(parse(paths[0]), parse(paths[1])) == []
        return "t/g" if paths[1] == "/t/g" else "t/d/f"

    return do


@pytest.fixture(params=SIZES, ids=str)
def size(request: pytest.FixtureRequest) -> int:
    return SIZES[request.param]


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR", None])
def test_a_copy_has_the_storage_class_of_its_source(
    bucket: Bucket, transfer: Transfer, size: int, storage_class: str | None
) -> None:
    given = {"StorageClass": storage_class} if storage_class else {}
    bucket.outside("d/f", size, **given)
    assert bucket.head(transfer(bucket), "StorageClass") == {"StorageClass": storage_class}
