"""macOS Finder (webdavfs)."""

from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import fromstring

import pytest

from tests.replay.agents import (
    FINDER,
    FINDER_IS_EMPTY,
    FINDER_LOCK,
    FINDER_QUOTA,
    FINDER_STAT,
    GVFS_QUOTA,
    XML_TEXT,
    chunks,
    http_date,
)
from tests.replay.drives import NOW, Drive, OpenDrive
from tests.replay.reading import Entry, entries, look, seconds_left, token_of, tokens_in
from tests.support.bridge import DAV, Answer, Client
from tests.support.pauses import wait_for

stock_fails = pytest.mark.stock_fails

QUOTA_NAMES = ("quota-available-bytes", "quota-used-bytes", "quota", "quotaused")


def stat(client: Client, target: str, body: str = FINDER_STAT) -> Answer:
    return client("PROPFIND", target, body, XML_TEXT, depth="0")


def children(client: Client, target: str, body: str = FINDER_STAT) -> Answer:
    return client("PROPFIND", target, body, XML_TEXT, depth="1")


def lock(client: Client, target: str) -> Answer:
    return client("LOCK", target, FINDER_LOCK, XML_TEXT, depth="0", timeout="Second-600")


def unlock(client: Client, target: str, token: str) -> Answer:
    return client("UNLOCK", target, lock_token=f"<{token}>")


def held(token: str) -> dict[str, str]:
    return {"If": f"(<{token}>)"}


def test_finder_01_mounts_what_offers_classes_1_and_2(drive: Drive) -> None:
    """Without class 2 it mounts read-only; with an IIS banner it takes another way."""
    answer = drive.client(FINDER)("OPTIONS", "/")
    assert answer.status == 200
    assert {"1", "2"} <= {each.strip() for each in answer.header("DAV").split(",")}
    assert "IIS" not in (answer.headers["Server"] or "")


def test_finder_02_stats_the_root(drive: Drive) -> None:
    """The P0 at mount: a collection, with a time that can be read."""
    (root,) = entries(stat(drive.client(FINDER), "/")).values()
    assert root.is_collection
    assert parsedate_to_datetime(root.text(f"{DAV}getlastmodified")).year >= 1970


@stock_fails("it answers Finder's question")
def test_finder_02_rule_02_sees_no_quota_when_it_mounts(open_drive: OpenDrive) -> None:
    """From macOS 15.4 on, it waits for 90 seconds if the answer has the quota."""
    drive = open_drive(quota=10**9)

    def statuses(body: str, names: Sequence[str]) -> set[int]:
        (root,) = entries(stat(drive.client(FINDER), "/", body)).values()
        return {root.status_of(DAV + name) for name in names}

    assert statuses(FINDER_QUOTA, QUOTA_NAMES) == {404}
    # Others are told once it has been counted.
    assert wait_for(lambda: statuses(GVFS_QUOTA, QUOTA_NAMES[:2]) == {200}, 60)
    assert statuses(FINDER_QUOTA, QUOTA_NAMES) == {404}


@stock_fails("it has no switch that leaves the quota out")
def test_rule_02_quota_can_be_left_out(open_drive: OpenDrive) -> None:
    drive = open_drive(publish_quota=False, quota=10**9)
    (root,) = entries(stat(drive.client(FINDER), "/", GVFS_QUOTA)).values()
    assert {root.status_of(DAV + name) for name in QUOTA_NAMES[:2]} == {404}


def test_finder_04_saves_a_new_file(drive: Drive) -> None:
    client = drive.client(FINDER)
    body = b"The quick brown fox jumps over the lazy dog"
    assert stat(client, "/report.txt").status == 404
    assert client("PUT", "/report.txt", b"").status == 201
    assert stat(client, "/._report.txt").status == 404
    locked = lock(client, "/report.txt")
    assert locked.status == 200
    token = token_of(locked)
    read = client("GET", "/report.txt")
    assert (read.status, read.body) == (200, b"")
    sent = {**held(token), "X-Expected-Entity-Length": str(len(body))}
    saved = client("PUT", "/report.txt", chunks(body), sent)
    assert saved.status == 204
    assert unlock(client, "/report.txt", token).status == 204
    assert drive.stored() == {"report.txt": body}
    assert client("GET", "/report.txt").body == body


@stock_fails("a PUT's answer has no Last-Modified")
def test_finder_04_a_put_is_answered_with_etag_and_time(drive: Drive) -> None:
    """Without both it asks once more for each file that it writes."""
    client = drive.client(FINDER)
    for status, body in ((201, b"one"), (204, b"two")):
        put = client("PUT", "/f.txt", chunks(body))
        head = client("HEAD", "/f.txt")
        assert put.status == status
        assert put.header("ETag") == head.header("ETag")
        assert put.header("Last-Modified") == head.header("Last-Modified")


