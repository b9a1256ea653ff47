"""GET and HEAD: ranges, versions, and that nothing uploaded runs in the drive's origin."""

import random
import re

import pytest

from davbridge.dav.headers.ranges import MIN_GAP
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import fill
from tests.support.bridge import Answer, Client, running_bridge
from tests.support.intercepted import CountingStore


def test_get_sends_the_range_that_is_asked_for(client: Client, store: MemoryStore) -> None:
    fill(store, "0123456789")
    whole = client("GET", "/0123456789")
    assert (whole.status, whole.body) == (200, b"0123456789")
    assert whole.header("Accept-Ranges") == "bytes"
    part = client("GET", "/0123456789", range="bytes=2-4")
    assert (part.status, part.body) == (206, b"234")
    assert part.header("Content-Range") == "bytes 2-4/10"
    past = client("GET", "/0123456789", range="bytes=10-")
    assert (past.status, past.header("Content-Range")) == (416, "bytes */10")
    stale = client("GET", "/0123456789", range="bytes=2-4", if_range='"old"')
    assert (stale.status, stale.body) == (200, b"0123456789")


def test_get_of_a_range_whose_end_is_far_beyond_the_file_sends_the_rest(
    client: Client, store: MemoryStore
) -> None:
    """RFC 9110 §14.1.2: a number may have any number of digits."""
    fill(store, "0123456789")
    answer = client("GET", "/0123456789", range="bytes=5-9223372036854775807")
    assert (answer.status, answer.header("Content-Range")) == (206, "bytes 5-9/10")


def test_get_of_the_last_bytes_of_an_empty_file_is_200(client: Client) -> None:
    """RFC 9110 §14.1.2: a suffix range is satisfiable, however short the file is."""
    assert client("PUT", "/empty", b"").status == 201
    answer = client("GET", "/empty", range="bytes=-5")
    assert (answer.status, answer.body, answer.header("Content-Length")) == (200, b"", "0")
    assert client("GET", "/empty", range="bytes=0-").status == 416


def test_get_of_several_ranges_is_multipart(client: Client, store: MemoryStore) -> None:
    """RFC 9110 §14.6, §15.3.7.2."""
    store.put_object("f", b"0123456789" * 100, Attributes())
    answer = client("GET", "/f", range="bytes=0-1,900-901,-2")
    kind, _, boundary = answer.header("Content-Type").partition("; boundary=")
    assert (answer.status, kind) == (206, "multipart/byteranges")
    assert int(answer.header("Content-Length")) == len(answer.body)
    parts = answer.body.split(f"--{boundary}".encode())
    assert len(parts) == 4
    assert b"Content-Range: bytes 0-1/1000\r\n\r\n01" in parts[1]
    # The last two lie close to one another.
    assert b"Content-Range: bytes 900-999/1000\r\n\r\n" + b"0123456789" * 10 in parts[2]
    assert parts[3] == b"--\r\n"


