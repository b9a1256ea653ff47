"""The rules that follow from what clients need, where no client's case shows them."""

from xml.etree.ElementTree import fromstring

import pytest

from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.replay.agents import (
    ALL,
    CADAVER,
    CURL,
    DAVFS2,
    DAVFS2_LIST,
    EXPLORER,
    FINDER,
    FINDER_LOCK,
    FINDER_STAT,
    GVFS,
    KIO_LIST,
    OFFICE_DISCOVERY,
    RCLONE,
    WEBDAV4,
    XML_APPLICATION,
    XML_TEXT,
    chunks,
    named,
    neon_lock,
    win32_times,
)
from tests.replay.drives import NOW, Drive, OpenDrive
from tests.replay.reading import entries, look, token_of
from tests.support.bridge import DAV, running_bridge
from tests.support.wire import RawClient
from tests.tree.wrappers import WatchedStore

stock_fails = pytest.mark.stock_fails
bridge_only = pytest.mark.bridge_only

METHODS = ("OPTIONS", "PROPFIND", "HEAD", "GET", "PUT", "MKCOL", "LOCK", "DELETE", "BREW")


@pytest.mark.parametrize("agent", ALL.values(), ids=ALL)
def test_rule_01_no_answer_looks_like_iis(drive: Drive, agent: dict[str, str]) -> None:
    """Server: Microsoft-IIS/… switches Finder and Cyberduck to another dialect."""
    for method in METHODS:
        answer = drive.client(agent)(method, "/f", depth="0")
        assert "IIS" not in (answer.headers["Server"] or "")


@pytest.mark.bridge_only("its folder costs no requests")
def test_rule_03_finder_s_metadata_files_cost_no_request() -> None:
    """At least one look for ._x a file, and dozens at mount: the parent's listing has the
    answer."""
    store = WatchedStore(MemoryStore())
    store.put_object("d/photo.jpg", b"x", Attributes())
    with running_bridge(store) as bridge, bridge.client(**{"User-Agent": "WebDAVFS/3"}) as client:
        assert client("PROPFIND", "/d/", FINDER_STAT, depth="1").status == 207
        store.taken()
        for name in ("._photo.jpg", ".DS_Store", "._.DS_Store", ".hidden", "Thumbs.db"):
            assert client("PROPFIND", f"/d/{name}", FINDER_STAT, depth="0").status == 404
            assert client("HEAD", f"/d/{name}").status == 404
        assert store.taken() == []


def test_rule_04_no_answer_has_a_location(drive: Drive) -> None:
    """Neither element nor header: Finder takes what is inside for an entry."""
    drive.fill({"d/f.txt": b"f", "d/e/": b"", "g.txt": b"g"})
    client = drive.client(FINDER)
    token_of(client("LOCK", "/d/f.txt", FINDER_LOCK, XML_TEXT, depth="0"))
    for answer in (
        client("PROPFIND", "/d", depth="1"),
        client("PROPFIND", "/d/", KIO_LIST, XML_TEXT, depth="1"),
        client("PROPPATCH", "/g.txt", win32_times(NOW), XML_TEXT),
        client("DELETE", "/d/"),
    ):
        assert answer.status == 207
        names = {
            element.tag.rpartition("}")[2].lower() for element in fromstring(answer.body).iter()
        }
        assert "location" not in names
        assert answer.headers["Location"] is None


CUT_BODIES = {
    "short": b"Content-Length: 10\r\n\r\n12345",
    "between chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    "inside a chunk": b"Transfer-Encoding: chunked\r\n\r\na\r\n12345",
}


