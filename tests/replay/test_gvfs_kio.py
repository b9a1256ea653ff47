"""GNOME Files (gvfs) and Dolphin (KIO)."""

from datetime import UTC, datetime

import pytest

from tests.replay.agents import (
    GVFS,
    GVFS_LIST,
    GVFS_PARENT,
    GVFS_QUOTA,
    KIO,
    KIO_LIST,
    XML_APPLICATION,
    XML_TEXT,
    neon_lock,
)
from tests.replay.drives import Drive
from tests.replay.reading import entries, modified, token_of
from tests.support.bridge import DAV, Answer, Client

stock_fails = pytest.mark.stock_fails

OLD = datetime(2012, 12, 21, 21, 12, 21, tzinfo=UTC)


def find(client: Client, target: str, body: str = GVFS_LIST, depth: str = "1") -> Answer:
    headers = {**XML_APPLICATION, "Depth": depth, "Apply-To-Redirect-Ref": "T"}
    return client("PROPFIND", target, body, headers)


def test_gvfs_32_mounts_by_walking_up(drive: Drive) -> None:
    """Up every parent until one fails: the folder may not be the root of what it may see."""
    drive.fill({"a/b/f.txt": b"x"})
    client = drive.client(GVFS)
    for target in ("/a/b/", "/a/", "/"):
        assert client("OPTIONS", target).status == 200
        for entry in entries(find(client, target, GVFS_PARENT)).values():
            assert entry.is_collection or entry.text(f"{DAV}getcontentlength") == "1"
    assert client("OPTIONS", "/missing/").status < 500
    assert find(client, "/missing/", GVFS_PARENT).status == 404


def test_gvfs_33_uploads(drive: Drive) -> None:
    client = drive.client(GVFS)
    assert find(client, "/f.txt", depth="0").status == 404
    assert client("PUT", "/f.txt", b"x", overwrite="T").status == 201
    assert drive.stored() == {"f.txt": b"x"}


@stock_fails("the answer does not say that the time was taken")
def test_gvfs_33_uploads_with_the_time_of_the_file(drive: Drive) -> None:
    """X-OC-Mtime: seconds since the epoch; the answer says that it was taken."""
    client = drive.client(GVFS)
    sent = {"Overwrite": "T", "X-OC-Mtime": str(int(OLD.timestamp()))}
    put = client("PUT", "/f.txt", b"x", sent)
    assert put.status == 201
    assert put.header("X-OC-Mtime") == "accepted"
    assert modified(client, "/f.txt") == OLD


def test_gvfs_edits_under_the_etag_that_it_read(drive: Drive) -> None:
    """What getetag tells goes into If-Match as it is; another's version is not overwritten."""
    drive.fill({"f.txt": b"one"})
    client = drive.client(GVFS)
    (entry,) = entries(find(client, "/f.txt", depth="0")).values()
    etag = entry.text(f"{DAV}getetag")
    assert client("HEAD", "/f.txt", if_match=etag).status == 200
    assert client("PUT", "/f.txt", b"second", if_match=etag).status == 204
    assert client("PUT", "/f.txt", b"third!!", if_match=etag).status == 412
    assert drive.stored() == {"f.txt": b"second"}


@stock_fails("getetag has no quotes, ETag has")
def test_gvfs_rule_13_getetag_is_the_etag_header(drive: Drive) -> None:
    """RFC 4918 §15.6: the value of the header."""
    drive.fill({"f.txt": b"one"})
    client = drive.client(GVFS)
    (entry,) = entries(find(client, "/f.txt", depth="0")).values()
    etag = entry.text(f"{DAV}getetag")
    assert etag == client("HEAD", "/f.txt").header("ETag")
    assert etag.startswith('"')
    assert etag.endswith('"')


def test_gvfs_35_moves_a_folder_without_slashes(drive: Drive) -> None:
    """No 3xx; RFC 4918 §9.9.4: 201, and 412 where the destination is there."""
    drive.fill({"dir/f.txt": b"f", "other/g.txt": b"g"})
    client = drive.client(GVFS)
    base = f"http://127.0.0.1:{drive.port}"
    moved = client("MOVE", "/dir", destination=f"{base}/dir2", overwrite="F")
    assert moved.status == 201
    refused = client("MOVE", "/dir2", destination=f"{base}/other", overwrite="F")
    assert refused.status == 412
    assert drive.stored() == {"dir2/f.txt": b"f", "other/g.txt": b"g"}