def test_finder_05_writes_apple_double_beside_a_file(drive: Drive) -> None:
    client = drive.client(FINDER)
    body = b"\0\x05\x16\x07" + b"\0" * 4092
    assert client("PUT", "/photo.jpg", b"jpeg").status == 201
    assert stat(client, "/._photo.jpg").status == 404
    locked = lock(client, "/._photo.jpg")
    assert locked.status == 201
    token = token_of(locked)
    assert client("GET", "/._photo.jpg").body == b""
    saved = client("PUT", "/._photo.jpg", chunks(body, 1024), held(token))
    assert saved.status == 204
    assert unlock(client, "/._photo.jpg", token).status == 204
    (entry,) = entries(stat(client, "/._photo.jpg")).values()
    assert int(entry.text(f"{DAV}getcontentlength")) == len(body)
    assert drive.stored()["._photo.jpg"] == body


def test_finder_05_rule_03_metadata_files_are_never_forbidden(drive: Drive) -> None:
    """Refused, it fails with error -36."""
    client = drive.client(FINDER)
    for name in ("/.DS_Store", "/._.DS_Store", "/._x", "/.metadata_never_index"):
        assert stat(client, name).status == 404
        assert client("PUT", name, b"litter").status == 201
        assert client("DELETE", name).status == 204


def test_finder_07_expected_length_is_a_hint(drive: Drive) -> None:
    """It is sent before the file is read to its end; the chunks tell the true length."""
    client = drive.client(FINDER)
    put = client("PUT", "/f.bin", chunks(b"twelve bytes"), x_expected_entity_length="10")
    assert put.status in (200, 201, 204)
    assert client("GET", "/f.bin").body == b"twelve bytes"
    assert drive.stored() == {"f.bin": b"twelve bytes"}


def test_finder_08_every_href_is_an_entry(drive: Drive) -> None:
    """Its parser makes an entry of each href element, whatever it is inside of."""
    drive.fill({"d/a.txt": b"a", "d/b.txt": b"b", "d/c/": b""})
    client = drive.client(FINDER)
    token_of(lock(client, "/d/a.txt"))
    answer = children(client, "/d/")
    assert set(entries(answer)) == {"/d", "/d/a.txt", "/d/b.txt", "/d/c"}
    root = fromstring(answer.body)
    hrefs = [each for each in root.iter() if each.tag.rpartition("}")[2].lower() == "href"]
    assert len(hrefs) == 4


def test_finder_08_missing_properties_are_no_entries_and_no_values(drive: Drive) -> None:
    """It ignores a propstat's status: a 404 one must hold empty elements only."""
    drive.fill({"d/f.txt": b"a"})
    for entry in entries(children(drive.client(FINDER), "/", FINDER_QUOTA)).values():
        for status, element in entry.properties.values():
            assert status == 200 or (not (element.text or "").strip() and not len(element))


def test_finder_09_removes_a_folder_that_is_empty(drive: Drive) -> None:
    """rmdir: it looks for members first. An empty folder is a directory marker only."""
    drive.fill({"empty/": b""})
    client = drive.client(FINDER)
    assert list(entries(children(client, "/empty/", FINDER_IS_EMPTY))) == ["/empty"]
    assert client("DELETE", "/empty/").status == 204
    assert stat(client, "/empty/").status == 404


def test_finder_09_makes_a_folder_and_finds_it_empty(drive: Drive) -> None:
    client = drive.client(FINDER)
    assert client("MKCOL", "/untitled%20folder/").status == 201
    (entry,) = entries(children(client, "/untitled%20folder/")).values()
    assert entry.is_collection