def put_cut(drive: Drive, target: str, rest: bytes) -> None:
    """A client that ends in the middle of its body. Returns when the server has dealt with it."""
    with RawClient(drive.port) as connection:
        connection.send(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\n".encode() + rest)
        connection.finish_sending()
        connection.at_end()


@pytest.mark.parametrize("cut", [pytest.param(each, id=name) for name, each in CUT_BODIES.items()])
@stock_fails("the old file is cut or overwritten")
def test_rule_06_a_body_cut_short_replaces_nothing(drive: Drive, cut: bytes) -> None:
    """RFC 9112 §8: an incomplete message is no message."""
    drive.fill({"f.txt": b"0123456789"})
    put_cut(drive, "/f.txt", cut)
    assert drive.stored() == {"f.txt": b"0123456789"}
    assert drive.client(CURL)("GET", "/f.txt").body == b"0123456789"


@pytest.mark.parametrize("cut", [pytest.param(each, id=name) for name, each in CUT_BODIES.items()])
@stock_fails("a file is left behind")
def test_rule_06_a_body_cut_short_creates_nothing(drive: Drive, cut: bytes) -> None:
    put_cut(drive, "/f.txt", cut)
    assert drive.stored() == {}
    assert drive.client(CURL)("GET", "/f.txt").status == 404


@stock_fails("the list is evaluated for the Destination, too")
@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_rule_07_an_untagged_list_is_about_the_request_uri(drive: Drive, verb: str) -> None:
    """RFC 4918 §10.4.2: No-tag-list. The destination has another state."""
    drive.fill({"a": b"a", "b": b"b"})
    client = drive.client(CADAVER)
    token = token_of(client("LOCK", "/a", neon_lock(), XML_APPLICATION, depth="0"))
    etag = client("HEAD", "/a").header("ETag")
    shown = {"If": f"(<{token}> [{etag}])", "Destination": "/b"}
    assert client(verb, "/a", headers=shown).status == 204
    assert drive.stored()["b"] == b"a"


def test_rule_07_the_destination_s_token_does_not_hold_there(drive: Drive) -> None:
    """RFC 4918 §10.4.4: a state token matches only where the lock covers the resource."""
    drive.fill({"a": b"a", "b": b"b"})
    client = drive.client(CADAVER)
    token = token_of(client("LOCK", "/b", neon_lock(), XML_APPLICATION, depth="0"))
    untagged = {"If": f"(<{token}>)", "Destination": "/b"}
    assert client("COPY", "/a", headers=untagged).status == 412
    tagged = {"If": f"</b> (<{token}>)", "Destination": "/b"}
    assert client("COPY", "/a", headers=tagged).status == 204


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "drive.example.com", "drive.example.com:8443"])
@stock_fails("an If tagged with an absolute URI is never evaluated")
def test_rule_08_a_tag_is_compared_by_its_path(drive: Drive, scheme: str, host: str) -> None:
    drive.fill({"a b.txt": b"x"})
    client = drive.client(DAVFS2)
    token = token_of(client("LOCK", "/a%20b.txt", neon_lock(), XML_APPLICATION, depth="0"))
    etag = client("HEAD", "/a%20b.txt").header("ETag")
    base = f"{scheme}://{host}"
    right = {"If": f"<{base}/a%20b.txt> (<{token}> [{etag}])"}
    assert client("PUT", "/a%20b.txt", b"y", right).status == 204
    stale = right  # The ETag is no longer the file's.
    assert client("PUT", "/a%20b.txt", b"z", stale).status == 412
    assert drive.stored() == {"a b.txt": b"y"}


@stock_fails("If and If-Match are not looked at where nothing is")
@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": '"gone"'},
        {"If-Match": "*"},
        {"If": '(["gone"])'},
        {"If": "(<urn:uuid:00000000-0000-4000-8000-000000000000>)"},
        {"If": '</f.txt> (["gone"])'},
    ],
    ids=str,
)
def test_rule_14_a_condition_on_what_is_missing_fails(
    drive: Drive, headers: dict[str, str]
) -> None:
    """RFC 9110 §13.1.1, RFC 4918 §10.4.4: somebody deleted it, and it must not come back."""
    client = drive.client(GVFS)
    assert client("PUT", "/f.txt", b"x", headers).status == 412
    assert client("HEAD", "/f.txt").status == 404
    assert drive.stored() == {}


@stock_fails("it reads the whole tree before it answers, and has no limit")
def test_rule_15_an_explicit_infinity_is_answered_up_to_a_limit(open_drive: OpenDrive) -> None:
    """RFC 4918 §9.1.1: over it, 403 with the precondition. webdav4 and Obsidian ask for trees."""
    drive = open_drive(infinity_limit=4)
    drive.fill({"d/e/f.txt": b"x"})
    client = drive.client(WEBDAV4)
    answer = client("PROPFIND", "/", FINDER_STAT, XML_TEXT, depth="infinity")
    assert list(entries(answer)) == ["/", "/d", "/d/e", "/d/e/f.txt"]
    drive.fill({"d/e/g.txt": b"x"})
    answer = client("PROPFIND", "/", FINDER_STAT, XML_TEXT, depth="infinity")
    assert answer.status == 403
    assert fromstring(answer.body).find(f"{DAV}propfind-finite-depth") is not None


@bridge_only("it empties the file")
def test_rule_06_a_body_without_a_length_in_http_1_0_replaces_nothing(drive: Drive) -> None:
    """RFC 1945 §7.2.2: its end would be that of the connection, and nobody could see that it was
    cut."""
    drive.fill({"f.txt": b"precious"})
    with RawClient(drive.port) as raw:
        raw.send(b"PUT /f.txt HTTP/1.0\r\n\r\nhello")
        raw.finish_sending()
        assert raw.answer().status == 411
    assert drive.stored() == {"f.txt": b"precious"}


