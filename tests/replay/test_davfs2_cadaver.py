"""davfs2 and cadaver (neon)."""

import time
from collections.abc import Mapping

import pytest

from tests.replay.agents import (
    CADAVER,
    DAVFS2,
    DAVFS2_EXECUTABLE,
    DAVFS2_LIST,
    GVFS_QUOTA,
    XML_APPLICATION,
    neon_lock,
)
from tests.replay.drives import Drive, OpenDrive
from tests.replay.reading import entries, look, token_of, tokens_in
from tests.support.bridge import DAV, Answer, Client

stock_fails = pytest.mark.stock_fails

EXECUTABLE = "{http://apache.org/dav/props/}executable"


def lock(client: Client, target: str, body: str = "", **headers: str) -> Answer:
    sent = {**XML_APPLICATION, "Depth": "0", "Timeout": "Second-1800", **headers}
    return client("LOCK", target, body or neon_lock(), sent)


def find(client: Client, target: str, depth: str = "1") -> Answer:
    return client("PROPFIND", target, DAVFS2_LIST, XML_APPLICATION, depth=depth)


def tagged(drive: Drive, locks: Mapping[str, str], scheme: str = "http") -> dict[str, str]:
    """As neon writes If: absolute URIs, each with its list."""
    base = f"{scheme}://127.0.0.1:{drive.port}"
    return {"If": " ".join(f"<{base}{target}> (<{token}>)" for target, token in locks.items())}


def test_davfs2_39_creates_a_file(drive: Drive) -> None:
    """It needs 201, and the token in a Lock-Token header (RFC 4918 §9.10.1, §7.3)."""
    client = drive.client(DAVFS2)
    locked = lock(client, "/f.txt")
    assert locked.status == 201
    token = token_of(locked)
    head = client("HEAD", "/f.txt")
    assert (head.status, head.header("Content-Length")) == (200, "0")
    shown = {**tagged(drive, {"/f.txt": token}), "If-Match": head.header("ETag")}
    put = client("PUT", "/f.txt", b"content", shown)
    assert put.status == 204
    assert client("UNLOCK", "/f.txt", lock_token=f"<{token}>").status == 204
    assert drive.stored() == {"f.txt": b"content"}
    assert client("HEAD", "/f.txt").header("ETag") == put.header("ETag")


@stock_fails("an If tagged with an absolute URI is never evaluated")
def test_davfs2_39_rule_08_a_tagged_if_is_evaluated(drive: Drive) -> None:
    """RFC 4918 §10.4: a token of no lock there is a 412, not a 204."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(DAVFS2)
    wrong = "urn:uuid:00000000-0000-4000-8000-000000000000"
    assert client("PUT", "/f.txt", b"y", tagged(drive, {"/f.txt": wrong})).status == 412
    assert drive.stored() == {"f.txt": b"x"}


def test_davfs2_39_stale_if_match_under_its_own_lock(drive: Drive) -> None:
    """The ETag counts although the lock is held (RFC 9110 §13.1.1)."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(DAVFS2)
    token = token_of(lock(client, "/f.txt"))
    shown = {**tagged(drive, {"/f.txt": token}), "If-Match": '"stale"'}
    assert client("PUT", "/f.txt", b"y", shown).status == 412
    assert drive.stored() == {"f.txt": b"x"}


@stock_fails("If-Modified-Since beside If-None-Match is evaluated as well: 412 to a GET")
def test_davfs2_40_revalidates_by_etag_and_date(drive: Drive) -> None:
    """RFC 9110 §13.1.3: beside If-None-Match the date is not looked at."""
    drive.fill({"f.txt": b"12345"})
    client = drive.client(DAVFS2)
    first = client("GET", "/f.txt")
    seen = {
        "If-None-Match": first.header("ETag"),
        "If-Modified-Since": first.header("Last-Modified"),
    }
    again = client("GET", "/f.txt", headers=seen)
    assert (again.status, again.body) == (304, b"")
    assert again.header("ETag") == first.header("ETag")
    later = seen | {"If-Modified-Since": "Fri, 01 Mar 2030 12:00:00 GMT"}
    assert client("GET", "/f.txt", headers=later).status == 304