def test_gvfs_35_moves_a_file_over_another(drive: Drive) -> None:
    drive.fill({"a": b"a", "b": b"b"})
    client = drive.client(GVFS)
    base = f"http://127.0.0.1:{drive.port}"
    assert client("MOVE", "/a", destination=f"{base}/b", overwrite="T").status == 204
    assert drive.stored() == {"b": b"a"}


def test_gvfs_copies_a_file(drive: Drive) -> None:
    drive.fill({"a.txt": b"a", "d/": b""})
    client = drive.client(GVFS)
    base = f"http://127.0.0.1:{drive.port}"
    assert client("COPY", "/a.txt", destination=f"{base}/d/a.txt", overwrite="F").status == 201
    assert client("COPY", "/a.txt", destination=f"{base}/d/a.txt", overwrite="F").status == 412
    assert drive.stored() == {"a.txt": b"a", "d/a.txt": b"a"}


def test_gvfs_36_lists_a_file_and_deletes_it(drive: Drive) -> None:
    """RFC 4918 §9.1: a resource without members is one response, at any Depth."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(GVFS)
    assert list(entries(find(client, "/f.txt"))) == ["/f.txt"]
    assert client("DELETE", "/f.txt").status == 204
    assert find(client, "/f.txt").status == 404


def test_gvfs_36_finds_nothing_in_an_empty_folder_before_it_deletes_it(drive: Drive) -> None:
    client = drive.client(GVFS)
    assert client("MKCOL", "/d").status == 201
    assert list(entries(find(client, "/d"))) == ["/d"]
    assert client("DELETE", "/d").status == 204


def test_gvfs_38_shows_the_free_space(drive: Drive) -> None:
    """RFC 4331: non-negative integers, or not found."""
    (root,) = entries(find(drive.client(GVFS), "/", GVFS_QUOTA, "0")).values()
    for name in ("quota-available-bytes", "quota-used-bytes"):
        status, element = root.properties[DAV + name]
        assert status == 404 or int(element.text or "") >= 0


def test_kio_lists_with_eleven_properties(drive: Drive) -> None:
    """supportedlock and lockdiscovery with each entry; DAV:source is no longer one."""
    drive.fill({"d/a b.txt": b"x", "d/e/": b""})
    client = drive.client(KIO)
    token = token_of(client("LOCK", "/d/a%20b.txt", neon_lock(), XML_APPLICATION, depth="0"))
    answer = client("PROPFIND", "/d/", KIO_LIST, XML_TEXT, depth="1")
    found = entries(answer)
    assert set(found) == {"/d", "/d/a b.txt", "/d/e"}
    for entry in found.values():
        assert len(entry.properties) == 11
        assert entry.status_of(f"{DAV}source") == 404
    file = found["/d/a b.txt"]
    assert file.text(f"{DAV}displayname") == "a b.txt"
    scopes = [each.tag for each in file.element(f"{DAV}supportedlock").iter()]
    assert {f"{DAV}exclusive", f"{DAV}write"} <= set(scopes)
    locks = file.element(f"{DAV}lockdiscovery")
    assert locks.findtext(f"{DAV}activelock/{DAV}locktoken/{DAV}href") == token
    assert not len(found["/d/e"].element(f"{DAV}lockdiscovery"))


def test_kio_uploads_and_renames(drive: Drive) -> None:
    """P0 on the target first; MOVE with an absolute Destination, Overwrite: F, Depth: infinity."""
    client = drive.client(KIO)
    target = "/%C3%BCber%20alles.txt"
    assert client("PROPFIND", target, KIO_LIST, XML_TEXT, depth="0").status == 404
    assert client("PUT", target, b"x").status == 201
    headers = {
        "Destination": f"http://127.0.0.1:{drive.port}/z.txt",
        "Overwrite": "F",
        "Depth": "infinity",
    }
    assert client("MOVE", target, headers=headers).status == 201
    assert drive.stored() == {"z.txt": b"x"}
