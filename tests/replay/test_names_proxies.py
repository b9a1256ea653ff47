"""Names that are hard, and servers behind a proxy."""

import re
import unicodedata
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import pytest

from tests.replay.agents import CURL, DAVFS2, EXPLORER, FINDER, FINDER_LOCK, RCLONE, XML_TEXT
from tests.replay.drives import Drive, OpenDrive
from tests.replay.reading import entries, look
from tests.support.bridge import DAV
from tests.support.names import NAMES

stock_fails = pytest.mark.stock_fails

PUBLIC = "https://drive.example.com"


def public(open_drive: OpenDrive) -> Drive:
    return open_drive(public_origins=(PUBLIC,))


# Destination


@stock_fails("the name is cut at ? and ;")
@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_names_54_rule_16_a_destination_is_split_before_it_is_decoded(
    drive: Drive, verb: str
) -> None:
    """Decoded first, ? and ; cut the name, and another file is overwritten."""
    drive.fill({"a": b"a", "q": b"precious", "q?x": b"precious"})
    client = drive.client(RCLONE)
    assert client(verb, "/a", destination="/q%3Fx%3By%23%25.txt").status == 201
    stored = drive.stored()
    assert stored.pop("q?x;y#%.txt") == b"a"
    assert stored["q"] == stored["q?x"] == b"precious"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=stock_fails("a Destination is cut at ;")) if ";" in name else name
        for name in NAMES
    ],
)
def test_names_54_every_name_arrives_as_it_is(drive: Drive, name: str) -> None:
    """In the target, in Destination and in the href (RFC 3986 §2)."""
    drive.fill({"source": b"x"})
    client = drive.client(RCLONE)
    encoded = quote(name, safe="")
    base = f"http://127.0.0.1:{drive.port}"
    assert client("PUT", f"/{encoded}", b"put").status == 201
    assert client("MOVE", "/source", destination=f"{base}/moved-{encoded}").status == 201
    assert drive.stored() == {name: b"put", f"moved-{name}": b"x"}
    found = entries(client("PROPFIND", "/", depth="1"))
    assert set(found) == {"/", f"/{name}", f"/moved-{name}"}
    assert client("GET", found[f"/{name}"].href).body == b"put"


@stock_fails("502 for another scheme")
def test_proxy_20_the_public_origin_is_ours(open_drive: OpenDrive) -> None:
    """The proxy ends TLS and rewrites Host; the client names what it knows."""
    drive = public(open_drive)
    drive.fill({"a": b"a"})
    client = drive.client(EXPLORER)
    assert client("MOVE", "/a", destination=f"{PUBLIC}/b").status == 201
    assert client("COPY", "/b", destination=f"{PUBLIC}:443/c%20d").status == 201
    assert client("COPY", "/b", destination="HTTPS://Drive.Example.COM/e").status == 201
    assert drive.stored() == {"b": b"a", "c d": b"a", "e": b"a"}


def test_proxy_20_no_other_origin_becomes_ours(open_drive: OpenDrive) -> None:
    """RFC 4918 §9.8.5: 502 for another server."""
    drive = public(open_drive)
    drive.fill({"a": b"a"})
    client = drive.client(EXPLORER)
    for origin in (
        "https://drive.example.com.evil.example",
        "https://sub.drive.example.com",
        "https://other.example",
    ):
        assert client("MOVE", "/a", destination=f"{origin}/b").status == 502
    assert drive.stored() == {"a": b"a"}


@stock_fails("502 for another scheme")
def test_proxy_20_the_scheme_may_be_the_proxy_s(open_drive: OpenDrive) -> None:
    """Host is passed through, and the scheme isn't."""
    drive = open_drive(users=("anna",))
    drive.fill({"a": b"a"})
    client = drive.client({**DAVFS2, "Host": "drive.example.com"}, "anna")
    assert client("MOVE", "/a", destination=f"{PUBLIC}/b").status == 201
    assert drive.stored() == {"b": b"a"}


@stock_fails("502 for host:80 against host")
def test_proxy_20_default_ports_say_nothing(open_drive: OpenDrive) -> None:
    """RFC 9110 §4.2.3: with and without, it is the same origin."""
    drive = open_drive(users=("anna",))
    drive.fill({"a": b"a"})
    client = drive.client({**DAVFS2, "Host": "drive.example.com"}, "anna")
    assert client("MOVE", "/a", destination="http://drive.example.com:80/b").status == 201
    assert drive.stored() == {"b": b"a"}