@stock_fails("its ETag is made of inode, second and size")
def test_davfs2_40_sees_a_write_of_the_same_second_and_size(drive: Drive) -> None:
    """Size and time to the second are the same; the ETag isn't."""
    client = drive.client(DAVFS2)
    # For a server whose clock can't be set: both writes within this second.
    time.sleep(-time.time() % 1 if time.time() % 1 > 0.5 else 0)
    client("PUT", "/f.txt", b"12345")
    first = client("GET", "/f.txt")
    drive.client(CADAVER)("PUT", "/f.txt", b"54321")
    seen = {
        "If-None-Match": first.header("ETag"),
        "If-Modified-Since": first.header("Last-Modified"),
    }
    again = client("GET", "/f.txt", headers=seen)
    assert (again.status, again.body) == (200, b"54321")


def test_davfs2_lists_with_the_default_namespace(drive: Drive) -> None:
    drive.fill({"d/f.txt": b"x", "d/e/": b""})
    client = drive.client(DAVFS2)
    found = entries(find(client, "/d/"))
    assert set(found) == {"/d", "/d/e", "/d/f.txt"}
    assert found["/d/e"].is_collection
    file = found["/d/f.txt"]
    assert file.text(f"{DAV}getcontentlength") == "1"
    assert len(file.properties) == 5


def test_davfs2_42_keeps_the_executable_bit(drive: Drive) -> None:
    """mod_dav's live property; T or F."""
    drive.fill({"run.sh": b"#!/bin/sh\n"})
    client = drive.client(DAVFS2)
    for value in ("T", "F"):
        body = DAVFS2_EXECUTABLE.format(value)
        answer = client("PROPPATCH", "/run.sh", body, XML_APPLICATION)
        (entry,) = entries(answer).values()
        assert entry.status_of(EXECUTABLE) == 200
        assert entries(find(client, "/"))["/run.sh"].text(EXECUTABLE) == value


def test_davfs2_asks_for_the_quota(drive: Drive) -> None:
    """statfs; a 404 propstat makes it report a default."""
    answer = drive.client(DAVFS2)("PROPFIND", "/", GVFS_QUOTA, XML_APPLICATION, depth="0")
    (root,) = entries(answer).values()
    assert len(root.properties) == 2


@stock_fails("an If tagged with an absolute URI is never evaluated")
def test_davfs2_43_rule_08_behind_a_proxy_that_ends_tls(open_drive: OpenDrive) -> None:
    """The client knows https, the server http: a tag is compared by its path."""
    drive = open_drive(users=("anna",))
    drive.fill({"f.txt": b"x"})
    client = drive.client({**DAVFS2, "Host": "drive.example.com"}, "anna")
    token = token_of(lock(client, "/f.txt"))
    right = {"If": f"<https://drive.example.com/f.txt> (<{token}>)"}
    assert client("PUT", "/f.txt", b"y", right).status == 204
    other = {"If": f"<https://drive.example.com/g.txt> (<{token}>)"}
    assert client("PUT", "/f.txt", b"z", other).status == 412
    assert drive.stored() == {"f.txt": b"y"}


@stock_fails("the lock stays at the URL that the file has left")
def test_davfs2_moves_a_locked_file(drive: Drive) -> None:
    """MOVE with the source's token, then HEAD; the lock stays behind (RFC 4918 §7.6)."""
    drive.fill({"a.txt": b"a"})
    client = drive.client(DAVFS2)
    token = token_of(lock(client, "/a.txt"))
    headers = {
        "Destination": f"http://127.0.0.1:{drive.port}/b.txt",
        "Overwrite": "T",
        **tagged(drive, {"/a.txt": token}),
    }
    assert client("MOVE", "/a.txt", headers=headers).status == 201
    assert client("HEAD", "/b.txt").status == 200
    assert client("PUT", "/b.txt", b"b").status == 204
    assert client("PUT", "/a.txt", b"new").status == 201


