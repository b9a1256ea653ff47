"""The store dies, stalls or pushes back in the middle: nothing is lost, and nothing is made up."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import product
from urllib.parse import urlsplit

import pytest

from davbridge.http.middleware.readiness import PATH
from tests.support.big import BIG
from tests.support.bridge import Client
from tests.support.drive import Home
from tests.support.tcp_proxy import TcpProxy
from tests.support.wire import RawClient


@pytest.fixture
def home(fragile_home: Home) -> Home:
    return fragile_home


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    with home.server.client() as client:
        yield client


@pytest.mark.parametrize("fail", [TcpProxy.break_off, TcpProxy.stall])
def test_a_store_that_is_gone_is_never_taken_for_a_missing_file(
    fail: Callable[[TcpProxy], None], home: Home, client: Client, line: TcpProxy
) -> None:
    assert client("PUT", f"{home.path}a.txt", b"a").status == 201
    fail(line)

    def ask(method: str, name: str) -> int:
        with home.server.client(depth="1") as client:
            return client(method, home.path + name).status

    requests = list(product(("PROPFIND", "GET", "HEAD"), ("a.txt", "missing.txt", "._a.txt", "")))
    with ThreadPoolExecutor(len(requests)) as pool:
        statuses = list(pool.map(ask, *zip(*requests, strict=True)))
    assert set(statuses) <= set(range(500, 600)), dict(zip(requests, statuses, strict=True))


CHANGES = {
    "PUT of a new file": ("PUT", "new.txt"),
    "PUT of an old file": ("PUT", "a.txt"),
    "DELETE of a file": ("DELETE", "a.txt"),
    "DELETE of a collection": ("DELETE", "dir/"),
    "MKCOL": ("MKCOL", "new/"),
    "MOVE of a file": ("MOVE", "a.txt"),
    "MOVE of a collection": ("MOVE", "dir/"),
    "COPY of a collection": ("COPY", "dir/"),
    "PROPPATCH": ("PROPPATCH", "a.txt"),
}

PROPERTIES = (
    '<D:propertyupdate xmlns:D="DAV:" xmlns:t="urn:test"><D:set><D:prop>'
    "<t:colour>blue</t:colour></D:prop></D:set></D:propertyupdate>"
)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_without_a_store_fails_and_changes_nothing(
    change: tuple[str, str], home: Home, client: Client, line: TcpProxy
) -> None:
    require_change_fails(TcpProxy.break_off, change, home, client, line)


@pytest.mark.parametrize("case", ["PUT of an old file", "MOVE of a file", "DELETE of a collection"])
def test_a_change_while_the_store_is_silent_fails_and_changes_nothing(
    case: str, home: Home, client: Client, line: TcpProxy
) -> None:
    require_change_fails(TcpProxy.stall, CHANGES[case], home, client, line)


def require_change_fails(
    fail: Callable[[TcpProxy], None],
    change: tuple[str, str],
    home: Home,
    client: Client,
    line: TcpProxy,
) -> None:
    """A change that fails at first, and succeeds once the store is there again."""
    method, name = change
    assert client("PUT", f"{home.path}a.txt", b"a").status == 201
    assert client("MKCOL", f"{home.path}dir/").status == 201
    assert client("PUT", f"{home.path}dir/b.txt", b"b").status == 201
    before = home.bucket.bodies()
    fail(line)
    body = {"PUT": "the new version", "PROPPATCH": PROPERTIES}.get(method)
    headers = {"destination": f"{home.url}target"} if method in ("MOVE", "COPY") else {}
    answer = client(method, home.path + name, body, headers)
    assert answer.status in range(500, 600)
    for inside in (home.bucket.name, urlsplit(line.url).netloc, "botocore", "Error"):
        assert inside.encode() not in answer.body  # which is the log's to tell
    line.recover()
    assert home.bucket.bodies() == before
    answer = client(method, home.path + name, body, headers)
    assert answer.status in (201, 204, 207)
    assert home.bucket.bodies() != before


@pytest.mark.parametrize("fail", [TcpProxy.break_off, TcpProxy.stall])
def test_a_store_that_goes_in_the_middle_of_a_large_put_keeps_the_old_object(
    fail: Callable[[TcpProxy], None], home: Home, line: TcpProxy
) -> None:
    home.bucket.put("a.bin", b"the old version")
    before = home.bucket.get("a.bin")
    with RawClient(home.server.port) as client:
        client.socket.settimeout(60)  # nobody reads while davbridge tries again
        head = f"PUT {home.path}a.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: {2 * len(BIG)}"
        client.send(f"{head}\r\n\r\n".encode())
        client.send(BIG)
        home.bucket.wait_for_uploads(["a.bin"])
        fail(line)
        with suppress(ConnectionError):  # it may answer, and close, before it has read it all
            client.send(BIG)
        assert client.answer().status in range(500, 600)
    line.recover()
    assert home.bucket.get("a.bin") == before
    with home.server.client() as after:
        # The store is given a second for an answer, which a busy machine may not make at once.
        assert any(after("PUT", f"{home.path}a.bin", BIG).status == 204 for _ in range(5))
    assert home.bucket.get("a.bin").body == BIG


def test_a_store_that_asks_to_slow_down_is_asked_again(
    home: Home, client: Client, line: TcpProxy
) -> None:
    assert client("PUT", f"{home.path}a.txt", b"a").status == 201
    line.slow_down(1)
    assert client("PROPFIND", f"{home.path}a.txt", depth="0").status == 207
    line.slow_down(1)
    assert client("GET", f"{home.path}a.txt").body == b"a"
    assert line.refusals_left == 0


def test_a_store_that_keeps_asking_to_slow_down_is_unavailable(
    home: Home, client: Client, line: TcpProxy
) -> None:
    line.slow_down(1000)
    for method in ("PROPFIND", "GET", "PUT"):
        assert client(method, f"{home.path}a.txt", depth="0").status == 503


def test_readiness_follows_the_store_and_needs_no_other_request(
    client: Client, line: TcpProxy
) -> None:
    def wait_for(status: int) -> None:
        deadline = time.monotonic() + 60
        while (answer := client("GET", PATH)).status != status:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ("Retry-After" in answer.headers) == (status == 503)

    wait_for(200)
    for fail in (line.break_off, line.stall):
        fail()
        wait_for(503)
        line.recover()
        wait_for(200)
    assert client("HEAD", PATH).status == 200
    assert client("PUT", PATH, b"x").status == 405


def test_the_server_answers_again_as_soon_as_the_store_does(
    home: Home, client: Client, line: TcpProxy
) -> None:
    for fail in (line.break_off, line.stall):
        fail()
        assert client("PROPFIND", home.path, depth="0").status in range(500, 600)
        line.recover()
        assert client("PROPFIND", home.path, depth="0").status == 207
