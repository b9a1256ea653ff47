"""The load generator counts right answers, and stops at a wrong one."""

import threading
from collections.abc import Iterator

import pytest
from cheroot.wsgi import Server

from tests.bench import load
from tests.bench.hello import hello
from tests.bench.load import LoadError
from tests.bench.wire import request


@pytest.fixture
def port() -> Iterator[int]:
    server = Server(("127.0.0.1", 0), hello, numthreads=4)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.bind_addr[1]
    server.stop()
    thread.join()


def test_right_answers_are_counted(port: int) -> None:
    asked = request(f"127.0.0.1:{port}", "GET", "/", 0, {})
    answer = load.learn(port, asked)
    assert answer.endswith(b"\r\n\r\nhello")
    assert load.rate(port, asked, answer, connections=2, seconds=0.2) > 0


def test_a_wrong_answer_is_an_error(port: int) -> None:
    asked = request(f"127.0.0.1:{port}", "GET", "/", 0, {})
    wanted = load.learn(port, asked).replace(b"hello", b"hullo")
    with pytest.raises(LoadError, match="another answer"):
        load.rate(port, asked, wanted, connections=2, seconds=0.2)


def test_the_ceiling_of_the_load_can_be_measured() -> None:
    assert load.ceiling(connections=2, seconds=0.2) > 0
