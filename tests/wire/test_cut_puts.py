"""A PUT whose body ends early changes nothing, however it ends."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.support.buckets import Bucket
from tests.support.drive import Home
from tests.support.served import Served, served
from tests.support.wire import RawClient

SILENCE = 2.0
"""Seconds that this server lets a connection be silent."""

OLD = b"the old version"

SMALL = b"x" * 100_000
LARGE = b"x" * (24 * 1024 * 1024)
"""More than a part, so that a multipart upload is under way when it is cut."""


@pytest.fixture(scope="module")
def server(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = f"[server]\ntimeout = {SILENCE}\n"
    with served(bucket, tmp_path_factory.mktemp("davbridge"), settings=settings) as server:
        yield server


@dataclass(frozen=True)
class CutPut:
    """The head of a PUT, and the beginning of its body."""

    head: str
    sent: bytes

    def begin(self, client: RawClient, target: str) -> None:
        client.send(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\n{self.head}\r\n\r\n".encode())
        client.send(self.sent)

    @property
    def is_large(self) -> bool:
        return len(self.sent) >= len(LARGE)


def announced(length: int, sent: bytes) -> CutPut:
    return CutPut(f"Content-Length: {length}", sent)


def chunked(sent: bytes) -> CutPut:
    return CutPut("Transfer-Encoding: chunked", sent)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


CUTS = {
    "no-byte": announced(10, b""),
    "all-but-one-byte": announced(len(SMALL) + 1, SMALL),
    "large": announced(2 * len(LARGE), LARGE),
    "large-all-but-one-byte": announced(len(LARGE) + 1, LARGE),
    "no-chunk": chunked(b""),
    "in-a-chunk-size": chunked(chunk(SMALL) + b"1"),
    "in-a-chunk": chunked(chunk(SMALL)[:-10]),
    "between-chunks": chunked(chunk(SMALL)),
    "in-the-last-chunk": chunked(chunk(SMALL) + b"0\r\n"),
    "large-between-chunks": chunked(chunk(LARGE)),
    "large-in-the-last-chunk": chunked(chunk(LARGE) + b"0\r\n"),
}


def wait_until_under_way(home: Home, cut: CutPut, name: str) -> None:
    if cut.is_large:
        home.bucket.wait_for_uploads([name])


def put_old(home: Home, name: str) -> str:
    """An object to be overwritten; its entity tag."""
    with home.server.client() as client:
        assert client("PUT", home.path + name, OLD).status == 201
    return home.bucket.get(name).etag


def require_unchanged(home: Home, tags: dict[str, str]) -> None:
    """Of all that was tried to be written, only the old objects are there, as they were."""
    home.bucket.wait_for_uploads([])
    assert home.bucket.bodies() == dict.fromkeys(tags, OLD)
    assert {name: home.bucket.get(name).etag for name in tags} == tags
    with home.server.client() as client:
        for name in tags:
            assert client("GET", home.path + name).body == OLD
        assert client("GET", f"{home.path}new").status == 404


@pytest.mark.parametrize("name", ["new", "old"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_put_cut_by_a_fin_changes_nothing_and_is_refused(
    cut: CutPut, name: str, home: Home
) -> None:
    tags = {"old": put_old(home, "old")}
    with RawClient(home.server.port) as client:
        cut.begin(client, home.path + name)
        wait_until_under_way(home, cut, name)
        client.finish_sending()
        assert client.answer().status == 400
        assert client.at_end()
    require_unchanged(home, tags)


@pytest.mark.parametrize("name", ["new", "old"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_put_cut_by_a_reset_changes_nothing(cut: CutPut, name: str, home: Home) -> None:
    tags = {"old": put_old(home, "old")}
    client = RawClient(home.server.port)
    cut.begin(client, home.path + name)
    wait_until_under_way(home, cut, name)
    client.reset()
    require_unchanged(home, tags)


def test_puts_that_fall_silent_change_nothing_and_are_refused(home: Home) -> None:
    tags = {f"old-{case}": put_old(home, f"old-{case}") for case in CUTS}
    with ExitStack() as clients:
        silent = []
        for case, cut in CUTS.items():
            for name in (f"old-{case}", f"new-{case}"):
                client = clients.enter_context(RawClient(home.server.port))
                cut.begin(client, home.path + name)
                silent.append(client)
        for client in silent:
            assert client.answer().status in (400, 408)
            assert client.at_end()
    require_unchanged(home, tags)