def parts_of(answer: Answer) -> dict[tuple[int, int], bytes]:
    """The parts of multipart/byteranges: bodies by their first and last positions, in order."""
    boundary = answer.header("Content-Type").partition("; boundary=")[2]
    found = {}
    for part in answer.body.split(f"\r\n--{boundary}".encode())[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        match = re.search(rb"Content-Range: bytes (\d+)-(\d+)/", head)
        assert match
        found[int(match[1]), int(match[2])] = body
    return found


@pytest.mark.parametrize(
    ("distance", "requests"),
    [(1_000, 1), (60_000, 1), (70_000, 200)],
    ids=["close", "as close", "far"],
)
@pytest.mark.parametrize("is_shuffled", [False, True], ids=["ascending", "in any order"])
def test_get_of_200_ranges_asks_the_store_once_where_they_lie_close(
    distance: int, requests: int, is_shuffled: bool
) -> None:
    """RFC 9110 §17.15: neither the answer nor the requests to the store can be amplified."""
    body = random.Random(1).randbytes(200 * distance)
    starts = [number * distance for number in range(200)]
    if is_shuffled:
        random.Random(2).shuffle(starts)
    asked_for = "bytes=" + ",".join(f"{start}-{start + 9}" for start in starts)
    store = CountingStore(MemoryStore())
    store.put_object("f", body, Attributes())
    with running_bridge(store) as bridge, bridge.client() as client:
        client("HEAD", "/f")
        with store.expect(get_object=requests):
            answer = client("GET", "/f", range=asked_for)
    assert answer.status == 206
    assert int(answer.header("Content-Length")) == len(answer.body) < 200 * (10 + MIN_GAP)
    parts = parts_of(answer)
    assert set(parts) == {(start, start + 9) for start in starts}
    assert all(part == body[first : last + 1] for (first, last), part in parts.items())


def test_get_of_one_more_range_sends_the_whole(client: Client, store: MemoryStore) -> None:
    """RFC 9110 §14.2: as Apache does."""
    store.put_object("f", b"x" * 300_000, Attributes())
    asked_for = "bytes=" + ",".join(f"{number * 1000}-{number * 1000}" for number in range(201))
    answer = client("GET", "/f", range=asked_for)
    assert (answer.status, len(answer.body)) == (200, 300_000)


def test_get_of_ranges_that_become_one_has_no_parts(client: Client, store: MemoryStore) -> None:
    """RFC 9110 §15.3.7.2: a single range that remains may be sent as one."""
    store.put_object("f", b"0123456789" * 100, Attributes())
    answer = client("GET", "/f", range="bytes=10-12,5-11,20-24")
    assert (answer.status, answer.header("Content-Range")) == (206, "bytes 5-24/1000")
    assert answer.body == b"56789012345678901234"


def test_several_ranges_of_a_file_replaced_behind_the_cache_are_of_the_new_one(
    client: Client, store: MemoryStore
) -> None:
    store.put_object("f", b"old", Attributes())
    assert client("GET", "/f").body == b"old"
    store.put_object("f", b"newer" * 100, Attributes())
    answer = client("GET", "/f", range="bytes=0-0,-1")
    assert answer.status == 206
    assert b"Content-Range: bytes 499-499/500\r\n\r\nr" in answer.body


def test_get_answers_304_with_its_validators(client: Client) -> None:
    put = client("PUT", "/f", b"1")
    etag, modified = put.header("ETag"), put.header("Last-Modified")
    for headers in ({"If-None-Match": etag}, {"If-Modified-Since": modified}):
        answer = client("GET", "/f", headers=headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.header("ETag") == etag


def test_get_shows_a_version_that_came_from_elsewhere(client: Client, store: MemoryStore) -> None:
    client("PUT", "/f", b"1")
    store.put_object("f", b"from elsewhere", Attributes())
    answer = client("GET", "/f")
    assert (answer.status, answer.body) == (200, b"from elsewhere")
    assert answer.header("ETag") == f'"{store.head_object("f").row.etag}"'
    store.delete_object("f")
    assert client("GET", "/f").status == 404


def test_head_and_get_of_a_collection_answer_200(client: Client) -> None:
    client("MKCOL", "/d/")
    for target in ("/", "/d", "/d/"):
        head, got = client("HEAD", target), client("GET", target)
        assert (head.status, got.status) == (200, 200)
        assert head.header("Content-Length") == got.header("Content-Length") == str(len(got.body))


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-7",
        "text/plain, text/html",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "application/rss+xml",
        "audio/a+xml",
        "video/mp4, text/html",
        "video/mp4; x=y, text/html",
        "application/pdf, text/html",
        "application/pdf+xml",
        "application/javascript",
        "multipart/x-mixed-replace; boundary=x",
        "text/plain",
        "x",
    ],
)
@pytest.mark.parametrize("way", ["GET", "HEAD", "bytes=0-1", "bytes=0-1,3-4"])
def test_nothing_uploaded_runs_in_the_drive_s_origin(
    way: str, content_type: str, client: Client
) -> None:
    client("PUT", "/x.html", b"<script>1</script>", content_type=content_type)
    asked = {"range": way} if way.startswith("bytes") else {}
    answer = client("HEAD" if way == "HEAD" else "GET", "/x.html", None, asked)
    assert answer.status == (206 if asked else 200)
    if "," not in way:
        assert answer.header("Content-Type") == content_type
    assert answer.header("Content-Security-Policy") == "sandbox"
    assert answer.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(
    ("content_type", "is_shown"),
    [
        ("text/javascript", False),
        ("text/css", False),
        ("image/png, text/javascript", False),
        ("text/javascript; x=image/png", False),
        ("image/png", True),
        ("image/svg+xml", True),
        ("video/mp4; codecs=avc1", True),
    ],
)
def test_pages_of_other_sites_can_read_no_file(
    content_type: str, is_shown: bool, client: Client
) -> None:
    """A script or a style sheet that a page loads is an open book to it; a picture isn't."""
    client("PUT", "/x", b"secret = 'x'", content_type=content_type)
    for method in ("GET", "HEAD"):
        answer = client(method, "/x")
        assert answer.header("Content-Type") == content_type
        policy = answer.headers["Cross-Origin-Resource-Policy"]
        assert policy == (None if is_shown else "same-site")


@pytest.mark.parametrize(
    "content_type",
    ["audio/x-wav", "VIDEO/MP4; codecs=avc1", "application/pdf", "application/pdf;charset=x"],
)
def test_media_files_keep_the_drives_origin_and_run_no_script(
    content_type: str, client: Client
) -> None:
    """Its player asks for the file again, which a sandbox of no origin may not."""
    client("PUT", "/x", b"<script>1</script>", content_type=content_type)
    for method in ("GET", "HEAD"):
        answer = client(method, "/x")
        assert answer.header("Content-Type") == content_type
        assert answer.header("Content-Security-Policy") == "sandbox allow-same-origin"
        assert answer.header("X-Content-Type-Options") == "nosniff"


def test_a_content_type_that_others_stored_begins_no_header(
    client: Client, store: MemoryStore
) -> None:
    kinds = ("a/b\r\nSet-Cookie: c", "a/b\nX: y", "a/b\0", "ä/€", "")
    for number, kind in enumerate(kinds):
        store.put_object(f"{number}.txt", b"x", Attributes(kind))
    for number in range(len(kinds)):
        for method in ("GET", "HEAD"):
            answer = client(method, f"/{number}.txt")
            assert (answer.status, answer.header("Content-Type")) == (200, "text/plain")
            assert "Set-Cookie" not in answer.headers


def test_ranges_that_overlap_to_more_than_the_whole_are_answered_by_it(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "0123456789")
    answer = client("GET", "/0123456789", range="bytes=0-8,1-9")
    assert (answer.status, answer.body) == (200, b"0123456789")
