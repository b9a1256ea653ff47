"""Names: odd ones, reserved ones, and those that would lead out of the drive."""

from xml.etree.ElementTree import fromstring

import pytest

from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import EXCLUSIVE, RESERVED, fill, lock, patch
from tests.support.bridge import DAV, Client, running_bridge
from tests.support.contract import drain, keys

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


@pytest.mark.parametrize("target", [RESERVED, RESERVED.upper(), "/.davbridge", "/.davbridge/x"])
def test_no_method_reaches_a_reserved_name(client: Client, store: MemoryStore, target: str) -> None:
    fill(store, "f")
    client("PROPPATCH", "/f", patch("set", "<p:q/>"))
    before = {key: drain(store.get_object(key)) for key in keys(store)}
    assert set(before) == {"f", RESERVED[1:]}
    assert client("GET", target).status == 404
    assert client("PROPFIND", target).status == 404
    assert client("DELETE", target).status == 404
    for method, body in (("PUT", "x"), ("MKCOL", None), ("LOCK", EXCLUSIVE)):
        assert client(method, target, body).status in (403, 409), method
    assert client("MOVE", "/f", destination=target).status in (403, 409)
    assert client("COPY", "/f", destination=target).status in (403, 409)
    assert {key: drain(store.get_object(key)) for key in keys(store)} == before
    assert list(client("PROPFIND", "/", depth="1").multistatus()) == ["/", "/f"]


def test_encoded_dots_and_slashes_and_what_leads_out_create_nothing(
    client: Client, store: MemoryStore
) -> None:
    for target in ("/a%2Fb", "/%2e%2e/a", "/a/%2e/b", "/../b", "/a/../..", "/%00"):
        for method in ("PUT", "MKCOL", "GET", "PROPFIND"):
            assert client(method, target).status in (400, 404), (method, target)
    assert keys(store) == []


def test_a_url_with_dot_segments_names_the_resource_without_them(
    client: Client, store: MemoryStore
) -> None:
    """RFC 3986 §5.2.4, in each method and in Destination."""
    assert client("MKCOL", "/d/./").status == 201
    assert client("PUT", "/./d/x/../f", b"1").status == 201
    assert client("PUT", "/d/.", b"1").status == 405
    assert client("GET", "/d/./f").body == client("GET", "/./d/../d/f").body == b"1"
    assert list(client("PROPFIND", "/./d/.", depth="1").multistatus()) == ["/d/", "/d/f"]
    token = lock(client, "/d/./f")
    assert client("PUT", "/d/f", b"2").status == 423
    own = {"If": f"</./d/./f> (<{token}>)"}
    assert client("PUT", "/d/../d/f", b"2", own).status == 204
    assert client("UNLOCK", "/d/./f", lock_token=f"<{token}>").status == 204
    assert client("COPY", "/d/./f", destination="/d/./g").status == 201
    assert client("MOVE", "/d/g", destination="/d/x/../h").status == 201
    assert client("DELETE", "/d/./f").status == 204
    assert keys(store) == ["d/", "d/h"]


def test_a_prefix_confines_the_drive(store: MemoryStore) -> None:
    fill(store, "in/f", "out", "in-", "inside/g")
    with running_bridge(store, prefix="in/") as bridge, bridge.client() as client:
        assert list(client("PROPFIND", "/", depth="1").multistatus()) == ["/", "/f"]
        assert client("MOVE", "/f", destination="/g").status == 201
        assert client("GET", "/../out").status == 400
    assert keys(store) == ["in-", "in/g", "inside/g", "out"]


def test_members_lie_inside_their_collection_in_any_unicode_form(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "\u00fc/f")
    assert list(client("PROPFIND", "/u%CC%88/", depth="1").multistatus()) == [
        "/%C3%BC/",
        "/%C3%BC/f",
    ]
