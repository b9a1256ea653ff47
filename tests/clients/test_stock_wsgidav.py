"""davbridge's provider in a stock WsgiDAVApp on cheroot's own server: the clients' days, and what
a cut PUT leaves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest

import davbridge
from tests.clients.test_cadaver import (
    cadaver,
    test_a_days_work_with_cadaver_leaves_plain_objects,
    test_cadaver_keeps_properties_that_move_with_their_file,
    test_cadaver_locks_edits_and_unlocks,
    test_cadaver_reads_back_what_it_wrote,
)
from tests.clients.test_litmus import test_litmus_passes_104_of_104_without_a_warning
from tests.clients.test_rclone import (
    rclone,
    test_a_days_work_with_rclone_leaves_plain_objects,
    test_rclone_downloads_what_it_uploaded,
    test_rclone_lists_sizes_types_and_directories,
    test_rclone_sync_deletes_what_went_and_nothing_else,
    tree,
)
from tests.support.bridge import Client
from tests.support.buckets import Bucket
from tests.support.drive import Home, home_on
from tests.support.mounted import mounted, options
from tests.support.s3proxy import S3Proxy, s3_proxy
from tests.support.wire import RawClient

if TYPE_CHECKING:
    from tests.support.served import Served

__all__ = [
    "cadaver",
    "rclone",
    "test_a_days_work_with_cadaver_leaves_plain_objects",
    "test_a_days_work_with_rclone_leaves_plain_objects",
    "test_cadaver_keeps_properties_that_move_with_their_file",
    "test_cadaver_locks_edits_and_unlocks",
    "test_cadaver_reads_back_what_it_wrote",
    "test_litmus_passes_104_of_104_without_a_warning",
    "test_rclone_downloads_what_it_uploaded",
    "test_rclone_lists_sizes_types_and_directories",
    "test_rclone_sync_deletes_what_went_and_nothing_else",
    "tree",
]

LARGE = b"x" * (24 * 1024 * 1024)
"""More than a part, so that a multipart upload is under way when it is cut."""


class Mounted:
    """As much of `Served` as the clients' tests ask for."""

    log = ""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = urlsplit(url).port or 0

    @contextmanager
    def client(self, **headers: str) -> Iterator[Client]:
        client = Client(self.port, headers)
        try:
            yield client
        finally:
            client.close()


@pytest.fixture(scope="module")
def provider(bucket: Bucket) -> Iterator[davbridge.BucketProvider]:
    with davbridge.open_provider(bucket.name, **options(bucket)) as provider:
        yield provider


@pytest.fixture(scope="module")
def server(provider: davbridge.BucketProvider) -> Iterator["Served"]:
    with mounted({"/": provider}) as url:
        yield cast("Served", Mounted(url))


@pytest.fixture
def home(server: "Served", bucket: Bucket) -> Iterator[Home]:
    with home_on(server, bucket) as home:
        yield home


def pieces_of(body: bytes, size: int = 64 * 1024) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("old", [None, b"the old version"], ids=["new", "old"])
@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("body", [b"x" * 100_000, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_cut_put_leaves_what_was_there(
    framing: str,
    body: bytes,
    end: str,
    old: bytes | None,
    provider: davbridge.BucketProvider,
    home: Home,
) -> None:
    with home.server.client() as other:
        assert old is None or other("PUT", f"{home.path}file", old).status == 201
    head = f"PUT {home.path}file HTTP/1.1\r\nHost: localhost\r\n"
    # At its end this server has done with every request.
    with mounted({"/": provider}) as url, RawClient(Mounted(url).port) as client:
        if framing == "length":
            client.send(f"{head}Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
        else:
            client.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            # cheroot copies what is left of a chunk at each read: a large one takes many seconds.
            for piece in pieces_of(body):
                client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if body == LARGE:
            home.bucket.wait_for_uploads(["file"])
        if end == "fin":
            client.finish_sending()
            assert client.answer().status in (400, 500)
        else:
            client.reset()
    assert home.bucket.open_uploads() == []
    assert home.bucket.bodies() == ({} if old is None else {"file": old})


@pytest.fixture
def proxy(bucket: Bucket) -> Iterator[S3Proxy]:
    with s3_proxy(bucket.endpoint.url) as proxy:
        yield proxy


def test_a_folder_is_moved_by_a_plan_and_batches_not_member_by_member(
    bucket: Bucket, proxy: S3Proxy, tmp_path: Path
) -> None:
    names = [f"f{number:02}" for number in range(20)]
    with (
        davbridge.open_provider(
            f"{bucket.name}/{tmp_path.name}", **options(bucket, endpoint_url=proxy.url)
        ) as provider,
        mounted({"/": provider}) as url,
        Mounted(url).client() as client,
    ):
        below = bucket.below(f"{tmp_path.name}/")
        below.put("a/")
        for name in names:
            below.put(f"a/{name}", name.encode())
        proxy.reset()
        answer = client("MOVE", "/a/", destination=f"{url}/b/")
        assert answer.status == 201
        assert below.bodies() == {"b/": b"", **{f"b/{name}": name.encode() for name in names}}
        copies = [each for each in proxy.requests if each.headers["x-amz-copy-source"]]
        assert sum("/b/f" in each.target for each in copies) == len(names)
        # What another tool has put is looked at once, for what a copy has to keep.
        of_members = [each.method for each in proxy.requests if "/a/f" in each.target]
        assert of_members == ["HEAD"] * len(names)
        assert any("/.davbridge" in each.target for each in proxy.requests)  # the journal