@stock_fails("502 for another port")
@pytest.mark.parametrize("host", ["drive.example.com", "drive.example.com:8080"])
@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_proxy_20_a_host_without_the_client_s_port_is_ours(
    open_drive: OpenDrive, verb: str, host: str
) -> None:
    """nginx' common `proxy_set_header Host $host` leaves the port out."""
    drive = open_drive(users=("anna",))
    drive.fill({"a": b"a"})
    client = drive.client({**DAVFS2, "Host": host}, "anna")
    assert client(verb, "/a", destination="https://drive.example.com:8443/b").status == 201
    assert drive.stored()["b"] == b"a"


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_proxy_20_a_path_is_a_destination(drive: Drive, verb: str) -> None:
    """RFC 4918 §10.3: Simple-ref."""
    drive.fill({"a": b"a"})
    assert drive.client(CURL)(verb, "/a", destination="/b%20c").status == 201
    assert drive.stored()["b c"] == b"a"


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_proxy_20_a_foreign_host_is_502(drive: Drive, verb: str) -> None:
    drive.fill({"a": b"a"})
    assert drive.client(CURL)(verb, "/a", destination="http://foreign.example/b").status == 502
    assert drive.stored() == {"a": b"a"}


def test_proxy_hrefs_are_paths(open_drive: OpenDrive) -> None:
    """An absolute href would have the backend's host in it."""
    drive = public(open_drive)
    drive.fill({"d/f": b"x"})
    for entry in entries(drive.client(FINDER)("PROPFIND", "/d/", depth="1")).values():
        assert entry.href.startswith("/d/")


# Unicode


@stock_fails("two forms are two names")
def test_names_56_rule_21_nfd_and_nfc_are_one_name(drive: Drive) -> None:
    """Finder sends the decomposed form, all others the composed one. The policy: the bucket keeps
    the form that came first, and the other form finds it."""
    nfd, nfc = (unicodedata.normalize(form, "Übergröße é.txt") for form in ("NFD", "NFC"))
    finder, explorer = drive.client(FINDER), drive.client(EXPLORER)
    assert finder("PUT", "/" + quote(nfd), b"one").status == 201
    assert explorer("GET", "/" + quote(nfc)).body == b"one"
    assert explorer("PUT", "/" + quote(nfc), b"two").status == 204
    found = entries(finder("PROPFIND", "/", depth="1"))
    assert set(found) == {"/", f"/{nfd}"}
    assert drive.stored() == {nfd: b"two"}


@stock_fails("two forms are two names")
def test_names_56_rule_21_nfd_and_nfc_of_a_folder_are_one_name(drive: Drive) -> None:
    nfd, nfc = (quote(unicodedata.normalize(form, "/Fotos März/é.jpg")) for form in ("NFD", "NFC"))
    drive.fill({unicodedata.normalize("NFC", "Fotos März/é.jpg"): b"x"})
    client = drive.client(FINDER)
    assert client("GET", nfd).body == b"x"
    assert client("PUT", nfd.replace(".jpg", "2.jpg"), b"y").status == 201
    found = entries(client("PROPFIND", nfc.rpartition("/")[0], depth="1"))
    assert len(found) == 3
    assert client("DELETE", nfd).status == 204


def test_names_56_forms_that_are_both_there_stay_apart(drive: Drive) -> None:
    """Other tools may have written both; each is reached by its own bytes."""
    nfd, nfc = (unicodedata.normalize(form, "é.txt") for form in ("NFD", "NFC"))
    drive.fill({nfd: b"decomposed", nfc: b"composed"})
    client = drive.client(FINDER)
    assert client("GET", "/" + quote(nfd)).body == b"decomposed"
    assert client("GET", "/" + quote(nfc)).body == b"composed"
    assert len(entries(client("PROPFIND", "/", depth="1"))) == 3


# Slashes and dots


@stock_fails("it decodes a path before it splits it, or keeps %2F as text")
@pytest.mark.parametrize("target", ["/a%2Fb", "/a%2fb/c", "/%2e%2e/a", "/a/%2E%2E/b", "/%2e/a"])
def test_names_59_encoded_slashes_and_dots_create_nothing(drive: Drive, target: str) -> None:
    """400 or 404, whatever the verb, in the target and in Destination."""
    drive.fill({"f": b"f", "a/": b""})
    client = drive.client(CURL)
    for method in ("PUT", "MKCOL", "GET", "PROPFIND", "DELETE", "PROPPATCH"):
        assert client(method, target).status in (400, 404), method
    assert client("LOCK", target, FINDER_LOCK, XML_TEXT).status in (400, 404)
    for method in ("COPY", "MOVE"):
        assert client(method, "/f", destination=target).status in (400, 403, 404, 409)
    assert drive.stored() == {"f": b"f"}


@stock_fails("500, or the connection breaks")
@pytest.mark.parametrize("target", ["/%00", "/a%00b", "/%ff%fe", "/%c0%af"])
def test_names_59_bytes_that_are_no_name_create_nothing(drive: Drive, target: str) -> None:
    """NUL, and what isn't UTF-8."""
    client = drive.client(CURL)
    for method in ("PUT", "MKCOL", "GET"):
        assert 400 <= client(method, target).status < 500
    assert drive.stored() == {}


# Characters that XML can't hold, and lengths


