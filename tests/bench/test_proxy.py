"""The latency proxy delays each request once, side by side, and counts them."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.bench.proxy import CONTINUE, LatencyProxy, Seen, latency_proxy, rounds
from tests.support.waiting import PATIENCE

DELAY = 0.02

SIDE_BY_SIDE = 32

TOGETHER = "/together"
"""What is answered only once so many are there."""

ALL = threading.Barrier(SIDE_BY_SIDE)


class Echo(BaseHTTPRequestHandler):
    """Answers a request with its own body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == TOGETHER:
            ALL.wait(PATIENCE)
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_expect_100(self) -> bool:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


class Store(ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture(scope="module")
def proxy() -> Iterator[LatencyProxy]:
    server = Store(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with latency_proxy(f"http://127.0.0.1:{server.server_address[1]}", DELAY) as proxy:
            yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def put(proxy: LatencyProxy, bodies: list[bytes], target: str = "/x") -> list[float]:
    """Sends them one after another on one connection; the seconds that each took."""
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=2 * PATIENCE)
    took = []
    for body in bodies:
        start = time.monotonic()
        connection.request("PUT", target, body)
        assert connection.getresponse().read() == body
        took.append(time.monotonic() - start)
    connection.close()
    return took


def test_each_request_is_held_back_once_and_counted(proxy: LatencyProxy) -> None:
    proxy.take()
    took = put(proxy, [b"x"] * 10)
    assert min(took) >= DELAY
    seen = proxy.take()
    assert [each.method for each in seen] == ["PUT"] * 10
    assert rounds(seen) == 10
    assert proxy.take() == []


def test_a_long_body_is_held_back_once_and_arrives_whole(proxy: LatencyProxy) -> None:
    proxy.take()
    put(proxy, [bytes(range(256)) * 40_000, b"after it"])
    assert len(proxy.take()) == 2


def test_waiting_for_leave_to_send_a_body_is_a_round_trip_more(proxy: LatencyProxy) -> None:
    proxy.take()
    port = int(proxy.url.rpartition(":")[2])
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        head = b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head)
        assert b" 100 " in connection.recv(1000)
        connection.sendall(b"body")
        assert b" 200 " in connection.recv(1000)
    assert time.monotonic() - start >= 2 * DELAY
    seen = proxy.take()
    assert [each.method for each in seen] == ["PUT", CONTINUE]
    assert rounds(seen) == 2


def test_parallel_requests_do_not_wait_for_one_another(proxy: LatencyProxy) -> None:
    proxy.take()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(lambda _: put(proxy, [b"x"] * 4, TOGETHER), range(SIDE_BY_SIDE)))
    seen = proxy.take()
    assert len(seen) == 4 * SIDE_BY_SIDE
    assert rounds(seen) == 4


def test_rounds_are_the_longest_chain_of_requests_that_waited() -> None:
    parallel = [Seen("GET", 0.0, 1.0), Seen("GET", 0.1, 1.1), Seen("GET", 0.2, 1.2)]
    then = [Seen("GET", 1.3, 2.0), Seen("GET", 1.4, 2.5)]
    assert rounds([]) == 0
    assert rounds(parallel) == 1
    assert rounds(parallel + then) == 2