def test_davfs2_moves_between_two_locked_files(drive: Drive) -> None:
    """Both tokens are needed, each in a list of its own (RFC 4918 §7.5, §10.4.1)."""
    drive.fill({"a.txt": b"a", "b.txt": b"b"})
    client = drive.client(DAVFS2)
    tokens = {name: token_of(lock(client, name)) for name in ("/a.txt", "/b.txt")}
    target = {"Destination": f"http://127.0.0.1:{drive.port}/b.txt", "Overwrite": "T"}
    for name in tokens:
        one = tagged(drive, {name: tokens[name]})
        assert client("MOVE", "/a.txt", headers={**target, **one}).status == 423
    assert drive.stored() == {"a.txt": b"a", "b.txt": b"b"}
    assert client("MOVE", "/a.txt", headers={**target, **tagged(drive, tokens)}).status == 204
    assert drive.stored() == {"b.txt": b"a"}


@stock_fails("MOVE of a folder whose child is locked is 423 even with the token")
def test_davfs2_moves_a_folder_with_a_locked_file_inside(drive: Drive) -> None:
    """RFC 4918 §7.5: the tagged token opens it."""
    drive.fill({"d/f.txt": b"f", "d/g.txt": b"g"})
    client = drive.client(DAVFS2)
    token = token_of(lock(client, "/d/f.txt"))
    target = {"Destination": f"http://127.0.0.1:{drive.port}/e/", "Overwrite": "F"}
    assert client("MOVE", "/d/", headers=target).status in (207, 423)
    assert drive.stored() == {"d/f.txt": b"f", "d/g.txt": b"g"}
    shown = {**target, **tagged(drive, {"/d/f.txt": token})}
    assert client("MOVE", "/d/", headers=shown).status == 201
    assert drive.stored() == {"e/f.txt": b"f", "e/g.txt": b"g"}


@stock_fails("MOVE of a folder whose child is locked is 423 even with the token")
def test_davfs2_moves_a_folder_in_which_it_has_locked_150_files(drive: Drive) -> None:
    """It submits the tokens of all of them in one If header (RFC 4918 §10.4)."""
    names = [f"{number}-{'long-name-' * 8}.txt" for number in range(150)]
    drive.fill({f"d/{name}": b"x" for name in names})
    client = drive.client(DAVFS2)
    tokens = {f"/d/{name}": token_of(lock(client, f"/d/{name}")) for name in names}
    target = {"Destination": f"http://127.0.0.1:{drive.port}/e/", "Overwrite": "F"}
    assert client("MOVE", "/d/", headers={**target, **tagged(drive, tokens)}).status == 201
    assert drive.stored() == {f"e/{name}": b"x" for name in names}


def test_cadaver_locks_discovers_and_unlocks(drive: Drive) -> None:
    """A named P0 on lockdiscovery tells the token by which ``steal`` and ``unlock`` work."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt", neon_lock(owner="anna@example"), Timeout="Infinite"))
    discovery = f"{DAV}lockdiscovery"
    found = look(client, "/f.txt", discovery).element(discovery)
    assert found.findtext(f"{DAV}activelock/{DAV}locktoken/{DAV}href") == token
    assert found.findtext(f"{DAV}activelock/{DAV}owner") == "anna@example"
    assert found.findtext(f"{DAV}activelock/{DAV}depth") == "0"
    assert client("UNLOCK", "/f.txt", lock_token=f"<{token}>").status == 204
    assert client("UNLOCK", "/f.txt", lock_token=f"<{token}>").status == 409


def test_cadaver_locks_a_folder_and_works_inside(drive: Drive) -> None:
    """Depth: infinity; neon then shows the folder's token with each request inside (§7.5)."""
    drive.fill({"d/f.txt": b"f"})
    client, other = drive.client(CADAVER), drive.client(DAVFS2)
    token = token_of(lock(client, "/d/", Depth="infinity"))
    shown = tagged(drive, {"/d/": token})
    assert client("PUT", "/d/f.txt", b"mine", shown).status == 204
    assert client("PUT", "/d/new.txt", b"mine", shown).status == 201
    assert client("MKCOL", "/d/e/", headers=shown).status == 201
    assert other("PUT", "/d/new.txt", b"other").status == 423
    assert other("PUT", "/d/newer.txt", b"other").status == 423
    assert other("DELETE", "/d/f.txt").status == 423
    assert other("PUT", "/f.txt", b"beside").status == 201
    assert client("DELETE", "/d/f.txt", headers=shown).status == 204
    assert client("UNLOCK", "/d/", lock_token=f"<{token}>").status == 204
    assert other("PUT", "/d/new.txt", b"other").status == 204


