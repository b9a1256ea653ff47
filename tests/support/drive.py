"""Fixtures: a davbridge process on a bucket of SeaweedFS, and a folder of it for each test.

A start costs a second or two, so that one process serves all tests of a module; each works in a
folder of its own, and the folder's objects are compared, one by one, with what should be there.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.buckets import Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.served import Served, served

__all__ = ["Home", "bucket", "home", "server", "server_folder"]


@dataclass(frozen=True)
class Home:
    """A collection on the drive, and the objects that it is."""

    server: Served
    path: str
    """As a request target; ends in ``/``."""
    bucket: Bucket

    @property
    def url(self) -> str:
        return self.server.url + self.path


@pytest.fixture(scope="module")
def bucket(seaweedfs: Endpoint) -> Iterator[Bucket]:
    with fresh_bucket(seaweedfs) as bucket:
        yield bucket


@pytest.fixture(scope="module")
def server(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(bucket, tmp_path_factory.mktemp("davbridge")) as server:
        yield server


@pytest.fixture
def home(server: Served, bucket: Bucket) -> Iterator[Home]:
    with home_on(server, bucket) as home:
        yield home


@contextmanager
def home_on(server: Served, bucket: Bucket) -> Iterator[Home]:
    """A folder of the test's own. Nothing outside of it changes, and nothing fails unforeseen."""
    name = f"home-{uuid.uuid4().hex[:8]}"
    with server.client() as client:
        assert client("MKCOL", f"/{name}/").status == HTTPStatus.CREATED
    outside = other_keys(bucket, name)
    told = len(server.log)
    yield Home(server, f"/{name}/", bucket.below(f"{name}/"))
    assert other_keys(bucket, name) == outside
    assert "Traceback" not in server.log[told:], server.log[told:]


@pytest.fixture
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For a davbridge of the test's own; apart from ``tmp_path``, where clients work."""
    return tmp_path_factory.mktemp("davbridge")


def other_keys(bucket: Bucket, name: str) -> list[str]:
    return [key for key in bucket.listed() if not key.startswith(f"{name}/")]