def test_finder_11_refreshes_a_lock_without_a_body(drive: Drive) -> None:
    """Every 300 seconds; what is granted has to last longer (RFC 4918 §9.10.2)."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(FINDER)
    token = token_of(lock(client, "/f.txt"))
    for _ in range(3):
        drive.pass_time(300)
        answer = client("LOCK", "/f.txt", headers=held(token), depth="0", timeout="Second-600")
        assert answer.status == 200
        assert tokens_in(answer) == [token]
        assert 300 < seconds_left(answer) <= 600
    assert client("PUT", "/f.txt", b"y", held(token)).status == 204


@stock_fails("If-Modified-Since equal to Last-Modified answers 200")
def test_finder_13_revalidates_by_date(drive: Drive) -> None:
    """RFC 9110 §13.1.3, §15.4.5: 304 for the very date; its answer tells the ETag."""
    drive.fill({"f.txt": b"0123456789"})
    client = drive.client(FINDER)
    first = client("GET", "/f.txt")
    again = client("GET", "/f.txt", if_modified_since=first.header("Last-Modified"))
    assert (again.status, again.body) == (304, b"")
    assert again.header("ETag") == first.header("ETag")
    older = http_date(NOW - timedelta(seconds=1))
    assert client("GET", "/f.txt", if_modified_since=older).status == 200


def test_finder_13_resumes_while_the_date_holds(drive: Drive) -> None:
    """RFC 9110 §13.1.5."""
    drive.fill({"f.txt": b"0123456789"})
    client = drive.client(FINDER)
    date = client("HEAD", "/f.txt").header("Last-Modified")
    part = client("GET", "/f.txt", range="bytes=4-", if_range=date)
    assert (part.status, part.body) == (206, b"456789")
    assert part.header("Content-Range") == "bytes 4-9/10"


@pytest.mark.parametrize("seconds", [-3600, 3600], ids=["older", "newer"])
def test_finder_13_starts_anew_where_the_date_is_another(drive: Drive, seconds: int) -> None:
    """RFC 9110 §13.1.5: an exact match, not a comparison."""
    drive.fill({"f.txt": b"0123456789"})
    stale = http_date(NOW + timedelta(seconds=seconds))
    whole = drive.client(FINDER)("GET", "/f.txt", range="bytes=4-", if_range=stale)
    assert (whole.status, whole.body) == (200, b"0123456789")


def test_finder_renames_without_an_overwrite_header(drive: Drive) -> None:
    """An absolute Destination; a missing Overwrite is T (RFC 4918 §10.6)."""
    drive.fill({"old.txt": b"old", "new.txt": b"new"})
    client = drive.client(FINDER)
    base = f"http://127.0.0.1:{drive.port}"
    assert client("MOVE", "/old.txt", destination=f"{base}/a%20b.txt").status == 201
    assert client("MOVE", "/a%20b.txt", destination=f"{base}/new.txt").status == 204
    assert drive.stored() == {"new.txt": b"old"}


def test_finder_renames_a_folder(drive: Drive) -> None:
    drive.fill({"d/f.txt": b"f", "d/e/": b"", "dd/x": b"x"})
    client = drive.client(FINDER)
    base = f"http://127.0.0.1:{drive.port}"
    assert client("MOVE", "/d/", destination=f"{base}/e/").status == 201
    assert stat(client, "/d/").status == 404
    assert list(entries(children(client, "/e/"))) in (
        ["/e", "/e/e", "/e/f.txt"],
        ["/e", "/e/f.txt", "/e/e"],
    )
    assert drive.stored() == {"dd/x": b"x", "e/f.txt": b"f"}


def test_finder_saves_safely_by_way_of_a_folder(drive: Drive) -> None:
    """TextEdit writes the new version in a folder beside the old one, and moves it over."""
    drive.fill({"doc.txt": b"old"})
    client = drive.client(FINDER)
    folder = "/(A%20Document%20Being%20Saved%20By%20TextEdit)"
    base = f"http://127.0.0.1:{drive.port}"
    assert client("MKCOL", f"{folder}/").status == 201
    assert client("PUT", f"{folder}/doc.txt", b"").status == 201
    token = token_of(lock(client, f"{folder}/doc.txt"))
    assert client("PUT", f"{folder}/doc.txt", chunks(b"new"), held(token)).status == 204
    assert unlock(client, f"{folder}/doc.txt", token).status == 204
    assert client("MOVE", f"{folder}/doc.txt", destination=f"{base}/doc.txt").status == 204
    assert client("DELETE", f"{folder}/").status == 204
    assert drive.stored() == {"doc.txt": b"new"}


@stock_fails("it answers 409, and Finder drops the node")
def test_finder_rule_10_unlocks_what_is_gone(drive: Drive) -> None:
    """404 and 409 to UNLOCK drop the node in webdavfs; the lock is gone, as it wished."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(FINDER)
    token = token_of(lock(client, "/f.txt"))
    drive.pass_time(10 * 24 * 3600)
    assert unlock(client, "/f.txt", token).status == 204
    assert unlock(client, "/f.txt", token).status == 204
    never = "urn:uuid:00000000-0000-4000-8000-000000000000"
    assert unlock(client, "/f.txt", never).status == 204


@stock_fails("it answers 404 or 409, and Finder drops the node")
def test_finder_rule_10_unlocks_a_file_that_is_gone(drive: Drive) -> None:
    drive.fill({"f.txt": b"x"})
    client = drive.client(FINDER)
    token = token_of(lock(client, "/f.txt"))
    assert client("DELETE", "/f.txt", headers=held(token)).status == 204
    assert unlock(client, "/f.txt", token).status == 204


def test_finder_rule_10_leniency_opens_nobody_else_s_lock(open_drive: OpenDrive) -> None:
    """RFC 4918 §9.11.1: 403 for a lock that is there, and another user's."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"f.txt": b"x"})
    anna, ben = drive.client(FINDER, "anna"), drive.client(FINDER, "ben")
    token = token_of(lock(anna, "/f.txt"))
    assert unlock(ben, "/f.txt", token).status == 403
    assert ben("PUT", "/f.txt", b"ben's").status == 423
    assert unlock(anna, "/f.txt", token).status == 204


def test_finder_rule_05_never_reads_a_fault_as_an_absence(drive: Drive) -> None:
    """What was just written is there at every look that follows."""
    client = drive.client(FINDER)
    for number in range(20):
        target = f"/f{number}.txt"
        assert stat(client, target).status == 404
        assert client("PUT", target, b"").status == 201
        found: Entry = look(client, target, f"{DAV}getcontentlength")
        assert found.text(f"{DAV}getcontentlength") == "0"
    assert len(entries(children(client, "/"))) == 21