@stock_fails("its answer is not XML, and the whole folder is lost")
def test_names_that_xml_cannot_hold_hide_nothing(drive: Drive) -> None:
    """The href tells the name; a displayname couldn't, and the others must still be listed."""
    drive.fill({"d/a\x01b": b"x", "d/c\ufffed": b"x", "d/e\x1f": b"x", "d/f": b"x"})
    client = drive.client(FINDER)
    answer = client("PROPFIND", "/d/", depth="1")
    fromstring(answer.body)
    found = entries(answer)
    assert set(found) == {"/d", "/d/a\x01b", "/d/c\ufffed", "/d/e\x1f", "/d/f"}
    assert "%01" in found["/d/a\x01b"].href
    assert client("GET", found["/d/a\x01b"].href).body == b"x"
    names = look(client, "/d/a%01b", f"{DAV}displayname", f"{DAV}getcontentlength")
    assert names.text(f"{DAV}getcontentlength") == "1"


def test_names_keep_their_line_ends(drive: Drive) -> None:
    """A bare CR in XML is read as LF."""
    drive.fill({"d/a\rb": b"x", "d/a\nb": b"x"})
    client = drive.client(FINDER)
    for name in ("a\rb", "a\nb"):
        shown = look(client, f"/d/{quote(name)}", f"{DAV}displayname")
        assert shown.text(f"{DAV}displayname") == name


def test_names_hrefs_are_ascii(drive: Drive) -> None:
    """Percent-encoded, whatever the name."""
    drive.fill({"d/Ü ä+&<>\"'#?%;.txt": b"x", "d/日本語/": b"", "d/🎉": b"x"})
    answer = drive.client(FINDER)("PROPFIND", "/d/", depth="1")
    hrefs = [entry.href for entry in entries(answer).values()]
    assert len(hrefs) == 4
    for href in hrefs:
        assert re.fullmatch(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*", href)


LONGEST = "/".join(["x" * 204] * 5)
"""1,024 bytes: the longest key that S3 has."""


def test_names_of_1024_bytes_are_stored(drive: Drive) -> None:
    parents = LONGEST.split("/")[:-1]
    client = drive.client(RCLONE)
    for end in range(1, len(parents) + 1):
        assert client("MKCOL", "/" + "/".join(parents[:end])).status == 201
    assert client("PUT", f"/{LONGEST}", b"x").status == 201
    assert client("GET", f"/{LONGEST}").body == b"x"
    assert drive.stored() == {LONGEST: b"x"}


@pytest.mark.bridge_only("a folder has other limits")
def test_names_over_1024_bytes_are_refused(drive: Drive) -> None:
    """Before anything is written; counted in bytes of UTF-8."""
    parent = LONGEST.rpartition("/")[0]
    drive.fill({f"{parent}/f": b"x", "d/e": b"x"})
    client = drive.client(RCLONE)
    for name in ("y" * 205, quote("ü" * 103)):
        for method in ("PUT", "MKCOL"):
            assert client(method, f"/{parent}/{name}").status in (400, 403, 414)
        assert client("GET", f"/{parent}/{name}").status in (400, 404)
        for method in ("COPY", "MOVE"):
            assert client(method, "/d/e", destination=f"/{parent}/{name}").status in (400, 403, 414)
    assert drive.stored() == {f"{parent}/f": b"x", "d/e": b"x"}


@pytest.mark.bridge_only("a folder has other limits")
@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_names_that_would_grow_too_long_stop_the_move_of_a_whole_tree(
    drive: Drive, verb: str
) -> None:
    """The longest descendant decides, before the first copy."""
    deep = "/".join(["x" * 200] * 4)
    drive.fill({f"a/{deep}": b"x", "a/b": b"x", "y" * 240 + "/": b""})
    status = drive.client(RCLONE)(verb, "/a", destination=f"/{'y' * 240}/a").status
    assert status in (207, 400, 403, 409, 414)
    assert drive.stored() == {f"a/{deep}": b"x", "a/b": b"x"}


def test_names_deep_paths_work(drive: Drive) -> None:
    """100 folders in each other."""
    parents = "/".join(str(number % 10) for number in range(100))
    drive.fill({f"{parents}/f.txt": b"deep"})
    client = drive.client(RCLONE)
    assert client("GET", f"/{parents}/f.txt").body == b"deep"
    assert len(entries(client("PROPFIND", f"/{parents}/", depth="1"))) == 2
    assert client("MOVE", "/0", destination="/moved").status == 201
    assert drive.stored() == {f"moved{parents[1:]}/f.txt": b"deep"}


def test_names_differ_in_case(drive: Drive) -> None:
    """Keys do; a rename that changes case only is a rename."""
    client = drive.client(RCLONE)
    assert client("PUT", "/a.txt", b"lower").status == 201
    assert client("PUT", "/A.txt", b"upper").status == 201
    assert drive.stored() == {"A.txt": b"upper", "a.txt": b"lower"}


def test_names_a_query_names_no_other_file(drive: Drive) -> None:
    """Explorer and browsers add one; ? in a name is encoded (RFC 3986 §3.4)."""
    drive.fill({"f.txt": b"plain", "f.txt?x=1": b"query"})
    client = drive.client(CURL)
    assert client("GET", "/f.txt?x=1").body == b"plain"
    assert client("GET", "/f.txt%3Fx=1").body == b"query"
