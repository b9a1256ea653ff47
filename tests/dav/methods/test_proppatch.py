"""PROPPATCH, dead properties and the quota."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha1
from xml.etree.ElementTree import fromstring

import pytest

from davbridge.config import DriveSettings
from davbridge.dav.resources import file
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import fill, lock, patch, prop, text, wait_for_usage
from tests.support.bridge import DAV, Answer, Client, running_bridge


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


def statuses(answer: Answer, href: str = "/f") -> dict[str, int]:
    """The status of each property, by its local name."""
    return {
        element.tag.rpartition("}")[2]: int((propstat.findtext(f"{DAV}status") or "").split()[1])
        for propstat in answer.multistatus()[href].findall(f"{DAV}propstat")
        for element in propstat.iterfind(f"{DAV}prop/*")
    }


def windows_time(value: str) -> str:
    name = "w:Win32LastModifiedTime"
    return f'<{name} xmlns:w="urn:schemas-microsoft-com:">{value}</{name}>'


@pytest.mark.parametrize(
    "time",
    [
        windows_time("no date"),
        windows_time(""),
        windows_time("Sun, 06 Nov 1969 08:49:37 GMT"),
        windows_time("Sun, 06 Nov 2108 08:49:37 GMT"),
        "<D:lastmodified>-1</D:lastmodified>",
        "<D:lastmodified>4354819200</D:lastmodified>",
        "<D:lastmodified>nan</D:lastmodified>",
    ],
)
def test_a_time_that_no_client_could_bear_is_refused_with_all_that_comes_with_it(
    client: Client, time: str
) -> None:
    """RFC 4918 §9.2.1: 409, and 424 for the others."""
    client("PUT", "/f", b"x")
    name = "lastmodified" if "lastmodified" in time else "Win32LastModifiedTime"
    answer = client("PROPPATCH", "/f", patch("set", time + "<p:q>1</p:q>"))
    assert statuses(answer) == {name: 409, "q": 424}
    assert client("PROPFIND", "/f", prop("q")).property("/f", "{urn:p}q") is None
    assert client("PROPPATCH", "/f", patch("remove", time)).status == 207


OWNCLOUD = 'xmlns="http://owncloud.org/ns"'

CHECKSUMS = f'<D:propfind xmlns:D="DAV:"><D:prop><checksums {OWNCLOUD}/></D:prop></D:propfind>'


def rclone_time(checksum: str) -> str:
    """What rclone's mount sends with vendor=owncloud."""
    checksums = f"<checksums {OWNCLOUD}><checksum>{checksum}</checksum></checksums>"
    return patch("set", f'<lastmodified xmlns="DAV:">1580601600</lastmodified>{checksums}')


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("is_right", [True, False])
def test_a_time_is_set_along_with_the_file_s_own_checksum_only(
    client: Client, is_known: bool, is_right: bool
) -> None:
    headers = {"OC-Checksum": "SHA1:" + sha1(b"body").hexdigest()} if is_known else {}
    assert client("PUT", "/f", b"body", headers).status == 201
    before = client("HEAD", "/f").header("Last-Modified")
    checksum = sha1(b"body" if is_right else b"other").hexdigest()
    answer = client("PROPPATCH", "/f", rclone_time(f"SHA1:{checksum.upper()}"))
    after = client("HEAD", "/f").header("Last-Modified")
    if is_right:
        assert statuses(answer) == {"lastmodified": 200, "checksums": 200}
        assert after == "Sun, 02 Feb 2020 00:00:00 GMT"
    else:
        assert statuses(answer) == {"lastmodified": 424, "checksums": 409}
        assert after == before


def test_a_checksum_that_takes_long_to_find_out_refuses_no_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "MAX_HASHED", 3)
    client("PUT", "/f", b"body")
    answer = client("PROPPATCH", "/f", rclone_time(f"SHA1:{sha1(b'other').hexdigest()}"))
    assert statuses(answer) == {"lastmodified": 200, "checksums": 200}
    assert b"404 Not Found" in client("PROPFIND", "/f", CHECKSUMS, depth="0").body


@pytest.mark.parametrize("checksum", ["CRC:1", "none", "SHA1:"])
def test_a_checksum_that_cannot_be_compared_is_refused(client: Client, checksum: str) -> None:
    client("PUT", "/f", b"body")
    assert statuses(client("PROPPATCH", "/f", rclone_time(checksum)))["checksums"] == 409


@pytest.mark.parametrize("target", ["/f", "/d/"])
def test_checksums_of_a_collection_and_their_removal_are_refused(
    client: Client, target: str
) -> None:
    client("PUT", "/f", b"body")
    client("MKCOL", "/d/")
    verb = "remove" if target == "/f" else "set"
    answer = client("PROPPATCH", target, patch(verb, f"<checksums {OWNCLOUD}/>"))
    assert statuses(answer, target) == {"checksums": 403}


@pytest.mark.parametrize("seconds", ["-1", "4354819200", "1e20"])
def test_an_upload_with_a_time_that_no_client_could_bear_has_the_store_s(
    client: Client, seconds: str
) -> None:
    answer = client("PUT", "/f", b"x", {"X-OC-Mtime": seconds})
    assert answer.status == 201
    assert answer.headers.get("X-OC-Mtime") is None
    assert 2020 < parsedate_to_datetime(client("HEAD", "/f").header("Last-Modified")).year < 2100


@pytest.mark.parametrize("year", [1, 1601, 1969, 2108, 9999])
def test_a_store_s_time_that_no_client_could_bear_is_listed_as_the_first_one(year: int) -> None:
    store = MemoryStore(clock=lambda: datetime(year, 12, 31, tzinfo=UTC))
    fill(store, "f")
    with running_bridge(store) as bridge, bridge.client() as client:
        answer = client("PROPFIND", "/", depth="1")
        assert text(answer, "/f", "getlastmodified") == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert text(answer, "/f", "creationdate") == "1970-01-01T00:00:00Z"
        assert client("GET", "/f").status == 200


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


def test_a_property_is_stored_as_it_was_meant_whatever_its_encoding(client: Client) -> None:
    """RFC 7303 §3.2: told by the XML declaration, a byte order mark or the Content-Type."""
    client("PUT", "/f", b"x")
    body = patch("set", '<p:x xmlns:p="urn:p">äö</p:x>')
    for data, content_type in (
        (f'<?xml version="1.0" encoding="latin1"?>{body}'.encode("latin-1"), "text/xml"),
        (f'<?xml version="1.0" encoding="UTF-16LE"?>{body}'.encode("utf-16-le"), "text/xml"),
        (body.encode("latin-1"), "text/xml; charset=iso-8859-1"),
    ):
        answer = client("PROPPATCH", "/f", data, {"Content-Type": content_type})
        assert answer.status == 207
        asked = '<D:propfind xmlns:D="DAV:"><D:prop><x xmlns="urn:p"/></D:prop></D:propfind>'
        found = client("PROPFIND", "/f", asked, {"Depth": "0"}).property("/f", "{urn:p}x")
        assert found is not None
        assert found.text == "äö"
        assert client("PROPPATCH", "/f", patch("remove", '<p:x xmlns:p="urn:p"/>')).status == 207
