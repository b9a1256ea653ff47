"""Every store that keeps the contract, each with a fresh bucket."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.store.base import ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.store.s3 import S3Store
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import S3Proxy, s3_proxy
from tests.support.skipping import Skipping
from tests.support.stores import (
    DIFFERENCES,
    LIMIT,
    Feature,
    fresh_bucket,
    s3_store,
    store_client,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Needs = Callable[[Feature], None]


@pytest.fixture(params=["memory", "cached", "moto", "seaweedfs"])
def store_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(
    store_name: str, bucket_name: str, request: pytest.FixtureRequest
) -> Iterator[ObjectStore]:
    memory = MemoryStore(max_object_size=LIMIT)
    if store_name == "memory":
        yield memory
    elif store_name == "cached":
        yield CachedStore(memory, CacheSettings())
    else:
        client: S3Client = request.getfixturevalue(f"{store_name}_client")
        with fresh_bucket(client, bucket_name), s3_store(client, bucket_name) as s3:
            yield s3


@pytest.fixture
def needs(store_name: str) -> Needs:
    """Skips a test of what this store is known not to do, and says why."""

    def need(feature: Feature) -> None:
        if reason := DIFFERENCES.get(store_name, {}).get(feature):
            pytest.skip(reason)

    return need


@pytest.fixture(scope="session")
def moto_client(moto_server: Endpoint) -> Iterator["S3Client"]:
    with store_client(moto_server) as client:
        yield client


@pytest.fixture(scope="session")
def seaweedfs_client(seaweedfs: Endpoint) -> Iterator["S3Client"]:
    with store_client(seaweedfs) as client:
        yield client


@pytest.fixture(scope="session")
def running_proxy(moto_server: Endpoint) -> Iterator[S3Proxy]:
    with s3_proxy(moto_server.url) as running:
        yield running


@pytest.fixture(scope="session")
def proxied_client(running_proxy: S3Proxy, moto_server: Endpoint) -> Iterator["S3Client"]:
    with store_client(replace(moto_server, url=running_proxy.url)) as client:
        yield client


@pytest.fixture
def proxy(running_proxy: S3Proxy) -> Iterator[S3Proxy]:
    """moto, behind a proxy that can fail; it doesn't yet, and has counted nothing."""
    running_proxy.reset()
    yield running_proxy
    running_proxy.reset()


@pytest.fixture
def skipping() -> Skipping:
    """The time of the test's store."""
    return Skipping()


@pytest.fixture
def proxied(
    proxy: S3Proxy,
    proxied_client: "S3Client",
    moto_client: "S3Client",
    bucket_name: str,
    skipping: Skipping,
) -> Iterator[S3Store]:
    """An S3Store that speaks through the proxy, with a bucket. It skips its pauses."""
    with (
        fresh_bucket(moto_client, bucket_name),
        s3_store(proxied_client, bucket_name, skipping.timing) as store,
    ):
        yield store