def test_cadaver_copies_a_folder(drive: Drive) -> None:
    """Depth: infinity, Overwrite: F; the copy is not locked (RFC 4918 §7.6)."""
    drive.fill({"d/f.txt": b"f", "d/e/g.txt": b"g"})
    client = drive.client(CADAVER)
    lock(client, "/d/f.txt")
    headers = {
        "Destination": f"http://127.0.0.1:{drive.port}/c/",
        "Depth": "infinity",
        "Overwrite": "F",
    }
    assert client("COPY", "/d/", headers=headers).status == 201
    assert client("COPY", "/d/", headers=headers).status == 412
    assert client("PUT", "/c/f.txt", b"new").status == 204
    assert drive.stored() == {
        "c/e/g.txt": b"g",
        "c/f.txt": b"new",
        "d/e/g.txt": b"g",
        "d/f.txt": b"f",
    }


def test_cadaver_sets_and_removes_a_property(drive: Drive) -> None:
    """propset, propget, propdel; neon declares the namespace on the property itself."""
    drive.fill({"f.txt": b"f"})
    client = drive.client(CADAVER)
    name = "{http://webdav.org/cadaver/custom-properties/}author"
    element = '<author xmlns="http://webdav.org/cadaver/custom-properties/">{}</author>'
    for instruction, inside in (("set", "Ärger &amp; Söhne &lt;x&gt;"), ("remove", "")):
        body = (
            f'<D:propertyupdate xmlns:D="DAV:"><D:{instruction}><D:prop>{element.format(inside)}'
            f"</D:prop></D:{instruction}></D:propertyupdate>"
        )
        answer = client("PROPPATCH", "/f.txt", body, XML_APPLICATION)
        (entry,) = entries(answer).values()
        assert entry.status_of(name) == 200
        found = look(client, "/f.txt", name)
        if instruction == "set":
            assert found.text(name) == "Ärger & Söhne <x>"
        else:
            assert found.status_of(name) == 404


@stock_fails("the token of one shared lock does not open beside another")
def test_cadaver_shared_locks_stand_side_by_side(drive: Drive) -> None:
    """RFC 4918 §6.2; either token opens, and an exclusive lock is refused."""
    drive.fill({"f.txt": b"f"})
    client = drive.client(CADAVER)
    tokens = [token_of(lock(client, "/f.txt", neon_lock("shared"))) for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert lock(client, "/f.txt").status == 423
    assert client("PUT", "/f.txt", b"x").status == 423
    for token in tokens:
        assert client("PUT", "/f.txt", b"x", tagged(drive, {"/f.txt": token})).status == 204
    refreshed = client("LOCK", "/f.txt", headers={"If": f"(<{tokens[0]}>)"})
    assert refreshed.status == 200
    assert tokens[0] in tokens_in(refreshed)
    assert client("UNLOCK", "/f.txt", lock_token=f"<{tokens[0]}>").status == 204
    assert client("PUT", "/f.txt", b"y").status == 423
