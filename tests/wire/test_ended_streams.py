"""The store's stream ends in the middle of a GET: the client sees that it broke."""

import http.client
from collections.abc import Callable

import pytest

from tests.support.big import BIG, reading
from tests.support.drive import Home
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def home(fragile_home: Home, line: TcpProxy) -> Home:
    """The store sends no more than half of BIG, however much room there is on its way."""
    line.stall_after(len(BIG) // 2)
    return fragile_home


@pytest.mark.parametrize("fail", [TcpProxy.break_off, TcpProxy.stall])
def test_a_get_whose_store_is_gone_never_looks_whole(
    fail: Callable[[TcpProxy], None], home: Home, line: TcpProxy
) -> None:
    with reading(home) as response:
        fail(line)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


def test_a_get_whose_object_is_replaced_in_mid_stream_never_mixes_versions(
    home: Home, line: TcpProxy
) -> None:
    with reading(home) as response:
        home.bucket.put("big.bin", bytes(len(BIG)))
        line.drop()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
