"""A store behind which a test says what comes back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from davbridge.config import S3Settings
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client
from tests.support.s3proxy import S3Proxy, s3_proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def canned_server() -> Iterator[S3Proxy]:
    with s3_proxy(None) as server:
        yield server


@pytest.fixture
def canned(canned_server: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> S3Proxy:
    """Gives the answers that a rule names, and nobody waits before asking again."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    canned_server.reset()
    return canned_server


@pytest.fixture(scope="module")
def canned_client(canned_server: S3Proxy) -> Iterator["S3Client"]:
    settings = S3Settings(
        "bucket", endpoint_url=canned_server.url, access_key="AK", secret_key="SK", attempts=2
    )
    client = build_client(settings, pool_size=4)
    yield client
    client.close()


@pytest.fixture
def canned_store(canned: S3Proxy, canned_client: "S3Client") -> Iterator[S3Store]:
    with S3Store(canned_client, "bucket") as store:
        yield store
