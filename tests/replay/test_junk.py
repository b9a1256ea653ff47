"""Desktops on a drive with ``junk = "drop"``: every step of theirs succeeds, and nothing of what
they write beside people's own files is in the bucket."""

from datetime import UTC, datetime

import pytest

from tests.replay.agents import (
    EXPLORER,
    EXPLORER_LOCK,
    FINDER,
    FINDER_IS_EMPTY,
    FINDER_LOCK,
    FINDER_STAT,
    LIBREOFFICE,
    LIBREOFFICE_LOCK,
    WORD,
    XML_APPLICATION,
    XML_TEXT,
    chunks,
    win32_times,
)
from tests.replay.drives import BridgeDrive, OpenDrive
from tests.replay.reading import entries, look, modified, token_of
from tests.support.bridge import DAV, Answer, Client

pytestmark = pytest.mark.bridge_only("it has no such setting")

APPLE_DOUBLE = b"\0\x05\x16\x07" + b"\0" * 4092

TIME = datetime(2019, 8, 17, 9, 30, 12, tzinfo=UTC)


@pytest.fixture
def drive(open_drive: OpenDrive) -> BridgeDrive:
    drive = open_drive(junk="drop")
    assert isinstance(drive, BridgeDrive)
    return drive


def keys(drive: BridgeDrive) -> set[str]:
    """All of them, davbridge's own as well."""
    return {row.key for page in drive.store.list_objects("") for row in page.rows}


def stat(client: Client, target: str) -> Answer:
    return client("PROPFIND", target, FINDER_STAT, XML_TEXT, depth="0")


def members(client: Client, target: str, body: str = FINDER_STAT) -> set[str]:
    return set(entries(client("PROPFIND", target, body, XML_TEXT, depth="1")))


def finder_saves(client: Client, target: str, body: bytes) -> None:
    """A new file, as Finder makes it: empty, locked, read, written."""
    assert stat(client, target).status == 404
    assert client("PUT", target, b"").status == 201
    finder_writes(client, target, body, 200)


def finder_writes(client: Client, target: str, body: bytes, status: int) -> None:
    locked = client("LOCK", target, FINDER_LOCK, XML_TEXT, depth="0", timeout="Second-600")
    assert locked.status == status
    token = token_of(locked)
    assert client("GET", target).status == 200
    put = client("PUT", target, chunks(body, 1024), {"If": f"(<{token}>)"})
    assert put.status == 204
    assert put.header("ETag") == client("HEAD", target).header("ETag")
    assert client("UNLOCK", target, lock_token=f"<{token}>").status == 204
    entry = look(client, target, f"{DAV}getcontentlength")
    assert int(entry.text(f"{DAV}getcontentlength")) == len(body)
    assert client("GET", target).body == body


def test_a_session_of_finder_leaves_no_junk_in_the_bucket(drive: BridgeDrive) -> None:
    """Window settings, a copied photo with its attributes, renames, a folder that goes."""
    client = drive.client(FINDER)
    base = f"http://127.0.0.1:{drive.port}"
    for name in ("/._.", "/.hidden", "/.DS_Store", "/.Spotlight-V100"):
        assert stat(client, name).status == 404
    finder_saves(client, "/.DS_Store", b"\0\0\0\1Bud1" * 700)
    assert client("MKCOL", "/Photos/").status == 201
    finder_saves(client, "/Photos/a.jpg", b"jpeg")
    assert stat(client, "/Photos/._a.jpg").status == 404
    finder_writes(client, "/Photos/._a.jpg", APPLE_DOUBLE, 201)
    finder_saves(client, "/Photos/.DS_Store", b"settings")
    assert client("PUT", "/Photos/._a.jpg", APPLE_DOUBLE * 2).status == 204
    for name in ("a.jpg", "._a.jpg"):
        moved = client("MOVE", f"/Photos/{name}", destination=f"{base}/Photos/{name[:-5]}b.jpg")
        assert moved.status == 201
    assert client("GET", "/Photos/._b.jpg").body == APPLE_DOUBLE * 2
    assert stat(client, "/Photos/._a.jpg").status == 404
    assert members(client, "/Photos/") == {"/Photos", "/Photos/b.jpg"}
    assert client("MOVE", "/Photos/", destination=f"{base}/Pictures/").status == 201
    assert client("GET", "/Pictures/._b.jpg").body == APPLE_DOUBLE * 2
    assert keys(drive) == {"Pictures/", "Pictures/b.jpg"}
    for name in ("b.jpg", "._b.jpg"):
        assert client("DELETE", f"/Pictures/{name}").status == 204
    assert members(client, "/Pictures/", FINDER_IS_EMPTY) == {"/Pictures"}
    assert client("DELETE", "/Pictures/").status == 204
    assert stat(client, "/Pictures/.DS_Store").status == 404
    assert keys(drive) == set()
    assert client("GET", "/.DS_Store").status == 200


