"""The bucket stays an ordinary one: others' objects in the drive, the drive's with boto3."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.support.bridge import DAV, Client
from tests.support.buckets import MARKER_TYPE, Bucket
from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.served import Served, served
from tests.support.waiting import until

TTL = 1.0
"""Seconds. The default is more than `until` has patience for."""

SETTINGS = f"[cache]\nttl = {TTL}\nnegative_ttl = {TTL}\n"


@pytest.fixture(scope="module")
def server(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(bucket, tmp_path_factory.mktemp("davbridge"), settings=SETTINGS) as server:
        yield server


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with server.client() as client:
        yield client


def members(client: Client, target: str) -> dict[str, bool]:
    """The decoded hrefs below ``target``, and whether they are collections'."""
    answer = client("PROPFIND", target, depth="1")
    return {
        unquote(href.removeprefix(target)): response.find(f".//{DAV}resourcetype/{DAV}collection")
        is not None
        for href, response in answer.multistatus().items()
        if href != target
    }


def test_directories_of_every_convention_are_collections(client: Client, home: Home) -> None:
    home.bucket.put("slash/", content_type=MARKER_TYPE)
    home.bucket.put("console/", content_type="binary/octet-stream")
    home.bucket.put("hadoop_$folder$", content_type="binary/octet-stream")
    home.bucket.put("cloudfusion", content_type=MARKER_TYPE)
    home.bucket.put("implied/deep/file.txt", b"x")
    home.bucket.put("empty file", content_type="text/plain")
    home.bucket.put("full_$folder$", b"not a marker")
    folders = ("slash", "console", "hadoop", "cloudfusion", "implied")
    shown = {f"{name}/": True for name in folders}
    shown |= {"empty file": False, "full_$folder$": False}
    until(lambda: members(client, home.path) == shown)
    for name in folders:
        assert client("PROPFIND", f"{home.path}{name}/", depth="0").status == 207
        assert client("PUT", f"{home.path}{name}/new.txt", name).status == 201
        assert client("GET", f"{home.path}{name}/new.txt").body == name.encode()
        assert home.bucket.get(f"{name}/new.txt").body == name.encode()
    for name in folders:
        assert client("DELETE", f"{home.path}{name}/").status == 204
    assert home.bucket.bodies() == {"empty file": b"", "full_$folder$": b"not a marker"}


def test_other_tools_objects_are_read_whole_with_their_type_and_etag(
    client: Client, home: Home
) -> None:
    for name in NAMES:
        home.bucket.put(name, name.encode(), "text/x-of-another-tool")
    until(lambda: members(client, home.path).keys() == set(NAMES))
    for name in NAMES:
        answer = client("GET", home.path + quote(name))
        assert answer.body == name.encode()
        assert answer.header("Content-Type") == "text/x-of-another-tool"
        assert answer.header("ETag") == home.bucket.get(name).etag


def test_the_drives_objects_are_plain_to_boto3(client: Client, home: Home) -> None:
    big = bytes(range(256)) * 80_000  # more than a part
    assert client("MKCOL", f"{home.path}dir/").status == 201
    for name in NAMES:
        assert client("PUT", f"{home.path}dir/{quote(name)}", name).status == 201
    assert client("PUT", f"{home.path}picture.png", b"png").status == 201
    assert client("PUT", f"{home.path}big.bin", big, content_type="application/x-thing").status == (
        201
    )
    assert home.bucket.bodies() == {
        "dir/": b"",
        "picture.png": b"png",
        "big.bin": big,
        **{f"dir/{name}": name.encode() for name in NAMES},
    }
    assert home.bucket.get("dir/").content_type == MARKER_TYPE
    assert home.bucket.get("picture.png").content_type == "image/png"
    assert home.bucket.get("dir/plain.txt").content_type.startswith("text/plain")
    assert home.bucket.get("big.bin").content_type == "application/x-thing"


def test_etags_of_put_get_propfind_and_boto3_are_one(client: Client, home: Home) -> None:
    for name, body in {"small": b"x", "big": bytes(20_000_000)}.items():
        target = home.path + name
        etag = client("PUT", target, body).header("ETag")
        listed = client("PROPFIND", target, depth="0").property(target, f"{DAV}getetag")
        assert listed is not None
        assert listed.text == etag
        assert client("HEAD", target).header("ETag") == etag
        assert home.bucket.get(name).etag == etag


def test_changes_from_outside_are_seen_after_the_ttl(client: Client, home: Home) -> None:
    home.bucket.put("old.txt", b"old")
    home.bucket.put("gone.txt", b"gone")
    until(lambda: members(client, home.path).keys() == {"old.txt", "gone.txt"})
    assert client("GET", f"{home.path}new.txt").status == 404
    home.bucket.put("new.txt", b"new")
    home.bucket.put("old.txt", b"a newer version")
    home.bucket.delete("gone.txt")
    until(lambda: members(client, home.path).keys() == {"old.txt", "new.txt"})
    assert client("GET", f"{home.path}new.txt").body == b"new"
    assert client("GET", f"{home.path}old.txt").body == b"a newer version"
    assert client("GET", f"{home.path}gone.txt").status == 404


def test_a_version_from_outside_is_never_mixed_with_the_cached_one(
    client: Client, home: Home
) -> None:
    target = f"{home.path}a.txt"
    assert client("PUT", target, b"short").status == 201
    assert client("GET", target).body == b"short"
    home.bucket.put("a.txt", b"much longer than before")  # the cache still knows the old length
    answer = client("GET", target)
    assert answer.body == b"much longer than before"
    assert answer.header("ETag") == home.bucket.get("a.txt").etag


def test_a_prefix_shows_and_touches_nothing_outside(
    bucket: Bucket, home: Home, server_folder: Path
) -> None:
    home.bucket.put("outside.txt", b"o")
    home.bucket.put("team/a-neighbour.txt", b"n")
    home.bucket.put("team/a/inside.txt", b"i")
    prefix = f"{home.bucket.prefix}team/a"
    with (
        served(bucket, server_folder, prefix=prefix, settings=SETTINGS) as server,
        server.client() as client,
    ):
        assert members(client, "/") == {"inside.txt": False}
        for target in ("/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt"):
            assert client("GET", target).status in (400, 403, 404)
            assert client("PUT", target, b"!").status in (400, 403, 404, 409)
        assert client("PUT", "/new.txt", b"new").status == 201
        assert client("DELETE", "/inside.txt").status == 204
    assert home.bucket.bodies() == {
        "outside.txt": b"o",
        "team/a-neighbour.txt": b"n",
        "team/a/new.txt": b"new",
    }
