"""Each verb of classes 1 and 2 on files and collections, over a real socket."""

import json
import time
from collections.abc import Iterator
from xml.etree.ElementTree import fromstring

import pytest

from davbridge.config import DriveSettings
from davbridge.dav.locks import MemoryLockStore
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.support.bridge import DAV, Answer, Bridge, Client, running_bridge

LOCK_INFO = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype><D:owner><D:href>me</D:href></D:owner></D:lockinfo>"
)
EXCLUSIVE = LOCK_INFO.format(scope="exclusive")
SHARED = LOCK_INFO.format(scope="shared")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bridge(store: MemoryStore) -> Iterator[Bridge]:
    with running_bridge(store) as bridge:
        yield bridge


@pytest.fixture
def client(bridge: Bridge) -> Iterator[Client]:
    with bridge.client() as client:
        yield client


def keys(store: MemoryStore) -> list[str]:
    return [row.key for page in store.list_objects("") for row in page.rows]


def content(store: MemoryStore, key: str) -> bytes:
    with store.get_object(key) as reader:
        return reader.read(1_000_000)


def fill(store: MemoryStore, *names: str) -> None:
    for name in names:
        store.put_object(name, name.encode(), Attributes("text/plain"))


def prop(*names: str) -> str:
    inside = "".join(f'<p:{name} xmlns:p="urn:p"/>' for name in names)
    return f'<D:propfind xmlns:D="DAV:"><D:prop>{inside}</D:prop></D:propfind>'


def patch(instruction: str, inside: str) -> str:
    return (
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:p="urn:p"><D:{instruction}><D:prop>{inside}'
        f"</D:prop></D:{instruction}></D:propertyupdate>"
    )


def lock(client: Client, target: str, body: str = EXCLUSIVE, **headers: str) -> str:
    answer = client("LOCK", target, body, headers={k.title(): v for k, v in headers.items()})
    assert answer.status in (200, 201), answer
    return answer.header("Lock-Token").strip("<>")


# OPTIONS


def test_options_offers_classes_1_and_2_for_any_url(client: Client) -> None:
    for target in ("/", "*", "/missing", "/missing/"):
        answer = client("OPTIONS", target)
        assert answer.status == 200
        assert answer.header("DAV") == "1, 2"
        assert {"LOCK", "UNLOCK", "PUT", "PROPFIND"} <= set(answer.header("Allow").split(", "))
        assert answer.header("MS-Author-Via") == "DAV"
        assert "IIS" not in (answer.headers["Server"] or "")


def test_an_unknown_method_is_501_and_a_known_one_elsewhere_405(client: Client) -> None:
    assert client("BREW", "/").status == 501
    answer = client("PUT", "/", b"x")
    assert answer.status == 405
    assert "PROPFIND" in answer.header("Allow")


# PUT, GET and HEAD


def test_put_creates_then_replaces_and_tells_the_store_s_etag(
    client: Client, store: MemoryStore
) -> None:
    created = client("PUT", "/a%20b.txt", b"one")
    replaced = client("PUT", "/a%20b.txt", b"two")
    head = client("HEAD", "/a%20b.txt")
    assert (created.status, replaced.status, head.status) == (201, 204, 200)
    assert content(store, "a b.txt") == b"two"
    assert store.head_object("a b.txt").attributes.content_type == "text/plain"
    assert replaced.header("ETag") == head.header("ETag") != created.header("ETag")
    assert replaced.header("Last-Modified") == head.header("Last-Modified")
    assert head.header("Content-Length") == "3"
    assert head.body == b""


def test_put_chunked_of_unknown_length(client: Client, store: MemoryStore) -> None:
    assert client("PUT", "/big", (b"x" * 100_000 for _ in range(7))).status == 201
    assert len(content(store, "big")) == 700_000
    assert client("PUT", "/none", iter(())).status == 201
    assert content(store, "none") == b""


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("image/png", "image/png"),
        ("application/octet-stream", "application/pdf"),
        ("application/x-directory", "application/pdf"),
        ("", "application/pdf"),
        ("image/" + "a" * 249, "image/" + "a" * 249),
        ("image/" + "a" * 250, "application/pdf"),
    ],
)
def test_put_keeps_a_content_type_that_says_something(
    client: Client, store: MemoryStore, sent: str, stored: str
) -> None:
    client("PUT", "/x.pdf", b"", content_type=sent)
    assert store.head_object("x.pdf").attributes.content_type == stored