def test_finder_removes_its_junk_with_the_folder_that_it_is_in(drive: BridgeDrive) -> None:
    """rmdir refuses a folder in which anything is listed."""
    client = drive.client(FINDER)
    assert client("MKCOL", "/d/").status == 201
    finder_saves(client, "/d/.DS_Store", b"settings")
    assert members(client, "/d/", FINDER_IS_EMPTY) == {"/d"}
    assert client("DELETE", "/d/").status == 204
    assert client("MKCOL", "/d/").status == 201
    assert stat(client, "/d/.DS_Store").status == 404


def test_a_session_of_explorer_leaves_no_junk_in_the_bucket(drive: BridgeDrive) -> None:
    """It sets times and attributes as well; these aren't in the bucket either."""
    client = drive.client(EXPLORER)
    for target in ("/Thumbs.db", "/Desktop.ini"):
        assert client("PROPFIND", target, depth="0").status == 404
        assert client("PUT", target, b"").status == 201
        token = token_of(client("LOCK", target, EXPLORER_LOCK, XML_TEXT, timeout="Second-3600"))
        shown = {"If": f"(<{token}>)"}
        patched = client("PROPPATCH", target, win32_times(TIME), {**XML_TEXT, **shown})
        assert patched.status == 207
        assert client("HEAD", target).status == 200
        assert client("PUT", target, b"[.ShellClassInfo]", shown).status == 204
        client("PROPPATCH", target, win32_times(TIME), {**XML_TEXT, **shown})
        assert client("UNLOCK", target, lock_token=f"<{token}>").status == 204
        assert modified(client, target) == TIME
        assert client("GET", target).body == b"[.ShellClassInfo]"
    assert members(client, "/") == {"/"}
    assert keys(drive) == set()


def test_a_session_of_word_leaves_no_owner_file_in_the_bucket(drive: BridgeDrive) -> None:
    """While the document is open, others see who has opened it; the document itself is stored."""
    drive.fill({"doc.docx": b"old"})
    anna, ben = drive.client(WORD), drive.client(WORD)
    base = f"http://127.0.0.1:{drive.port}"
    owner = b"\x05Anna" + b" " * 157
    token = token_of(anna("LOCK", "/~%24doc.docx", EXPLORER_LOCK, XML_TEXT))
    assert anna("PUT", "/~%24doc.docx", owner, {"If": f"(<{token}>)"}).status == 204
    assert ben("GET", "/~%24doc.docx").body == owner
    assert ben("PUT", "/~%24doc.docx", b"ben's").status == 423
    assert anna("PUT", "/~WRD0001.tmp", b"new").status == 201
    assert anna("MOVE", "/doc.docx", destination=f"{base}/~WRL0002.tmp").status == 201
    assert anna("MOVE", "/~WRD0001.tmp", destination=f"{base}/doc.docx").status == 201
    assert anna("DELETE", "/~WRL0002.tmp").status == 204
    assert anna("UNLOCK", "/~%24doc.docx", lock_token=f"<{token}>").status == 204
    assert anna("DELETE", "/~%24doc.docx").status == 204
    assert ben("GET", "/~%24doc.docx").status == 404
    assert drive.stored() == {"doc.docx": b"new"}


