"""The store's stream breaks in the middle of a GET: it goes on, and the client doesn't notice."""

import time

import pytest

from tests.support.big import BIG, MIB, reading
from tests.support.drive import Home
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def home(fragile_home: Home) -> Home:
    return fragile_home


@pytest.mark.parametrize("cuts", [1, 5])
def test_a_get_whose_stream_breaks_is_resumed(cuts: int, home: Home, line: TcpProxy) -> None:
    line.cut_answers(cuts, after=4 * MIB)
    with reading(home) as response:
        assert response.read() == BIG[MIB:]
    assert line.cuts_left == 0


def test_a_get_that_stalls_for_a_moment_is_resumed(home: Home, line: TcpProxy) -> None:
    with reading(home) as response:
        line.stall()
        time.sleep(1.5)  # longer than the read timeout
        line.recover()
        assert response.read() == BIG[MIB:]
