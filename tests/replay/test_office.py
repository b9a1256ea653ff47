"""Microsoft Office and LibreOffice."""

import pytest

from tests.replay.agents import (
    CADAVER,
    EXPLORER_LOCK,
    LIBREOFFICE,
    LIBREOFFICE_LOCK,
    OFFICE_DISCOVERY,
    OFFICE_EXISTENCE,
    WORD,
    XML_APPLICATION,
    XML_TEXT,
    http_date,
    neon_lock,
    win32_times,
)
from tests.replay.drives import NOW, Drive, OpenDrive
from tests.replay.reading import entries, look, seconds_left, token_of
from tests.support.bridge import DAV, Answer, Client

stock_fails = pytest.mark.stock_fails


def lock(client: Client, target: str) -> Answer:
    return client("LOCK", target, EXPLORER_LOCK, XML_TEXT, timeout="Second-3600")


@stock_fails("Allow of a folder has no PUT")
def test_office_25_discovers_a_folder(drive: Drive) -> None:
    """It opens documents read-only where Allow lacks LOCK, and tries other protocols where a
    SharePoint header is there."""
    drive.fill({"docs/a.docx": b"x"})
    client = drive.client(OFFICE_DISCOVERY)
    for target in ("/docs/", "/docs", "/"):
        answer = client("OPTIONS", target)
        assert answer.status == 200
        assert answer.header("MS-Author-Via") == "DAV"
        assert {"LOCK", "UNLOCK", "PUT"} <= allowed(answer)
        assert answer.headers["X-MSDAVEXT"] is None
        assert answer.headers["X-MSFSSHTTP"] is None


@stock_fails("Allow leaves LOCK out where nothing is yet")
def test_office_25_rule_19_what_is_not_there_yet_can_be_locked(drive: Drive) -> None:
    """Save as: it asks for the new file's URL."""
    answer = drive.client(OFFICE_DISCOVERY)("OPTIONS", "/new.docx")
    assert answer.status == 200
    assert {"LOCK", "PUT"} <= allowed(answer)


def allowed(answer: Answer) -> set[str]:
    return {each.strip() for each in answer.header("Allow").split(",")}


@stock_fails("without its page for browsers, HEAD on a folder is 403")
def test_office_26_looks_whether_it_exists(drive: Drive) -> None:
    """RFC 9110 §9.3.2: HEAD, on files and on folders."""
    drive.fill({"docs/a.docx": b"12345"})
    client = drive.client(OFFICE_EXISTENCE)
    file = client("HEAD", "/docs/a.docx")
    assert (file.status, file.header("Content-Length")) == (200, "5")
    for target in ("/", "/docs", "/docs/"):
        assert client("HEAD", target).status == 200
    assert client("HEAD", "/docs/b.docx").status == 404
    assert client("HEAD", "/docs/a.docx").status == 200


