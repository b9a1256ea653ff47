"""The fixtures of tests on raw sockets, and of those whose store fails."""

from collections.abc import Iterator

import pytest

from tests.support.buckets import Bucket
from tests.support.drive import Home, bucket, home, home_on, server, server_folder
from tests.support.endpoints import Endpoint
from tests.support.served import Served, served
from tests.support.tcp_proxy import TcpProxy, proxied

__all__ = ["bucket", "home", "server", "server_folder"]

SETTINGS = """\
[s3]
connect_timeout = 1
read_timeout = 1
attempts = 2
[cache]
ttl = 0
negative_ttl = 0
"""


@pytest.fixture(scope="module")
def line(seaweedfs: Endpoint) -> Iterator[TcpProxy]:
    """Between davbridge and its store."""
    with proxied(seaweedfs.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def fragile_server(
    bucket: Bucket, line: TcpProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("davbridge")
    with served(bucket, folder, settings=SETTINGS, endpoint_url=line.url) as server:
        yield server


@pytest.fixture
def fragile_home(fragile_server: Served, bucket: Bucket, line: TcpProxy) -> Iterator[Home]:
    """A folder of a davbridge whose store fails when ``line`` is told so."""
    with home_on(fragile_server, bucket) as home:
        yield home
        line.recover()