@stock_fails("the chunks are left unread, and taken for the next request")
def test_rule_17_a_propfind_in_chunks_is_answered(drive: Drive) -> None:
    """neon and others send XML chunked; the connection goes on behind it."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(DAVFS2)
    for _ in range(3):
        body = chunks(DAVFS2_LIST.encode(), 50)
        answer = client("PROPFIND", "/f.txt", body, XML_APPLICATION, depth="0")
        (entry,) = entries(answer).values()
        assert len(entry.properties) == 5


@stock_fails("the chunks are left unread, and taken for the next request")
def test_rule_17_locks_and_properties_in_chunks_are_taken(drive: Drive) -> None:
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    lock_body = chunks(neon_lock().encode(), 50)
    token = token_of(client("LOCK", "/f.txt", lock_body, XML_APPLICATION, depth="0"))
    patch = (
        b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><q xmlns="urn:q">1</q></D:prop></D:set>'
        b"</D:propertyupdate>"
    )
    shown = {**XML_APPLICATION, "If": f"(<{token}>)"}
    assert client("PROPPATCH", "/f.txt", chunks(patch, 50), shown).status == 207
    assert look(client, "/f.txt", "{urn:q}q").text("{urn:q}q") == "1"


@bridge_only("it takes the chunks for the next request")
@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("MKCOL", 201, {}),
        ("DELETE", 204, {}),
        ("COPY", 201, {"Destination": "/g.txt"}),
        ("MOVE", 201, {"Destination": "/g.txt"}),
        ("GET", 200, {}),
        ("HEAD", 200, {}),
        ("OPTIONS", 200, {}),
        ("PROPFIND", 207, {"Depth": "0"}),
        ("LOCK", 200, {"If": "(<{token}>)"}),
        ("UNLOCK", 204, {"Lock-Token": "<{token}>"}),
        ("PUT", 204, {}),
    ],
)
def test_rule_17_an_empty_body_of_unknown_length_is_none(
    drive: Drive, method: str, status: int, headers: dict[str, str]
) -> None:
    """RFC 9112 §6.3, §7.1: a proxy that speaks HTTP/2 or HTTP/3 with the client doesn't know that
    the body is empty, and sends it in chunks."""
    drive.fill({"f.txt": b"x"})
    token = ""
    if method in ("LOCK", "UNLOCK"):
        token = token_of(drive.client(CURL)("LOCK", "/f.txt", neon_lock(), XML_APPLICATION))
    target = "/d" if method == "MKCOL" else "/f.txt"
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value.format(token=token)}" for name, value in headers.items()]
    with RawClient(drive.port) as raw:
        head = "\r\n".join([*lines, "", ""]).encode()
        answer = raw.ask(head + b"0\r\n\r\n", is_head=method == "HEAD")
        assert (answer.status, answer.closes) == (status, False)


@bridge_only("it takes the chunks for the next request")
def test_rule_17_mkcol_looks_whether_a_body_of_unknown_length_has_a_byte(drive: Drive) -> None:
    """RFC 4918 §9.3: 415 for a body, and only for a body."""
    client = drive.client(CURL)
    assert client("MKCOL", "/a", iter([b"<x/>"])).status == 415
    assert client("MKCOL", "/b", iter([b"x" * 100_000] * 30)).status == 415
    assert client("MKCOL", "/c", iter([])).status == 201
    with RawClient(drive.port) as raw:
        raw.send(b"MKCOL /d HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0")
        raw.finish_sending()
        assert raw.answer().status == 400
    assert list(client("PROPFIND", "/", depth="1").multistatus()) == ["/", "/c/"]


def test_rule_17_a_refused_body_in_chunks_is_no_request(drive: Drive) -> None:
    """A 409 PUT whose body reads like a DELETE."""
    drive.fill({"f.txt": b"precious"})
    body = b"DELETE /f.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    client = drive.client(CURL)
    assert client("PUT", "/missing/f.txt", iter([body])).status == 409
    drive.client(CURL)("OPTIONS", "/")
    assert drive.stored() == {"f.txt": b"precious"}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("OPTIONS", 200),
        ("GET", 200),
        ("PROPFIND", 207),
        ("PROPPATCH", 207),
        ("LOCK", 200),
        ("MKCOL", 405),
        ("COPY", 201),
        ("MOVE", 201),
        ("DELETE", 204),
    ],
)
def test_rule_18_folders_are_reached_without_their_slash(
    drive: Drive, method: str, expected: int
) -> None:
    """No 3xx: MiniRedir, gvfs and others don't follow one, or follow it with GET."""
    drive.fill({"d/f.txt": b"f"})
    bodies = {"PROPPATCH": win32_times(NOW), "LOCK": neon_lock()}
    headers = {"Destination": "/e", "Depth": "infinity"} if method in ("COPY", "MOVE") else {}
    if method == "PROPFIND":
        headers = {"Depth": "1"}
    answer = drive.client(EXPLORER)(method, "/d", bodies.get(method), headers)
    if method != "GET":  # A stock server has no page for it.
        assert answer.status == expected
    assert answer.headers["Location"] is None


