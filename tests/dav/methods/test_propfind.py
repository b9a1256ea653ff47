"""PROPFIND: what is listed, and what is no request."""

import json
import re
from hashlib import sha1
from xml.etree.ElementTree import Element, tostring

import pytest

from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import EXCLUSIVE, RESERVED, fill, patch, text
from tests.support.bridge import DAV, Client, running_bridge

EVERYTHING = (
    '<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getcontentlength/><D:getetag/>'
    '<D:getlastmodified/><D:lockdiscovery/><q xmlns="urn:p"/>'
    '<c:checksums xmlns:c="http://owncloud.org/ns"/></D:prop></D:propfind>'
)


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


def test_propfind_takes_a_missing_depth_as_1(client: Client, store: MemoryStore) -> None:
    fill(store, "d/e/f", "d/f")
    assert list(client("PROPFIND", "/d/", depth="0").multistatus()) == ["/d/"]
    assert list(client("PROPFIND", "/d/").multistatus()) == ["/d/", "/d/e/", "/d/f"]
    assert list(client("PROPFIND", "/d/f", depth="1").multistatus()) == ["/d/f"]
    assert client("PROPFIND", "/d/", depth="2").status == 400
    assert client("PROPFIND", "/missing", depth="0").status == 404


@pytest.mark.parametrize("body", ["", EVERYTHING], ids=["allprop", "named"])
def test_propfind_of_a_tree_answers_of_each_resource_what_propfind_of_it_does(
    client: Client, store: MemoryStore, body: str
) -> None:
    """RFC 4918 §9.1: properties, times that clients have sent, and locks included."""
    fill(store, "d/a", "d/e/f/g", "d/e/h", "d/\u00fc/x", "other")
    assert client("MKCOL", "/d/empty/").status == 201
    for href in ("/d/e/h", "/d/e"):
        assert client("PROPPATCH", href, patch("set", "<p:q>1</p:q>")).status == 207
    sent = {"X-OC-Mtime": "1000000000", "OC-Checksum": "SHA1:" + sha1(b"x").hexdigest()}
    assert client("PUT", "/d/e/f/sent", b"x", sent).status == 201
    assert client("LOCK", "/d/e/f/", EXCLUSIVE, depth="infinity").status == 200
    assert client("LOCK", "/d/a", EXCLUSIVE, depth="0").status == 200
    tree = client("PROPFIND", "/d/", body, depth="infinity").multistatus()
    assert set(tree) == {
        "/d/",
        *("/d/a", "/d/e/", "/d/e/f/", "/d/e/f/g", "/d/e/f/sent", "/d/e/h", "/d/empty/"),
        *("/d/%C3%BC/", "/d/%C3%BC/x"),
    }
    for href, response in tree.items():
        (alone,) = client("PROPFIND", href, body, depth="0").multistatus().values()
        assert without_time(response) == without_time(alone)


def without_time(response: Element) -> str:
    """A lock's time runs."""
    return re.sub(r"Second-\d+", "", tostring(response, encoding="unicode"))


def test_propfind_without_the_root_lists_what_is_inside(client: Client, store: MemoryStore) -> None:
    """As older Office and Windows ask. No other method takes such a depth."""
    fill(store, "d/e/f", "d/f")
    inside = client("PROPFIND", "/d/", depth="1,noroot")
    assert list(inside.multistatus()) == ["/d/e/", "/d/f"]
    tree = client("PROPFIND", "/d/", depth="Infinity, NoRoot")
    assert list(tree.multistatus()) == ["/d/e/", "/d/e/f", "/d/f"]
    assert client("PROPFIND", "/d/", depth="0,noroot").status == 400
    assert client("DELETE", "/d/", depth="infinity,noroot").status == 400
    assert store.lookup("d/f").row is not None


def test_propfind_of_a_file_s_tree_is_of_the_file_alone(client: Client, store: MemoryStore) -> None:
    fill(store, "d/f")
    assert list(client("PROPFIND", "/d/f", depth="infinity").multistatus()) == ["/d/f"]
    assert client("PROPFIND", "/missing", depth="infinity").status == 404


def test_propfind_of_named_properties_answers_404_for_the_missing_ones(client: Client) -> None:
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


def test_propfind_answers_propname_and_include(client: Client) -> None:
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


@pytest.mark.parametrize("depth", [500, 50_000])
def test_xml_that_nests_too_deeply_is_refused(depth: int, client: Client) -> None:
    nested = "<p>" * depth + "</p>" * depth
    client("PUT", "/f", b"x")
    assert client("PROPPATCH", "/f", patch("set", nested)).status == 400
    lock = EXCLUSIVE.replace("<D:href>me</D:href>", nested)
    assert client("LOCK", "/f", lock).status == 400


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
