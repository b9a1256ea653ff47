"""What every scenario works with: a store, what is in it, and servers before it.

Owns the store's bucket: it is filled, and looked into, straight, never through what is measured.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.config import Config
from botocore.handlers import add_expect_header

from davbridge.store.embedded import EmbeddedStore
from tests.bench import seed
from tests.bench.answers import WrongAnswerError
from tests.bench.peers import Peer, Place
from tests.bench.proxy import LatencyProxy, latency_proxy
from tests.bench.runs import Run, Straight
from tests.bench.servers import running
from tests.bench.sizes import Sizes
from tests.support.endpoints import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LATENCY = 0.02
"""Seconds that the proxy adds to each S3 request."""

BUCKET = "bench"

UPLOAD_PATIENCE = 180.0
"""Seconds after an answer in which S3 may still come to hold what was written."""


class Stored(NamedTuple):
    """An object, as a listing tells of it."""

    size: int
    etag: str


class Bench:
    """A running store. Made by `open_bench`."""

    def __init__(
        self, endpoint: Endpoint, folder: Path, sizes: Sizes, patience: float = UPLOAD_PATIENCE
    ) -> None:
        self._patience = patience
        self.endpoint = endpoint
        self.folder = folder
        self.sizes = sizes
        self.client = plain_client(endpoint)
        self._filled: dict[str, Mapping[str, int]] = {}

    @contextmanager
    def serving(self, peer: Peer, *, latency: bool) -> Iterator[Run]:
        """A fresh server: whatever it knows, it has asked for."""
        with self._reached(latency) as (endpoint, proxy):
            place = Place(endpoint, BUCKET, self.folder / uuid.uuid4().hex[:8])
            with running(peer, place) as server:
                yield Run(server, proxy)

    @contextmanager
    def straight(self, *, latency: bool) -> Iterator[Straight]:
        """A fresh client, its connections not yet open."""
        with self._reached(latency) as (endpoint, proxy):
            client = plain_client(endpoint)
            try:
                yield Straight(client, proxy)
            finally:
                client.close()

    @contextmanager
    def _reached(self, latency: bool) -> Iterator[tuple[Endpoint, LatencyProxy | None]]:
        if not latency:
            yield self.endpoint, None
            return
        with latency_proxy(self.endpoint.url, LATENCY) as proxy:
            yield replace(self.endpoint, url=proxy.url.strip()), proxy

    def fill(self, folder: str, sizes: Mapping[str, int]) -> None:
        """Puts these objects below a folder, unless they were put there before."""
        if self._filled.get(folder) != sizes:
            seed.fill(self.endpoint, BUCKET, f"{folder}/", sizes)
            self._filled[folder] = sizes

    def stored(self, folder: str) -> dict[str, Stored]:
        """What is below a folder now; directory markers don't count."""
        lister = self.client.get_paginator("list_objects_v2")
        pages = lister.paginate(Bucket=BUCKET, Prefix=f"{folder}/")
        rows = (row for page in pages for row in page.get("Contents", ()))
        return {
            row["Key"].removeprefix(f"{folder}/"): Stored(row["Size"], row["ETag"].strip('"'))
            for row in rows
            if not row["Key"].endswith("/")
        }

    def lateness(self, folder: str, expected: Mapping[str, Stored]) -> float:
        """Seconds from now until S3 holds exactly this; 0 where it does already.

        Servers may keep objects of their own beside, under hidden names. Raises WrongAnswerError
        when it comes to hold anything else.
        """
        return self.wait_for(lambda: _visible(self.stored(folder)) == expected, folder)

    def wait_for(self, is_right: Callable[[], bool], what: str) -> float:
        """The same for any state."""
        began_at = looked_at = time.monotonic()
        while not is_right():
            if looked_at > began_at + self._patience:
                raise WrongAnswerError(f"{what} in S3 isn't what it should be")
            time.sleep(0.05)
            looked_at = time.monotonic()
        return looked_at - began_at

    def remove(self, folder: str) -> None:
        for name in self.stored(folder):
            self.client.delete_object(Bucket=BUCKET, Key=f"{folder}/{name}")


def _visible(stored: Mapping[str, Stored]) -> dict[str, Stored]:
    return {name: each for name, each in stored.items() if "/." not in f"/{name}"}


def plain_client(endpoint: Endpoint) -> "S3Client":
    """boto3 as whoever wants it fast would set it up."""
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=endpoint.region,
        config=Config(
            s3={"addressing_style": "path"},
            max_pool_connections=64,
            retries={"mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    # It doubles the round trips of a small PUT.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


@contextmanager
def open_bench(folder: Path, sizes: Sizes) -> Iterator[Bench]:
    """SeaweedFS with an empty bucket, in ``folder``."""
    with ExitStack() as stack:
        store = stack.enter_context(EmbeddedStore.start(folder / "store"))
        endpoint = Endpoint(store.endpoint_url, store.access_key, store.secret_key, store.region)
        bench = Bench(endpoint, folder, sizes)
        stack.callback(bench.client.close)
        bench.client.create_bucket(Bucket=BUCKET)
        yield bench