@stock_fails("Allow leaves LOCK out where nothing is yet", "/new.txt", "/missing/new.txt")
@stock_fails("Allow of a folder has no PUT", "/", "/d", "/d/")
@pytest.mark.parametrize("target", ["/", "/d", "/d/", "/f.txt", "/new.txt", "/missing/new.txt"])
def test_rule_19_lock_is_allowed_everywhere(drive: Drive, target: str) -> None:
    """LibreOffice and Office look before they write what isn't there yet."""
    drive.fill({"d/e/": b"", "f.txt": b"x"})
    answer = drive.client(OFFICE_DISCOVERY)("OPTIONS", target)
    assert answer.status == 200
    assert {"LOCK", "UNLOCK", "PUT"} <= {each.strip() for each in answer.header("Allow").split(",")}


def test_rule_22_basic_alone_is_offered(open_drive: OpenDrive) -> None:
    """Digest breaks on names with commas for Windows and Finder."""
    drive = open_drive(users=("anna",))
    drive.fill({"a, b.txt": b"x"})
    refused = drive.client(FINDER)("PROPFIND", "/", depth="0")
    assert refused.status == 401
    challenges = refused.headers.get_all("WWW-Authenticate") or []
    assert [each.split()[0] for each in challenges] == ["Basic"]
    for agent in (FINDER, EXPLORER):
        assert drive.client(agent, "anna")("GET", "/a,%20b.txt").body == b"x"


@pytest.mark.parametrize("agent", [FINDER, RCLONE], ids=["Finder", "rclone"])
def test_rule_09_a_token_opens_however_it_is_shown(drive: Drive, agent: dict[str, str]) -> None:
    """With and without angle brackets, to UNLOCK (RFC 4918 §10.5 has the brackets)."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(agent)
    for form in ("<{}>", "{}"):
        token = token_of(client("LOCK", "/f.txt", neon_lock(), XML_APPLICATION, depth="0"))
        assert client("UNLOCK", "/f.txt", lock_token=form.format(token)).status == 204


@stock_fails("getetag has no quotes, ETag has")
@pytest.mark.parametrize("agent", [RCLONE, GVFS, DAVFS2], ids=["rclone", "gvfs", "davfs2"])
def test_rule_13_one_etag_in_all_places(drive: Drive, agent: dict[str, str]) -> None:
    """RFC 4918 §15.6: PUT, HEAD, GET, getetag in allprop and by name."""
    client = drive.client(agent)
    put = client("PUT", "/f.txt", b"x").header("ETag")
    etags = {
        client("HEAD", "/f.txt").header("ETag"),
        client("GET", "/f.txt").header("ETag"),
        look(client, "/f.txt", f"{DAV}getetag").text(f"{DAV}getetag"),
        entries(client("PROPFIND", "/", depth="1"))["/f.txt"].text(f"{DAV}getetag"),
    }
    assert etags == {put}


@stock_fails("500 where lxml is installed: a comment is taken for a property")
def test_rule_17_xml_is_parsed_not_matched(drive: Drive) -> None:
    """Prefixes, comments, white space, CDATA and an unknown element are all RFC 4918 §17's."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CURL)
    body = (
        '<?xml version="1.0"?><!-- a --><a:propfind xmlns:a="DAV:" xmlns:u="urn:u">'
        "<u:unknown><a:prop/></u:unknown><a:prop> <!-- b --> <getetag xmlns='DAV:'/>"
        "<a:getcontentlength></a:getcontentlength><![CDATA[ ]]></a:prop></a:propfind>"
    )
    (entry,) = entries(client("PROPFIND", "/f.txt", body, depth="0")).values()
    assert set(entry.properties) == {f"{DAV}getetag", f"{DAV}getcontentlength"}
    assert client("PROPFIND", "/f.txt", named(f"{DAV}getetag"), depth="0").status == 207
