"""Requests that reach the store late, after whoever sent them has gone on: they do nothing."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from davbridge.clock import utc_now
from davbridge.errors import PreconditionFailedError
from davbridge.store.base import IF_ABSENT, Attributes, ObjectRow
from davbridge.store.s3 import S3Store
from davbridge.tree.listing.markers import MARKER
from tests.support.contract import LONG, drain, keys, write
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import Hold, Lose, S3Proxy, once, s3_proxy
from tests.support.stores import fresh_bucket, s3_store, store_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def running_line(seaweedfs: Endpoint) -> Iterator[S3Proxy]:
    with s3_proxy(seaweedfs.url) as running:
        yield running


@pytest.fixture(scope="module")
def client(running_line: S3Proxy, seaweedfs: Endpoint) -> Iterator["S3Client"]:
    with store_client(replace(seaweedfs, url=running_line.url)) as client:
        yield client


@pytest.fixture
def line(running_line: S3Proxy) -> S3Proxy:
    running_line.reset()
    return running_line


@pytest.fixture
def store(
    line: S3Proxy, client: "S3Client", seaweedfs_client: "S3Client", bucket_name: str
) -> Iterator[S3Store]:
    with fresh_bucket(seaweedfs_client, bucket_name), s3_store(client, bucket_name) as store:
        yield store


def age(store: S3Store, row: ObjectRow) -> None:
    """Waits until the store's own time is surely past the second in which the object was made."""
    while utc_now() < row.modified + timedelta(seconds=2.5):
        time.sleep(0.1)
    assert store.head_object(row.key).row == row


def test_a_delete_that_comes_late_spares_what_was_written_meanwhile(
    store: S3Store, line: S3Proxy
) -> None:
    row = store.put_object("a", b"body", Attributes())
    age(store, row)
    hold = Hold(is_cut=True)
    line.rule = once("DELETE", "/a", hold)
    store.delete_object("a", version=row)
    assert store.put_object("a", b"body", Attributes()).etag == row.etag
    late = hold.deliver()
    assert late.status == 403
    assert b"expired" in late.body
    assert drain(store.get_object("a")) == b"body"


def test_a_batch_that_comes_late_spares_what_was_written_meanwhile(
    store: S3Store, line: S3Proxy
) -> None:
    rows = {key: store.put_object(key, b"body", Attributes()) for key in ("a", "b")}
    age(store, rows["b"])
    hold = Hold(is_cut=True)
    line.rule = once("POST", "delete", hold)
    assert store.delete_objects(["a", "b"], versions=rows) == []
    store.put_object("a", b"body", Attributes())
    assert hold.deliver().status == 403
    assert keys(store) == ["a"]


def test_a_copy_that_comes_late_replaces_nothing(store: S3Store, line: S3Proxy) -> None:
    source = store.put_object("a", b"body", Attributes())
    hold = Hold(is_cut=True)
    line.rule = once("PUT", "/b", hold)
    store.copy_object(source, "b")
    store.put_object("b", b"newer", Attributes())
    assert hold.deliver().status == 403
    assert drain(store.get_object("b")) == b"newer"


def test_a_small_put_that_comes_late_replaces_nothing(store: S3Store, line: S3Proxy) -> None:
    hold = Hold(is_cut=True)
    line.rule = once("PUT", "/a", hold)
    store.put_object("a", b"older", Attributes())
    store.put_object("a", b"newer", Attributes())
    assert hold.deliver().status == 403
    assert drain(store.get_object("a")) == b"newer"


def test_a_completion_that_comes_late_replaces_nothing(store: S3Store, line: S3Proxy) -> None:
    hold = Hold(is_cut=True)
    line.rule = once("POST", "uploadId", hold)
    write(store, "a", LONG)
    store.put_object("a", b"newer", Attributes())
    assert hold.deliver().status == 403
    assert drain(store.get_object("a")) == b"newer"


def test_a_marker_whose_answer_is_lost_is_not_refused(store: S3Store, line: S3Proxy) -> None:
    """SeaweedFS keeps nothing of a marker by which it could be known again, but its time."""
    line.rule = once("PUT", "/d/", Lose())
    assert store.put_object("d/", b"", MARKER, IF_ABSENT).key == "d/"
    assert keys(store) == ["d/"]


def test_a_marker_that_was_there_before_is_refused_whatever_answers_are_lost(
    store: S3Store, line: S3Proxy
) -> None:
    age(store, store.put_object("d/", b"", MARKER))
    line.rule = once("PUT", "/d/", Lose())
    with pytest.raises(PreconditionFailedError):
        store.put_object("d/", b"", MARKER, IF_ABSENT)