def test_put_needs_its_parent_and_no_collection_in_its_place(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "d/f", "file")
    assert client("PUT", "/missing/f", b"x").status == 409
    assert client("PUT", "/file/f", b"x").status == 409
    assert client("PUT", "/d", b"x").status == 405
    assert client("PUT", "/new/", b"x").status == 405
    assert client("PUT", "/f", b"x", content_range="bytes 0-0/2").status == 400
    assert keys(store) == ["d/f", "file"]


def test_put_over_the_limit_is_413_before_the_body(store: MemoryStore) -> None:
    with running_bridge(store, drive=DriveSettings(max_file_size=10)) as bridge:
        with bridge.client() as client:
            assert client("PUT", "/f", b"x" * 11).status == 413
        with bridge.client() as client:
            assert client("PUT", "/f", iter([b"x" * 6, b"x" * 6])).status == 413
        with bridge.client() as client:
            assert client("PUT", "/f", b"x" * 10).status == 201
    assert keys(store) == ["f"]


def test_put_over_the_quota_is_507(store: MemoryStore) -> None:
    fill(store, "f")
    with running_bridge(store, drive=DriveSettings(quota=100)) as bridge:
        wait_for_usage(bridge)
        with bridge.client() as client:
            assert client("PUT", "/g", b"x" * 100).status == 507
    assert keys(store) == ["f"]


def test_put_under_conditions(client: Client, store: MemoryStore) -> None:
    etag = client("PUT", "/f", b"1").header("ETag")
    assert client("PUT", "/f", b"2", if_none_match="*").status == 412
    assert client("PUT", "/f", b"2", if_match='"other"').status == 412
    assert client("PUT", "/g", b"2", if_match=etag).status == 412
    assert client("PUT", "/f", b"2", if_match=etag).status == 204
    assert client("PUT", "/g", b"2", if_none_match="*").status == 201
    assert content(store, "f") == b"2"


def test_if_match_is_settled_by_the_store_where_the_cache_is_late(
    client: Client, store: MemoryStore
) -> None:
    etag = client("PUT", "/f", b"1").header("ETag")
    store.put_object("f", b"from elsewhere", Attributes())
    assert client("PUT", "/f", b"2", if_match=etag).status == 412
    assert content(store, "f") == b"from elsewhere"


def test_get_with_ranges(client: Client, store: MemoryStore) -> None:
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


def test_get_of_several_ranges_is_multipart(client: Client, store: MemoryStore) -> None:
    fill(store, "0123456789")
    answer = client("GET", "/0123456789", range="bytes=0-1,-2")
    kind, _, boundary = answer.header("Content-Type").partition("; boundary=")
    assert (answer.status, kind) == (206, "multipart/byteranges")
    assert int(answer.header("Content-Length")) == len(answer.body)
    parts = answer.body.split(f"--{boundary}".encode())
    assert len(parts) == 4
    assert b"Content-Range: bytes 0-1/10\r\n\r\n01" in parts[1]
    assert b"Content-Range: bytes 8-9/10\r\n\r\n89" in parts[2]
    assert parts[3] == b"--\r\n"