def test_libreoffice_sees_the_lock_file_of_another_and_it_is_not_in_the_bucket(
    drive: BridgeDrive,
) -> None:
    anna, ben = drive.client(LIBREOFFICE), drive.client(LIBREOFFICE)
    headers = {**XML_APPLICATION, "Depth": "0", "Timeout": "Second-180"}
    target = "/.~lock.letter.odt%23"
    locked = anna("LOCK", target, LIBREOFFICE_LOCK, headers)
    assert locked.status == 201
    shown = {"If": f"(<{token_of(locked)}>)"}
    assert anna("PUT", target, b",anna,host;", shown).status == 204
    assert ben("GET", target).body == b",anna,host;"
    assert anna("DELETE", target, headers=shown).status == 204
    assert keys(drive) == set()


def test_a_document_that_is_renamed_to_a_name_of_junk_is_stored(drive: BridgeDrive) -> None:
    """Nothing that was in the bucket depends on this bridge's memory."""
    drive.fill({"report.doc": b"report"})
    client = drive.client(FINDER)
    assert client("PUT", "/._report.doc", b"fork").status == 201
    base = f"http://127.0.0.1:{drive.port}"
    moved = client(
        "MOVE", "/report.doc", None, {"Overwrite": "F"}, destination=f"{base}/._report.doc"
    )
    assert moved.status == 412
    assert client("MOVE", "/report.doc", destination=f"{base}/._report.doc").status == 204
    drive.restart()
    client = drive.client(FINDER)
    assert drive.stored() == {"._report.doc": b"report"}
    assert client("GET", "/._report.doc").body == b"report"
    assert (
        client(
            "MOVE", "/._report.doc", destination=f"http://127.0.0.1:{drive.port}/report.doc"
        ).status
        == 201
    )
    assert drive.stored() == {"report.doc": b"report"}


def test_junk_is_gone_after_a_restart(drive: BridgeDrive) -> None:
    assert drive.client(FINDER)("PUT", "/._f", b"x").status == 201
    drive.restart()
    assert drive.client(FINDER)("GET", "/._f").status == 404


@pytest.mark.parametrize("junk", ["hide", "drop"])
@pytest.mark.parametrize("depth", ["1", "infinity"])
def test_junk_of_others_is_not_listed_and_is_got_by_its_name(
    open_drive: OpenDrive, junk: str, depth: str
) -> None:
    drive = open_drive(junk=junk)
    junk_files = {f"d/{name}": b"junk" for name in ("._f", ".DS_Store", "Thumbs.db", "~$f")}
    drive.fill({"d/f": b"f", **junk_files})
    client = drive.client(FINDER)
    answer = client("PROPFIND", "/d/", FINDER_STAT, XML_TEXT, depth=depth)
    assert set(entries(answer)) == {"/d", "/d/f"}
    assert client("GET", "/d/._f").body == b"junk"
    assert client("HEAD", "/d/.DS_Store").status == 200
    base = f"http://127.0.0.1:{drive.port}"
    assert client("COPY", "/d/", destination=f"{base}/e/").status == 201
    assert client("DELETE", "/d/").status == 204
    assert set(drive.stored()) == {name.replace("d/", "e/") for name in ("d/f", *junk_files)}


def test_the_names_of_junk_can_be_chosen(open_drive: OpenDrive) -> None:
    drive = open_drive(junk="hide", junk_names=("*.tmp", ".Trash-?"))
    drive.fill(dict.fromkeys(("a.TMP", ".Trash-1", ".Trash-10", "._f"), b"x"))
    assert members(drive.client(FINDER), "/") == {"/", "/.Trash-10", "/._f"}