@stock_fails("it answers 423 to the owner of the lock")
def test_office_28_owner_patches_win32_properties_without_its_token(open_drive: OpenDrive) -> None:
    """Property updates ignore its own lock; nobody but the lock's owner may."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"a.docx": b"x"})
    anna, ben = drive.client(WORD, "anna"), drive.client(WORD, "ben")
    token = token_of(lock(anna, "/a.docx"))
    assert ben("PROPPATCH", "/a.docx", win32_times(NOW), XML_TEXT).status == 423
    answer = anna("PROPPATCH", "/a.docx", win32_times(NOW), XML_TEXT)
    (entry,) = entries(answer).values()
    assert {status for status, _ in entry.properties.values()} == {200}
    assert anna("PUT", "/a.docx", b"y").status == 423
    assert anna("UNLOCK", "/a.docx", lock_token=f"<{token}>").status == 204


def test_office_28_others_show_their_token_to_patch(open_drive: OpenDrive) -> None:
    """RFC 4918 §7: a dead property is protected as the bytes are, from its owner as well."""
    drive = open_drive(users=("anna",))
    drive.fill({"a.txt": b"x"})
    client = drive.client(CADAVER, "anna")
    token = token_of(client("LOCK", "/a.txt", neon_lock(), XML_APPLICATION, depth="0"))
    body = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><q xmlns="urn:q">1</q></D:prop></D:set>'
        "</D:propertyupdate>"
    )
    assert client("PROPPATCH", "/a.txt", body, XML_APPLICATION).status == 423
    shown = {**XML_APPLICATION, "If": f"(<{token}>)"}
    assert client("PROPPATCH", "/a.txt", body, shown).status == 207
    assert look(client, "/a.txt", "{urn:q}q").text("{urn:q}q") == "1"


@stock_fails("the lock stays at the URL that the document has left")
def test_office_29_saves_by_renaming(drive: Drive) -> None:
    """Temporary file, backup, swap: the new bytes, and no lock left behind (RFC 4918 §7.6)."""
    drive.fill({"doc.docx": b"old"})
    client = drive.client(WORD)
    base = f"http://127.0.0.1:{drive.port}"
    token = token_of(lock(client, "/doc.docx"))
    assert client("PUT", "/~WRD0001.tmp", b"new").status == 201
    shown = {"If": f"(<{token}>)"}
    moved = client("MOVE", "/doc.docx", None, shown, destination=f"{base}/doc.bak")
    assert moved.status == 201
    assert client("MOVE", "/~WRD0001.tmp", destination=f"{base}/doc.docx").status == 201
    assert client("DELETE", "/doc.bak").status == 204
    assert drive.stored() == {"doc.docx": b"new"}
    discovery = f"{DAV}lockdiscovery"
    assert not len(look(client, "/doc.docx", discovery).element(discovery))
    assert client("PUT", "/doc.docx", b"newer").status == 204


def test_office_opens_and_saves(drive: Drive) -> None:
    """OPTIONS on the folder, HEAD, LOCK, GET; then PUT and UNLOCK."""
    drive.fill({"docs/a.docx": b"old"})
    client = drive.client(WORD)
    assert client("OPTIONS", "/docs/").status == 200
    assert client("HEAD", "/docs/a.docx").status == 200
    locked = lock(client, "/docs/a.docx")
    assert locked.status == 200
    assert seconds_left(locked) >= 180
    token = token_of(locked)
    assert client("GET", "/docs/a.docx").body == b"old"
    assert client("PUT", "/docs/a.docx", b"new", {"If": f"(<{token}>)"}).status == 204
    assert client("UNLOCK", "/docs/a.docx", lock_token=f"<{token}>").status == 204
    assert drive.stored() == {"docs/a.docx": b"new"}


@stock_fails("it answers 423: the Lock-Token header is not looked at")
def test_office_rule_09_word_puts_with_a_lock_token_header(drive: Drive) -> None:
    """Word 2016 sends no If; the token proves the same."""
    drive.fill({"a.docx": b"old"})
    client = drive.client(WORD)
    token = token_of(lock(client, "/a.docx"))
    never = "urn:uuid:00000000-0000-4000-8000-000000000000"
    assert client("PUT", "/a.docx", b"x", {"Lock-Token": f"<{never}>"}).status in (412, 423)
    assert client("PUT", "/a.docx", b"new", {"Lock-Token": f"<{token}>"}).status == 204
    assert drive.stored() == {"a.docx": b"new"}


def test_office_keeps_its_owner_file_beside_the_document(drive: Drive) -> None:
    """~$name: made by LOCK and PUT, read by whoever opens the document next, deleted."""
    client = drive.client(WORD)
    token = token_of(lock(client, "/~%24a.docx"))
    shown = {"If": f"(<{token}>)"}
    assert client("PUT", "/~%24a.docx", b"\x05Anna" + b" " * 157, shown).status == 204
    assert drive.stored() == {"~$a.docx": b"\x05Anna" + b" " * 157}
    assert client("UNLOCK", "/~%24a.docx", lock_token=f"<{token}>").status == 204
    assert client("DELETE", "/~%24a.docx").status == 204


def test_office_second_user_sees_who_edits(open_drive: OpenDrive) -> None:
    """423 to LOCK; lockdiscovery names the owner, and Office shows that (RFC 4918 §15.8)."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"a.docx": b"x"})
    anna, ben = drive.client(WORD, "anna"), drive.client(WORD, "ben")
    token = token_of(lock(anna, "/a.docx"))
    refused = lock(ben, "/a.docx")
    assert refused.status == 423
    assert token not in refused.body.decode()
    discovery = look(ben, "/a.docx", f"{DAV}lockdiscovery").element(f"{DAV}lockdiscovery")
    owner = discovery.findtext(f"{DAV}activelock/{DAV}owner/{DAV}href")
    assert owner == "DESKTOP-7QK2\\anna"


def test_libreoffice_31_edits(drive: Drive) -> None:
    """A lock for 180 seconds, and a look for its own lock file, whose name ends in #."""
    drive.fill({"d/letter.odt": b"old"})
    client = drive.client(LIBREOFFICE)
    headers = {**XML_APPLICATION, "Depth": "0", "Timeout": "Second-180"}
    locked = client("LOCK", "/d/letter.odt", LIBREOFFICE_LOCK, headers)
    assert locked.status == 200
    token = token_of(locked)
    assert client("PROPFIND", "/d/.~lock.letter.odt%23", depth="0").status == 404
    assert client("PUT", "/d/letter.odt", b"new", {"If": f"(<{token}>)"}).status == 204
    assert client("UNLOCK", "/d/letter.odt", lock_token=f"<{token}>").status == 204
    assert drive.stored() == {"d/letter.odt": b"new"}


def test_libreoffice_31_writes_its_lock_file(drive: Drive) -> None:
    """The # is part of the name, encoded; the file beside it without one is another."""
    client = drive.client(LIBREOFFICE)
    body = b",anna,host,01.03.2024 12:00,file:///home/anna;"
    assert client("PUT", "/.~lock.letter.odt%23", body).status == 201
    assert drive.stored() == {".~lock.letter.odt#": body}
    assert client("HEAD", "/.~lock.letter.odt").status == 404
    assert client("DELETE", "/.~lock.letter.odt%23").status == 204


def test_libreoffice_saves_as_onto_a_new_name(drive: Drive) -> None:
    """LOCK of an unmapped URL, then PUT with the token (RFC 4918 §7.3)."""
    client = drive.client(LIBREOFFICE)
    headers = {**XML_APPLICATION, "Depth": "0", "Timeout": "Second-180"}
    locked = client("LOCK", "/new.odt", LIBREOFFICE_LOCK, headers)
    assert locked.status == 201
    token = token_of(locked)
    assert client("PUT", "/new.odt", b"x", {"If": f"(<{token}>)"}).status == 204
    assert client("PUT", "/new.odt", b"other").status == 423
    drive.pass_time(181)
    assert client("PUT", "/new.odt", b"other").status == 204


def test_office_asks_whether_it_changed(drive: Drive) -> None:
    """If-Unmodified-Since on save (RFC 9110 §13.1.4)."""
    drive.fill({"a.docx": b"old"})
    client = drive.client(WORD)
    date = client("HEAD", "/a.docx").header("Last-Modified")
    before = http_date(NOW.replace(year=2020))
    assert client("PUT", "/a.docx", b"new", if_unmodified_since=before).status == 412
    assert drive.stored() == {"a.docx": b"old"}
    assert client("PUT", "/a.docx", b"new", if_unmodified_since=date).status == 204