def test_several_ranges_of_a_file_replaced_behind_the_cache_are_of_the_new_one(
    client: Client, store: MemoryStore
) -> None:
    store.put_object("f", b"old", Attributes())
    assert client("GET", "/f").body == b"old"
    store.put_object("f", b"newer", Attributes())
    answer = client("GET", "/f", range="bytes=0-0,-1")
    assert answer.status == 206
    assert b"Content-Range: bytes 4-4/5\r\n\r\nr" in answer.body


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
def test_other_sites_pages_can_read_nothing(
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
def test_what_a_browser_plays_is_of_the_drive_s_origin_and_runs_nothing(
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


HOSTILE_NAMES = (
    "<script>alert(1)",
    '"><img src=x onerror=alert(1)>',
    "a]]>b",
    "a&lt;b&#10;",
    "a\r\nSet-Cookie: b=c",
    "a\x1b[2Jb",
    "a\x01b",
    "a\ufffeb",
    "a\u202ecod.exe",
    "a%2e%2e%2fb",
    "..\\..\\b",
    "http:",
    "?a=b#c;d",
    "\x85\u2028",
)


def test_names_that_could_be_markup_headers_or_paths_are_names(
    client: Client, store: MemoryStore
) -> None:
    fill(store, *(f"d/{name}" for name in HOSTILE_NAMES))
    found = client("PROPFIND", "/d/", depth="1").multistatus()
    del found["/d/"]
    assert len(found) == len(HOSTILE_NAMES)
    bodies = {client("GET", href).body.decode() for href in found}
    assert bodies == {f"d/{name}" for name in HOSTILE_NAMES}
    for href in found:
        error = client("LOCK", href, EXCLUSIVE) and client("DELETE", href)
        assert error.status == 423
        assert fromstring(error.body).findtext(f".//{DAV}href") == href


# MKCOL and DELETE


def test_mkcol_writes_a_directory_marker(client: Client, store: MemoryStore) -> None:
    assert client("MKCOL", "/a/b/").status == 409
    assert client("MKCOL", "/a/").status == 201
    assert client("MKCOL", "/a/b").status == 201
    assert client("MKCOL", "/a/b/").status == 405
    assert client("MKCOL", "/").status == 405
    assert client("MKCOL", "/c", b"<x/>").status == 415
    assert keys(store) == ["a/", "a/b/"]
    assert store.head_object("a/").attributes.content_type == "application/x-directory"


def test_delete_of_files_and_whole_trees(client: Client, store: MemoryStore) -> None:
    fill(store, "a/b/c", "a/b/d/e", "ab", "a-", "f")
    assert client("DELETE", "/f").status == 204
    assert client("DELETE", "/f").status == 404
    assert client("DELETE", "/a/", depth="0").status == 400
    assert client("DELETE", "/a").status == 204
    assert client("DELETE", "/").status == 403
    assert keys(store) == ["a-", "ab"]


# COPY and MOVE


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_copy_and_move_of_files(client: Client, store: MemoryStore, verb: str) -> None:
    fill(store, "a", "b", "d/x")
    assert client(verb, "/a", destination="/new").status == 201
    assert ("a" in keys(store)) is (verb == "COPY")
    client("PUT", "/a", b"a")
    assert client(verb, "/a", destination="/b", overwrite="F").status == 412
    assert content(store, "b") == b"b"
    assert client(verb, "/a", destination="/b").status == 204
    assert content(store, "b") == b"a"
    client("PUT", "/a", b"a")
    assert client(verb, "/a", destination="/missing/b").status == 409
    assert client(verb, "/a", destination="/a").status == 403
    assert client(verb, "/a", destination="http://elsewhere.example/b").status == 502
    assert client(verb, "/a").status == 400
    assert client(verb, "/missing", destination="/x").status == 404


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_copy_and_move_of_trees(client: Client, store: MemoryStore, verb: str) -> None:
    fill(store, "a/1", "a/b/2", "ab/3", "t/old")
    assert client(verb, "/a", destination="/a/inside").status == 403
    assert client(verb, "/a/b", destination="/a").status == 403
    assert client(verb, "/a/", destination="/new").status == 201
    assert content(store, "new/b/2") == b"a/b/2"
    assert any(key.startswith("a/") for key in keys(store)) is (verb == "COPY")
    assert client(verb, "/new", destination="/t").status == 204
    assert [key for key in keys(store) if key.startswith("t/")] == ["t/1", "t/b/2"]
    assert "ab/3" in keys(store)


def test_copy_with_depth_0_copies_the_collection_alone(client: Client, store: MemoryStore) -> None:
    fill(store, "a/1")
    assert client("COPY", "/a/", destination="/b/", depth="0").status == 201
    assert keys(store) == ["a/1", "b/"]


def test_a_destination_is_split_before_it_is_decoded(client: Client, store: MemoryStore) -> None:
    fill(store, "a", "q")
    target = "/q%3Fx%3By%23%25.txt"
    assert client("MOVE", "/a", destination=target).status == 201
    assert keys(store) == ["q", "q?x;y#%.txt"]


# PROPFIND and PROPPATCH


def test_propfind_lists_a_collection_with_its_members(client: Client, store: MemoryStore) -> None:
    fill(store, "d/a b", "d/sub/x", "d/ü")
    answer = client("PROPFIND", "/d", depth="1")
    assert list(answer.multistatus()) == ["/d/", "/d/sub/", "/d/a%20b", "/d/%C3%BC"]
    row = store.head_object("d/a b").row
    assert text(answer, "/d/a%20b", "getcontentlength") == "5"
    assert text(answer, "/d/a%20b", "getetag") == f'"{row.etag}"'
    assert text(answer, "/d/a%20b", "displayname") == "a b"
    assert text(answer, "/d/%C3%BC", "displayname") == "ü"
    assert text(answer, "/d/a%20b", "creationdate") == f"{row.modified:%Y-%m-%dT%H:%M:%SZ}"
    kind = answer.property("/d/sub/", f"{DAV}resourcetype")
    assert kind is not None
    assert kind.find(f"{DAV}collection") is not None
    assert answer.property("/d/sub/", f"{DAV}getetag") is None


@pytest.mark.parametrize(("letters", "files"), [(20, 2000), (80, 1600)])
def test_propfind_of_a_large_folder_fits_windows_megabyte(
    client: Client, store: MemoryStore, letters: int, files: int
) -> None:
    for number in range(100):
        store.put_object(f"{number:0{letters - 4}}.txt", b"x" * 1000, Attributes("text/plain"))
    answer = client("PROPFIND", "/", depth="1")
    assert len(answer.body) / 101 * files < 1_000_000


def test_propfind_depth_0_missing_and_infinity(client: Client, store: MemoryStore) -> None:
    fill(store, "d/f")
    assert list(client("PROPFIND", "/d/", depth="0").multistatus()) == ["/d/"]
    assert list(client("PROPFIND", "/d/").multistatus()) == ["/d/", "/d/f"]
    assert list(client("PROPFIND", "/d/f", depth="1").multistatus()) == ["/d/f"]
    refused = client("PROPFIND", "/d/", depth="infinity")
    assert refused.status == 403
    assert b"propfind-finite-depth" in refused.body
    assert client("PROPFIND", "/d/", depth="2").status == 400
    assert client("PROPFIND", "/missing", depth="0").status == 404


def test_propfind_of_named_properties_tells_the_missing_ones(client: Client) -> None:
    client("PUT", "/f", b"x")
    body = (
        '<D:propfind xmlns:D="DAV:"><!-- c --><D:prop><D:getcontentlength/><!-- c -->'
        '<p:q xmlns:p="urn:p"/></D:prop></D:propfind>'
    )
    answer = client("PROPFIND", "/f", iter([body.encode()]), depth="0")
    assert text(answer, "/f", "getcontentlength") == "1"
    missing = answer.multistatus()["/f"].findall(f"{DAV}propstat")[1]
    assert missing.findtext(f"{DAV}status") == "HTTP/1.1 404 Not Found"
    assert missing.find(f"{DAV}prop/{{urn:p}}q") is not None


def test_propfind_propname_and_include(client: Client) -> None:
    client("PUT", "/f", b"x")
    names = client("PROPFIND", "/f", '<propfind xmlns="DAV:"><propname/></propfind>')
    length = names.property("/f", f"{DAV}getcontentlength")
    assert length is not None
    assert length.text is None
    body = '<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:quota-used-bytes/></D:include>'
    included = client("PROPFIND", "/", body + "</D:propfind>", depth="0")
    assert b"quota-used-bytes" in included.body


@pytest.mark.parametrize(
    "body",
    [
        "<propfind",
        '<propfind xmlns="DAV:"/>',
        '<x xmlns="DAV:"><allprop/></x>',
        '<propfind xmlns="DAV:"><allprop/><propname/></propfind>',
        '<!DOCTYPE x [<!ENTITY e "e">]><propfind xmlns="DAV:"><allprop/></propfind>',
        '<propfind xmlns="DAV:"><prop><x:y xmlns:x=""/></prop></propfind>',
        '<propfind xmlns="DAV:"><prop>'
        + "".join(f"<p{i}/>" for i in range(201))
        + "</prop></propfind>",
        f'<propfind xmlns="DAV:"><prop xmlns:n="{"n" * 200}">'
        + "".join(f"<n:p{i}/>" for i in range(50))
        + "</prop></propfind>",
        '<?xml version="1.0" encoding="nonsense"?><propfind xmlns="DAV:"><allprop/></propfind>',
    ],
)
def test_propfind_refuses_what_is_not_rfc_4918(client: Client, body: str) -> None:
    assert client("PROPFIND", "/", body, depth="0").status == 400


def test_dead_properties_are_kept_moved_copied_and_gone_with_their_resource(
    client: Client, store: MemoryStore
) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/f", b"x")
    value = '<p:q xml:lang="de">a &amp; <b xmlns="urn:b">c</b></p:q>'
    assert text(client("PROPPATCH", "/d/f", patch("set", value)), "/d/f", "q", "urn:p") is None
    client("PUT", "/d/f", b"new content")
    client("COPY", "/d/f", destination="/copy")
    client("MOVE", "/d/", destination="/e/")
    client("MOVE", "/copy", destination="/moved")
    for target in ("/e/f", "/moved"):
        element = client("PROPFIND", target, prop("q"), depth="0").property(target, "{urn:p}q")
        assert element is not None
        assert element.text == "a & "
        assert element.findtext("{urn:b}b") == "c"
        assert element.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert client("PROPFIND", "/e/", depth="1").property("/e/f", "{urn:p}q") is not None
    client("DELETE", "/moved")
    client("PUT", "/moved", b"another")
    answer = client("PROPFIND", "/moved", prop("q"), depth="0")
    assert answer.property("/moved", "{urn:p}q") is None


def test_proppatch_does_all_or_nothing(client: Client) -> None:
    client("PUT", "/f", b"x")
    answer = client("PROPPATCH", "/f", patch("set", "<p:q>1</p:q><D:getetag>2</D:getetag>"))
    statuses = {
        element.tag: propstat.findtext(f"{DAV}status")
        for propstat in answer.multistatus()["/f"].findall(f"{DAV}propstat")
        for element in propstat.iterfind(f"{DAV}prop/*")
    }
    assert statuses == {
        "{urn:p}q": "HTTP/1.1 424 Failed Dependency",
        f"{DAV}getetag": "HTTP/1.1 403 Forbidden",
    }
    assert client("PROPFIND", "/f", prop("q")).property("/f", "{urn:p}q") is None
    assert client("PROPPATCH", "/f", patch("remove", "<p:q/>")).status == 207
    assert client("PROPPATCH", "/missing", patch("set", "<p:q/>")).status == 404
    assert client("PROPPATCH", "/f", "<nonsense/>").status == 400


def test_the_owner_of_a_lock_sets_windows_properties_without_its_token(client: Client) -> None:
    client("PUT", "/f", b"")
    lock(client, "/f")
    windows = (
        '<w:Win32FileAttributes xmlns:w="urn:schemas-microsoft-com:">20</w:Win32FileAttributes>'
    )
    assert client("PROPPATCH", "/f", patch("set", windows)).status == 207
    assert client("PROPPATCH", "/f", patch("set", windows + "<p:q/>")).status == 423


def test_quota_is_told_and_can_be_left_out(store: MemoryStore) -> None:
    fill(store, "12345")
    body = (
        '<D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/>'
        "</D:prop></D:propfind>"
    )
    with running_bridge(store, drive=DriveSettings(quota=100)) as bridge:
        wait_for_usage(bridge)
        with bridge.client() as client:
            answer = client("PROPFIND", "/", body, depth="0")
            assert text(answer, "/", "quota-used-bytes") == "5"
            assert text(answer, "/", "quota-available-bytes") == "95"
            assert b"quota" not in client("PROPFIND", "/", depth="0").body
    unpublished = DriveSettings(quota=100, publish_quota=False)
    with running_bridge(store, drive=unpublished) as bridge, bridge.client() as client:
        answer = client("PROPFIND", "/", body, depth="0")
        assert answer.property("/", f"{DAV}quota-used-bytes") is None


# LOCK and UNLOCK


def test_a_lock_keeps_others_out_and_lets_its_owner_in(client: Client, store: MemoryStore) -> None:
    client("PUT", "/f", b"1")
    token = lock(client, "/f", timeout="Second-180")
    for method, headers in (
        ("PUT", {}),
        ("DELETE", {}),
        ("PROPPATCH", {}),
        ("MOVE", {"Destination": "/g"}),
    ):
        body = patch("set", "<p:q/>") if method == "PROPPATCH" else None
        refused = client(method, "/f", body, headers)
        assert refused.status == 423, method
        assert b"lock-token-submitted" in refused.body
    assert client("GET", "/f").status == 200
    assert client("LOCK", "/f", EXCLUSIVE).status == 423
    assert client("PUT", "/f", b"2", headers={"If": f"(<{token}>)"}).status == 204
    assert client("PUT", "/f", b"3", headers={"If": "(<urn:uuid:wrong>)"}).status == 412
    assert client("UNLOCK", "/f", lock_token=f"<{token}>").status == 204
    assert client("UNLOCK", "/f", lock_token=f"<{token}>").status == 409
    assert client("PUT", "/f", b"4").status == 204
    assert content(store, "f") == b"4"


def test_a_lock_on_an_unmapped_url_makes_an_empty_resource(
    client: Client, store: MemoryStore
) -> None:
    answer = client("LOCK", "/new.txt", EXCLUSIVE)
    assert answer.status == 201
    assert answer.header("Lock-Token").startswith("<urn:uuid:")
    assert content(store, "new.txt") == b""
    assert client("LOCK", "/missing/new.txt", EXCLUSIVE).status == 409
    assert client("PUT", "/missing/new.txt", b"").status == 409
    client("MKCOL", "/d/")
    lock(client, "/d/")
    assert client("LOCK", "/d/new", EXCLUSIVE).status == 423
    assert "d/new" not in keys(store)


def test_lock_discovery_tells_scope_depth_owner_and_time(client: Client) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/f", b"")
    token = lock(client, "/d/", SHARED, timeout="Infinite, Second-10", depth="infinity")
    body = '<propfind xmlns="DAV:"><prop><lockdiscovery/><supportedlock/></prop></propfind>'
    found = client("PROPFIND", "/d/f", body, depth="0").property("/d/f", f"{DAV}lockdiscovery")
    assert found is not None
    active = f"{DAV}activelock/{DAV}"
    assert found.findtext(f"{active}locktoken/{DAV}href") == token
    assert found.findtext(f"{active}lockroot/{DAV}href") == "/d/"
    assert found.findtext(f"{active}depth") == "infinity"
    assert found.findtext(f"{active}owner/{DAV}href") == "me"
    assert found.find(f"{active}lockscope/{DAV}shared") is not None
    assert (found.findtext(f"{active}timeout") or "").startswith("Second-8")


def test_shared_locks_stand_side_by_side_and_one_token_opens(client: Client) -> None:
    client("PUT", "/f", b"")
    first, second = lock(client, "/f", SHARED), lock(client, "/f", SHARED)
    assert client("LOCK", "/f", EXCLUSIVE).status == 423
    assert client("PUT", "/f", b"x").status == 423
    for token in (first, second):
        assert client("PUT", "/f", b"x", headers={"If": f"(<{token}>)"}).status == 204


def test_a_refresh_without_a_body_keeps_the_token(client: Client) -> None:
    client("PUT", "/f", b"")
    token = lock(client, "/f", timeout="Second-10")
    answer = client("LOCK", "/f", headers={"If": f"(<{token}>)", "Timeout": "Second-600"})
    assert answer.status == 200
    assert answer.headers["Lock-Token"] is None
    assert token.encode() in answer.body
    assert b"Second-600" in answer.body
    assert client("LOCK", "/f").status == 412
    assert client("LOCK", "/f", headers={"If": "(<urn:uuid:other>)"}).status == 412


def test_a_locked_member_stops_a_delete_and_a_move_of_its_tree(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "d/1", "d/2")
    token = lock(client, "/d/2")
    for answer in (client("DELETE", "/d/"), client("MOVE", "/d/", destination="/e/")):
        response = answer.multistatus()["/d/2"]
        assert response.findtext(f"{DAV}status") == "HTTP/1.1 423 Locked"
    assert keys(store) == ["d/1", "d/2"]
    shown = {"If": f"</d/2> (<{token}>)"}
    assert client("MOVE", "/d/", destination="/e/", headers=shown).status == 201
    assert client("PUT", "/e/2", b"").status == 204


def test_a_shallow_lock_on_a_collection_protects_its_membership(client: Client) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/old", b"")
    token = lock(client, "/d/", depth="0")
    assert client("PUT", "/d/new", b"").status == 423
    assert client("DELETE", "/d/old").status == 423
    assert client("PUT", "/d/old", b"changed").status == 204
    assert client("PUT", "/d/new", b"", headers={"If": f"</d/> (<{token}>)"}).status == 201


def test_a_deep_lock_over_a_locked_member_is_refused_naming_it(client: Client) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/f", b"")
    lock(client, "/d/f")
    answer = client("LOCK", "/d/", EXCLUSIVE).multistatus()
    assert answer["/d/f"].findtext(f"{DAV}status") == "HTTP/1.1 423 Locked"
    assert answer["/d/"].findtext(f"{DAV}status") == "HTTP/1.1 424 Failed Dependency"
    assert client("LOCK", "/d/", EXCLUSIVE, depth="0").status == 200


def test_lock_is_refused_where_there_are_too_many(store: MemoryStore) -> None:
    locks = MemoryLockStore(limit=1)
    with running_bridge(store, locks=locks) as bridge, bridge.client() as client:
        assert client("LOCK", "/f", EXCLUSIVE).status == 201
        assert client("LOCK", "/g", EXCLUSIVE).status == 507
        assert client("HEAD", "/g").status == 404


@pytest.mark.parametrize(
    "body", ["<x/>", '<lockinfo xmlns="DAV:"/>', EXCLUSIVE.replace("exclusive", "other"), "<"]
)
def test_lock_refuses_what_is_no_lockinfo(client: Client, body: str) -> None:
    assert client("LOCK", "/f", body).status == 400
    assert client("HEAD", "/f").status == 404


# All verbs


RESERVED = "/.davbridge.properties.json"


@pytest.mark.parametrize("target", [RESERVED, RESERVED.upper(), "/.davbridge", "/.davbridge/x"])
def test_no_verb_reaches_a_reserved_name(client: Client, store: MemoryStore, target: str) -> None:
    fill(store, "f")
    client("PROPPATCH", "/f", patch("set", "<p:q/>"))
    before = {key: content(store, key) for key in keys(store)}
    assert set(before) == {"f", RESERVED[1:]}
    assert client("GET", target).status == 404
    assert client("PROPFIND", target).status == 404
    assert client("DELETE", target).status == 404
    for method, body in (("PUT", "x"), ("MKCOL", None), ("LOCK", EXCLUSIVE)):
        assert client(method, target, body).status in (403, 409), method
    assert client("MOVE", "/f", destination=target).status in (403, 409)
    assert client("COPY", "/f", destination=target).status in (403, 409)
    assert {key: content(store, key) for key in keys(store)} == before
    assert list(client("PROPFIND", "/", depth="1").multistatus()) == ["/", "/f"]


def test_dot_segments_and_encoded_slashes_create_nothing(
    client: Client, store: MemoryStore
) -> None:
    for target in ("/a%2Fb", "/%2e%2e/a", "/a/../b", "/.", "/%00"):
        for method in ("PUT", "MKCOL", "GET", "PROPFIND"):
            assert client(method, target).status in (400, 404), (method, target)
    assert keys(store) == []


def test_a_prefix_confines_the_drive(store: MemoryStore) -> None:
    fill(store, "in/f", "out", "in-", "inside/g")
    with running_bridge(store, prefix="in/") as bridge, bridge.client() as client:
        assert list(client("PROPFIND", "/", depth="1").multistatus()) == ["/", "/f"]
        assert client("MOVE", "/f", destination="/g").status == 201
        assert client("GET", "/../out").status == 400
    assert keys(store) == ["in-", "in/g", "inside/g", "out"]


def test_a_read_only_drive_reads_and_refuses_to_write(store: MemoryStore) -> None:
    fill(store, "f")
    read_only = DriveSettings(read_only=True)
    with running_bridge(store, drive=read_only) as bridge, bridge.client() as client:
        options = client("OPTIONS", "/")
        assert options.header("DAV") == "1"
        assert "PUT" not in options.header("Allow")
        assert client("GET", "/f").body == b"f"
        assert client("PROPFIND", "/", depth="1").status == 207
        for method in ("PUT", "DELETE", "MKCOL", "LOCK", "PROPPATCH", "MOVE", "COPY"):
            assert client(method, "/f", destination="/g").status == 403
    assert keys(store) == ["f"]


@pytest.mark.parametrize(("read_only", "classes"), [(True, "1"), (False, "1, 2")])
def test_above_the_mount_a_drive_says_what_it_says_of_itself(
    read_only: bool, classes: str, store: MemoryStore
) -> None:
    drive = DriveSettings(mount_path="/dav/files", read_only=read_only)
    with running_bridge(store, drive=drive) as bridge, bridge.client() as client:
        for target in ("/", "/dav/", "/dav/files/"):
            assert client("OPTIONS", target).header("DAV") == classes


def text(answer: Answer, href: str, name: str, namespace: str = "DAV:") -> str | None:
    element = answer.property(href, f"{{{namespace}}}{name}")
    assert element is not None, (href, name, answer.body)
    return element.text


def wait_for_usage(bridge: Bridge) -> None:
    for _ in range(500):
        if bridge.namespace.used_bytes() is not None:
            return
        time.sleep(0.01)
    raise AssertionError("the use of space was never counted")


@pytest.mark.parametrize(
    ("verb", "headers"),
    [
        ("PUT", {}),
        ("DELETE", {}),
        ("MOVE", {"Destination": "/elsewhere"}),
        ("PROPPATCH", {}),
    ],
)
def test_a_lock_is_not_passed_by_another_unicode_spelling(
    verb: str, headers: dict[str, str], client: Client, store: MemoryStore
) -> None:
    client("PUT", "/%C3%A9", b"mine")
    assert client("LOCK", "/%C3%A9", EXCLUSIVE).status == 200
    body = patch("set", "<p:x/>") if verb == "PROPPATCH" else "theirs"
    assert client(verb, "/e%CC%81", body, headers).status == 423
    client("PUT", "/other", b"theirs")
    assert client("COPY", "/other", destination="/e%CC%81").status == 423
    assert content(store, "\u00e9") == b"mine"


def test_a_lock_that_came_during_a_put_keeps_its_body_out(
    bridge: Bridge, client: Client, store: MemoryStore
) -> None:
    fill(store, "f")

    def body() -> Iterator[bytes]:
        yield b"un"
        with bridge.client() as other:
            assert other("LOCK", "/f", EXCLUSIVE).status == 200
        yield b"locked"

    assert client("PUT", "/f", body()).status == 423
    assert content(store, "f") == b"f"


@pytest.mark.parametrize("depth", [500, 50_000])
def test_xml_that_nests_too_deeply_is_refused(depth: int, client: Client) -> None:
    nested = "<p>" * depth + "</p>" * depth
    client("PUT", "/f", b"x")
    assert client("PROPPATCH", "/f", patch("set", nested)).status == 400
    lock = EXCLUSIVE.replace("<D:href>me</D:href>", nested)
    assert client("LOCK", "/f", lock).status == 400


@pytest.mark.parametrize(
    "element",
    ["<xml:x>v</xml:x>", '<x xmlns="a&#10;b&#9;c">v</x>', '<x xmlns="">v</x>'],
)
def test_property_names_of_odd_namespaces_come_back_as_they_were(
    element: str, client: Client
) -> None:
    name = fromstring(element).tag
    client("PUT", "/f", b"x")
    ask = f'<D:propfind xmlns:D="DAV:"><D:prop>{element}</D:prop></D:propfind>'
    missing = client("PROPFIND", "/f", ask, depth="0").multistatus()["/f"]
    assert [each.tag for each in missing.iterfind(f"{DAV}propstat/{DAV}prop/*")] == [name]
    set_ = client("PROPPATCH", "/f", patch("set", element)).multistatus()["/f"]
    assert [each.tag for each in set_.iterfind(f"{DAV}propstat/{DAV}prop/*")] == [name]
    propname = '<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>'
    assert client("PROPFIND", "/f", propname, depth="0").property("/f", name) is not None
    there = client("PROPFIND", "/f", ask, depth="0").property("/f", name)
    assert there is not None
    assert there.text == "v"


@pytest.mark.parametrize("instruction", ["set", "remove"])
def test_what_was_told_of_a_version_is_not_a_client_s_property(
    instruction: str, client: Client
) -> None:
    client("PUT", "/f", b"x", {"X-OC-Mtime": "1000000000"})
    facts = '<facts xmlns="urn:davbridge:">no</facts>'
    answer = client("PROPPATCH", "/f", patch(instruction, facts))
    assert b"403 Forbidden" in answer.body
    assert client("HEAD", "/f").header("Last-Modified") == "Sun, 09 Sep 2001 01:46:40 GMT"


def test_if_match_any_holds_of_a_version_that_the_cache_does_not_know(
    client: Client, store: MemoryStore
) -> None:
    client("PUT", "/f", b"1")
    store.put_object("f", b"from elsewhere", Attributes())
    assert client("PUT", "/f", b"2", if_match="*").status == 204
    assert content(store, "f") == b"2"


def test_members_lie_inside_their_collection_in_any_unicode_form(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "\u00fc/f")
    assert list(client("PROPFIND", "/u%CC%88/", depth="1").multistatus()) == [
        "/%C3%BC/",
        "/%C3%BC/f",
    ]


def test_a_sidecar_that_others_wrote_can_not_break_an_answer(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "f")
    for value in ("<broken", "</D:prop>", '<other xmlns="urn:p"/>', '<q xmlns="urn:x"/>'):
        body = json.dumps({"format": 1, "members": {"f": {"{urn:p}q": value}}})
        store.put_object(RESERVED[1:], body.encode(), Attributes("application/json"))
        with running_bridge(store) as other, other.client() as reader:
            answer = reader("PROPFIND", "/", depth="1")
            assert list(answer.multistatus()) == ["/", "/f"]
            assert b"urn:p" not in answer.body


def test_ranges_that_overlap_to_more_than_the_whole_are_answered_by_it(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "0123456789")
    answer = client("GET", "/0123456789", range="bytes=0-8,1-9")
    assert (answer.status, answer.body) == (200, b"0123456789")
