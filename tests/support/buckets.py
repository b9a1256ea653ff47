"""A bucket as every other tool sees it: what is in it, byte for byte, beside davbridge's back."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.support.endpoints import Endpoint, s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

MARKER_TYPE = "application/x-directory"


class Stored(NamedTuple):
    """An object, read whole."""

    body: bytes
    content_type: str
    etag: str
    """In quotes, as HTTP has it."""


@dataclass(frozen=True)
class Bucket:
    """A bucket, or a folder of it, asked through a plain boto3 client."""

    endpoint: Endpoint
    client: "S3Client"
    name: str
    prefix: str = ""
    """All keys below are told without it; what lies outside, and its own marker, isn't seen."""

    def below(self, prefix: str) -> Self:
        return replace(self, prefix=self.prefix + prefix)

    def put(self, key: str, body: bytes = b"", content_type: str = "text/plain") -> None:
        self.client.put_object(
            Bucket=self.name, Key=self.prefix + key, Body=body, ContentType=content_type
        )

    def get(self, key: str) -> Stored:
        answer = self.client.get_object(Bucket=self.name, Key=self.prefix + key)
        with answer["Body"] as body:
            return Stored(body.read(), answer["ContentType"], answer["ETag"])

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=self.prefix + key)

    def listed(self) -> list[str]:
        """Every key, directory markers and what davbridge hides included."""
        return sorted(self.etags())

    def etags(self) -> dict[str, str]:
        """The entity tag of each, in quotes, by its key."""
        lister = self.client.get_paginator("list_objects_v2")
        pages = lister.paginate(Bucket=self.name, Prefix=self.prefix)
        rows = [row for page in pages for row in page.get("Contents", ())]
        keys = {row["Key"].removeprefix(self.prefix): row["ETag"] for row in rows}
        return {key: keys[key] for key in keys if key}

    def bodies(self) -> dict[str, bytes]:
        """What is in it, whole."""
        return {key: self.get(key).body for key in self.listed()}

    def open_uploads(self) -> list[str]:
        """The keys of multipart uploads that were neither completed nor aborted."""
        answer = self.client.list_multipart_uploads(Bucket=self.name)
        keys = [upload["Key"] for upload in answer.get("Uploads", ())]
        return [key.removeprefix(self.prefix) for key in keys if key.startswith(self.prefix)]

    def wait_for_uploads(self, keys: list[str], seconds: float = 60.0) -> None:
        """Until exactly these uploads are open."""
        deadline = time.monotonic() + seconds
        while (found := self.open_uploads()) != keys:
            assert time.monotonic() < deadline, f"open uploads: {found}, not {keys}"
            time.sleep(0.05)

    def remove(self) -> None:
        """Deletes the bucket with all that is in it."""
        keys = self.listed()
        for start in range(0, len(keys), 1000):
            batch: list[ObjectIdentifierTypeDef] = [
                {"Key": self.prefix + key} for key in keys[start : start + 1000]
            ]
            answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": batch})
            assert not answer.get("Errors"), answer
        self.client.delete_bucket(Bucket=self.name)


@contextmanager
def fresh_bucket(endpoint: Endpoint) -> Iterator[Bucket]:
    """An empty bucket, which goes again: SeaweedFS gives each one volumes of its own."""
    client = s3_client(endpoint)
    bucket = Bucket(endpoint, client, f"test-{uuid.uuid4().hex}")
    try:
        client.create_bucket(Bucket=bucket.name)
        yield bucket
        bucket.remove()
    finally:
        client.close()
