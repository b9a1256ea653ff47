"""The stores that the contract is held against, and where they honestly differ from AWS."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from davbridge.config import S3Settings
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client
from davbridge.store.s3.transport.transport import TIMING, Timing
from tests.support.endpoints import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024**2

LIMIT = 64 * MIB
"""The largest object in the contract tests."""

READ_TIMEOUT = 4.0
"""Seconds that a store may be silent in the tests."""

SMALL_PART = 5 * MIB
"""The smallest part that S3 takes, but for the last."""


class Feature(Enum):
    """What AWS does, and not every store."""

    BYTE_ORDER = "flat listings are in the order of the keys' UTF-8 bytes"
    CONDITIONAL_COPY = "If-Match and If-None-Match hold on CopyObject"
    CONDITIONAL_COMPLETE = "If-Match holds on CompleteMultipartUpload"
    CONDITIONAL_DELETE_BATCH = "ETags hold in DeleteObjects"
    PINNED_COPY = "CopyObject refuses a source that has changed"
    MARKER_METADATA = "a key that ends in a slash keeps its user metadata"
    MARKER_BODY = "a key that ends in a slash keeps its body"
    EMPTY_SEGMENTS = "a//b is another key than a/b"
    LINE_FEED = "a key may hold a line feed"
    ONE_WINNER = "of several writes with If-None-Match at once one wins"
    FORGETS_PREFIXES = "a prefix is gone with the last key below it"


DIFFERENCES: dict[str, dict[Feature, str]] = {
    "moto": {
        Feature.CONDITIONAL_COPY: "moto ignores conditions on COPY",
        Feature.CONDITIONAL_COMPLETE: "moto ignores If-Match on CompleteMultipartUpload",
        Feature.CONDITIONAL_DELETE_BATCH: "moto ignores ETags in DeleteObjects",
        Feature.PINNED_COPY: "moto ignores x-amz-copy-source-if-match",
        Feature.ONE_WINNER: "moto looks whether there is an object, and writes, in two steps",
        Feature.LINE_FEED: "moto's router finds no handler for such a path",
    },
    "seaweedfs": {
        Feature.BYTE_ORDER: "SeaweedFS walks folder by folder: a/b comes before a-",
        Feature.MARKER_METADATA: "SeaweedFS keeps only the content type of a folder",
        Feature.MARKER_BODY: "SeaweedFS gives a folder the size 0",
        Feature.EMPTY_SEGMENTS: "SeaweedFS cleans paths",
        Feature.FORGETS_PREFIXES: "SeaweedFS removes emptied folders some time later",
    },
}


def settings_for(endpoint: Endpoint, bucket: str, prefix: str = "") -> S3Settings:
    return S3Settings(
        bucket=bucket,
        prefix=prefix,
        endpoint_url=endpoint.url,
        region=endpoint.region,
        access_key=endpoint.access_key,
        secret_key=endpoint.secret_key,
        connect_timeout=2.0,
        read_timeout=READ_TIMEOUT,
    )


@contextmanager
def store_client(endpoint: Endpoint) -> Iterator["S3Client"]:
    """davbridge's own client of it."""
    client = build_client(settings_for(endpoint, "any"), pool_size=16)
    try:
        yield client
    finally:
        client.close()


def s3_store(client: "S3Client", bucket: str, timing: Timing = TIMING) -> S3Store:
    """A store with parts so small that tests can afford several."""
    return S3Store(
        client,
        bucket,
        max_object_size=LIMIT,
        part_size=SMALL_PART,
        copy_limit=SMALL_PART,
        copy_part_size=SMALL_PART,
        timing=timing,
    )


@contextmanager
def fresh_bucket(client: "S3Client", name: str) -> Iterator[None]:
    """A bucket that is there, and gone again: SeaweedFS sets disk space aside for each."""
    client.create_bucket(Bucket=name)
    try:
        yield
    finally:
        with S3Store(client, name) as store:
            pages = store.list_objects("")
            store.delete_objects([row.key for page in pages for row in page.rows])
        client.delete_bucket(Bucket=name)
