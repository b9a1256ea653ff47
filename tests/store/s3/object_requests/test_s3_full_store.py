"""A SeaweedFS that is full is told from one that fails, though it gives the same answer."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from davbridge.clock import utc_now
from davbridge.errors import OutOfSpaceError, UnavailableError
from davbridge.store.base import ALWAYS, Attributes
from davbridge.store.embedded import EmbeddedStore, process
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.bucket.capabilities import CANARY
from davbridge.store.s3.object_requests.conditional_writes import put
from davbridge.store.s3.object_requests.full_store import VALID, FullStoreDetector
from davbridge.store.s3.transport.transport import Transport
from tests.support.contract import LONG, keys, write
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, error
from tests.support.stores import MIB, fresh_bucket, s3_store, store_client
from tests.support.timer import Timer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FAILURE = error("InternalError", 500, Server="SeaweedFS 8000GB 4.48")
"""As it was recorded of a full one, for PutObject, UploadPart and CopyObject."""

MARKER = Attributes("application/x-directory")


def brings_content(request: Request) -> bool:
    has_source = request.headers["x-amz-copy-source"] is not None
    return request.method == "PUT" and (bool(request.body) or has_source)


def full(request: Request) -> Fault | None:
    return FAILURE if brings_content(request) else None


@pytest.fixture
def stored(proxied: S3Store, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A store with one object. Nobody waits before asking again."""
    proxied.put_object("old", b"old", Attributes())
    proxy.requests.clear()
    monkeypatch.setattr("time.sleep", lambda _: None)
    return proxied


WRITES: dict[str, Callable[[S3Store], object]] = {
    "put": lambda store: store.put_object("new", b"body", Attributes()),
    "written": lambda store: write(store, "new", b"body", length=None),
    "in parts": lambda store: write(store, "new", LONG),
    "copy": lambda store: store.copy_object(store.head_object("old").row, "new"),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_a_full_store_refuses_is_out_of_space(
    stored: S3Store, proxy: S3Proxy, name: str
) -> None:
    proxy.rule = full
    with pytest.raises(OutOfSpaceError):
        WRITES[name](stored)
    assert stored.trouble == ""
    assert keys(stored) == ["old"]
    proxy.reset()
    assert stored.abort_stale_uploads("", timedelta(minutes=-1)) == 0


def test_a_full_store_still_takes_folders_and_deletes(stored: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = full
    stored.put_object("folder/", b"", MARKER)
    stored.delete_object("old")
    assert keys(stored) == ["folder/"]


def fails_all(request: Request) -> Fault | None:
    return FAILURE if request.method == "PUT" else None


def fails_reads_too(request: Request) -> Fault | None:
    is_read = request.method == "GET" and "list-type" not in request.target
    return FAILURE if brings_content(request) or is_read else None


def fails_at_this(request: Request) -> Fault | None:
    return FAILURE if "/new" in request.target and request.method == "PUT" else None


def fails_as_another_store(request: Request) -> Fault | None:
    return error("InternalError", 500) if brings_content(request) else None


def is_busy(request: Request) -> Fault | None:
    busy = error("SlowDown", 503, Server="SeaweedFS 8000GB 4.48")
    return busy if brings_content(request) else None


def is_no_store(request: Request) -> Fault | None:
    return Answer(500, b"", {"Server": "SeaweedFS"}) if brings_content(request) else None


@pytest.mark.parametrize(
    "rule",
    [fails_all, fails_reads_too, fails_at_this, fails_as_another_store, is_busy, is_no_store],
)
def test_a_failure_of_a_store_with_room_stays_unavailable(
    stored: S3Store, proxy: S3Proxy, rule: Callable[[Request], Fault | None]
) -> None:
    proxy.rule = rule
    with pytest.raises(UnavailableError):
        WRITES["put"](stored)
    proxy.reset()
    assert keys(stored) == ["old"]


def test_a_failure_in_an_empty_bucket_stays_unavailable(stored: S3Store, proxy: S3Proxy) -> None:
    stored.delete_object("old")
    proxy.rule = full
    with pytest.raises(UnavailableError):
        WRITES["put"](stored)


def test_only_the_failure_of_a_full_store_costs_requests(stored: S3Store, proxy: S3Proxy) -> None:
    for rule in (fails_as_another_store, is_busy):
        proxy.rule = rule
        with pytest.raises(UnavailableError):
            WRITES["put"](stored)
    assert not any(CANARY in request.target for request in proxy.requests)


def test_a_full_store_is_looked_for_once_for_many_writes_and_again_after_a_while(
    stored: S3Store, proxy: S3Proxy, proxied_client: "S3Client", bucket_name: str
) -> None:
    timer = Timer()
    bucket = Bucket(Transport(proxied_client, bucket_name), bucket_name, utc_now)
    space = FullStoreDetector(lambda: bucket, timer)
    space.prefix = "folder/"
    stored.put_object("folder/object", b"x", Attributes())
    proxy.rule = full
    looks: list[int] = []
    for seconds in (0.0, VALID / 2, VALID):
        timer.advance(seconds)
        with pytest.raises(OutOfSpaceError), space:
            put(bucket, "new", b"body", Attributes(), ALWAYS, {})
        paths = [urlsplit(request.target).path for request in proxy.requests]
        targets = {path for path in paths if f"/folder/{CANARY}" in path}
        looks.append(len(targets))
    assert looks == [1, 1, 2]
    bucket.transport.close()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A SeaweedFS of one volume, which takes nothing more after its first megabytes."""
    command = process._command
    limits = ["-volume.max=1", "-master.volumeSizeLimitMB=1"]
    monkeypatch.setattr(process, "_command", lambda *given: [*command(*given), *limits])
    with EmbeddedStore.start(tmp_path) as store:
        yield Endpoint(store.endpoint_url, store.access_key, store.secret_key, store.region)


def fill(store: S3Store) -> None:
    """Until it is full, or for a minute: the master hears of it after a while."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        store.put_object("more", bytes(MIB), Attributes())
        time.sleep(0.2)


def test_a_full_seaweedfs_is_out_of_space(tiny: Endpoint, bucket_name: str) -> None:
    with (
        store_client(tiny) as client,
        fresh_bucket(client, bucket_name),
        s3_store(client, bucket_name) as store,
    ):
        row = store.put_object("first", bytes(3 * MIB), Attributes())
        with pytest.raises(OutOfSpaceError):
            fill(store)
        with pytest.raises(OutOfSpaceError):
            store.copy_object(row, "copy")
        with pytest.raises(OutOfSpaceError):
            write(store, "large", LONG)
        store.put_object("folder/", b"", MARKER)
        store.delete_object("first")
        assert [key for key in keys(store) if CANARY in key] == []
