"""A store that is slow for one client doesn't make the others queue."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.buckets import Bucket
from tests.support.drive import Home
from tests.support.served import Served, served
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import FOREVER, until

CLIENTS = 8

SETTINGS = f"""\
[s3]
read_timeout = {FOREVER}
attempts = 1
[cache]
ttl = 0
negative_ttl = 0
"""


@pytest.fixture(scope="module")
def server(
    bucket: Bucket, line: TcpProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("davbridge")
    with served(bucket, folder, settings=SETTINGS, endpoint_url=line.url) as server:
        yield server


@pytest.mark.parametrize("method", ["PROPFIND", "GET", "PUT", "DELETE"])
def test_requests_wait_for_the_store_side_by_side(method: str, home: Home, line: TcpProxy) -> None:
    """It answers none of them before all have asked it."""

    def ask(number: int) -> int:
        with home.server.client(depth="0") as client:
            return client(method, f"{home.path}{number}").status

    line.stall()
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(ask, number) for number in range(CLIENTS)]
        try:
            until(lambda: line.held >= CLIENTS)
            assert not any(each.done() for each in asked)
        finally:
            line.break_off()
        assert {each.result() for each in asked} == {503}


@pytest.fixture(autouse=True)
def recovered(line: TcpProxy) -> Iterator[None]:
    yield
    line.recover()
