"""A store that is slow for one client doesn't make the others queue."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.drive import Home
from tests.support.tcp_proxy import TcpProxy

CLIENTS = 8

PATIENCE = 8.0
"""Seconds. One request gives up after two; if each waited for the one before, it were sixteen."""


@pytest.fixture
def home(fragile_home: Home) -> Home:
    return fragile_home


@pytest.mark.parametrize("method", ["PROPFIND", "GET", "PUT", "DELETE"])
def test_requests_wait_for_the_store_side_by_side(method: str, home: Home, line: TcpProxy) -> None:
    def ask(number: int) -> int:
        with home.server.client(depth="0") as client:
            return client(method, f"{home.path}{number}").status

    line.stall()
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        assert set(pool.map(ask, range(CLIENTS))) == {503}
    assert time.monotonic() - began < PATIENCE
