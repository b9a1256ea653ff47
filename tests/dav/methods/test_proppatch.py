"""PROPPATCH, dead properties and the quota."""

from xml.etree.ElementTree import fromstring

import pytest

from davbridge.config import DriveSettings
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import fill, lock, patch, prop, text, wait_for_usage
from tests.support.bridge import DAV, Client, running_bridge


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


def test_the_quota_is_published_unless_it_is_switched_off(store: MemoryStore) -> None:
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
def test_metadata_of_an_upload_is_no_dead_property(instruction: str, client: Client) -> None:
    client("PUT", "/f", b"x", {"X-OC-Mtime": "1000000000"})
    client_metadata = '<facts xmlns="urn:davbridge:">no</facts>'
    answer = client("PROPPATCH", "/f", patch(instruction, client_metadata))
    assert b"403 Forbidden" in answer.body
    assert client("HEAD", "/f").header("Last-Modified") == "Sun, 09 Sep 2001 01:46:40 GMT"
