"""Windows Explorer (MiniRedir, the WebClient service)."""

import re
from datetime import UTC, datetime

import pytest

from tests.replay.agents import (
    EXPLORER,
    EXPLORER_LOCK,
    FINDER,
    XML_TEXT,
    explorer_patch,
    http_date,
    win32_times,
)
from tests.replay.drives import Drive, OpenDrive, login
from tests.replay.reading import WIN32, entries, look, modified, token_of
from tests.support.bridge import DAV, Answer, Client
from tests.support.wire import RawClient

stock_fails = pytest.mark.stock_fails

CAMERA_TIME = datetime(2019, 8, 17, 9, 30, 12, tzinfo=UTC)

RFC_1123 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"
)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def find(client: Client, target: str, depth: str = "0") -> Answer:
    """Its PROPFIND has no body."""
    return client("PROPFIND", target, headers={"Depth": depth, "Content-Length": "0"})


def lock(client: Client, target: str) -> Answer:
    return client("LOCK", target, EXPLORER_LOCK, XML_TEXT, timeout="Second-3600")


def patch(client: Client, target: str, body: str, token: str | None = None) -> Answer:
    shown = {"If": f"(<{token}>)"} if token else {}
    return client("PROPPATCH", target, body, {**XML_TEXT, **shown})


def statuses(answer: Answer) -> set[int]:
    """Of all properties in a PROPPATCH's answer."""
    (entry,) = entries(answer).values()
    assert entry.properties
    return {status for status, _ in entry.properties.values()}


def copy_a_file(client: Client, target: str, body: bytes, modified: datetime) -> list[int]:
    """What Explorer does when a file is dropped into a window; the statuses."""
    answers = [find(client, target), client("PUT", target, b"")]
    locked = lock(client, target)
    token = token_of(locked)
    answers += [
        locked,
        patch(client, target, win32_times(datetime(2024, 2, 29, tzinfo=UTC)), token),
        client("HEAD", target),
        client("PUT", target, body, {"If": f"(<{token}>)"}),
        patch(client, target, win32_times(modified), token),
        client("UNLOCK", target, lock_token=f"<{token}>"),
    ]
    return [answer.status for answer in answers]


@stock_fails("/ is 404 where only /dav is a share")
def test_explorer_14_walks_from_the_root_to_a_share(open_drive: OpenDrive) -> None:
    """It asks for / before it asks for the share that was typed in; 404 or 405 ends it."""
    client = open_drive(mount_path="/dav").client(EXPLORER)
    for target in ("/", "/dav", "/dav/"):
        assert client("OPTIONS", target).status == 200
        assert find(client, target).status in (207, 401)
    assert client("PUT", "/dav/f.txt", b"x").status == 201
    assert "/dav/f.txt" in entries(find(client, "/dav/", "1"))


def test_explorer_15_lists_with_an_empty_body(drive: Drive) -> None:
    """allprop (RFC 4918 §9.1); dates and lengths as §15.1, §15.4 and §15.7 have them."""
    drive.fill({"d/a.txt": b"12345", "d/sub/": b""})
    found = entries(find(drive.client(EXPLORER), "/d/", "1"))
    assert set(found) == {"/d", "/d/a.txt", "/d/sub"}
    for entry in found.values():
        assert RFC_1123.fullmatch(entry.text(f"{DAV}getlastmodified"))
        assert RFC_3339.fullmatch(entry.text(f"{DAV}creationdate"))
    file = found["/d/a.txt"]
    assert file.text(f"{DAV}getcontentlength") == "5"
    assert not file.is_collection
    assert found["/d/sub"].is_collection


def test_explorer_16_creates_a_file(drive: Drive) -> None:
    """The file then has the time that it had on the disk it came from."""
    client = drive.client(EXPLORER)
    statuses = copy_a_file(client, "/IMG_1.jpg", b"jpeg", CAMERA_TIME)
    assert statuses == [404, 201, 200, 207, 200, 204, 207, 204]
    assert drive.stored() == {"IMG_1.jpg": b"jpeg"}
    assert modified(client, "/IMG_1.jpg") == CAMERA_TIME
    assert modified(drive.client(FINDER), "/IMG_1.jpg") == CAMERA_TIME


def test_explorer_16_every_property_is_set(drive: Drive) -> None:
    """A 403 for one of them, and Explorer reports an error for the file."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(EXPLORER)
    answer = patch(client, "/f.txt", win32_times(CAMERA_TIME))
    assert statuses(answer) == {200}


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_explorer_16_the_time_goes_along(drive: Drive, verb: str) -> None:
    """Also over a restart: it is the file's, not the server's."""
    client = drive.client(EXPLORER)
    copy_a_file(client, "/a.txt", b"x", CAMERA_TIME)
    assert client(verb, "/a.txt", destination="/b.txt", overwrite="F").status == 201
    drive.restart()
    assert modified(drive.client(FINDER), "/b.txt") == CAMERA_TIME


def test_explorer_16_the_time_ends_with_the_next_write(drive: Drive) -> None:
    """A PUT alone is a change now, whoever sends it."""
    client = drive.client(EXPLORER)
    copy_a_file(client, "/a.txt", b"x", CAMERA_TIME)
    assert drive.client(FINDER)("PUT", "/a.txt", b"y").status == 204
    assert modified(client, "/a.txt") > CAMERA_TIME


@pytest.mark.parametrize("text", ["", "yesterday", "Sat, 32 Aug 2019 09:30:12 GMT"])
def test_explorer_16_a_time_that_is_none_breaks_nothing(drive: Drive, text: str) -> None:
    """It is answered, and the file keeps a time that can be read."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(EXPLORER)
    assert patch(client, "/f.txt", explorer_patch(Win32LastModifiedTime=text)).status < 500
    assert RFC_1123.fullmatch(
        look(client, "/f.txt", f"{DAV}getlastmodified").text(f"{DAV}getlastmodified")
    )


def test_explorer_16_sets_the_attributes_of_a_folder(drive: Drive) -> None:
    """New folder: MKCOL, then PROPPATCH on it."""
    client = drive.client(EXPLORER)
    assert client("MKCOL", "/New%20folder").status == 201
    assert statuses(patch(client, "/New%20folder", win32_times(CAMERA_TIME))) == {200}
    assert look(client, "/New%20folder", f"{DAV}resourcetype").is_collection


@stock_fails("the switch that makes it take Win32 times drops the other Win32 properties")
def test_explorer_18_attributes_read_back(drive: Drive) -> None:
    drive.fill({"f.txt": b"x"})
    client = drive.client(EXPLORER)
    patch(client, "/f.txt", explorer_patch(Win32FileAttributes="00000020"))
    name = f"{WIN32}Win32FileAttributes"
    assert look(client, "/f.txt", name).text(name) == "00000020"
    patch(client, "/f.txt", explorer_patch(Win32FileAttributes="00000021"))
    assert look(client, "/f.txt", name).text(name) == "00000021"


@stock_fails("1,260,871 bytes, and Explorer shows an empty folder")
def test_explorer_19_rule_12_lists_1500_files_in_a_megabyte(drive: Drive) -> None:
    """FileAttributesLimitInBytes is 1,000,000 by default."""
    drive.fill({f"Holiday photos/IMG_2024_{i:05}.JPG": b"" for i in range(1500)})
    answer = find(drive.client(EXPLORER), "/Holiday%20photos", "1")
    assert len(answer.body) < 1_000_000
    found = entries(answer)
    assert len(found) == 1501
    for name in ("getlastmodified", "creationdate", "getcontentlength", "resourcetype"):
        found["/Holiday photos/IMG_2024_01499.JPG"].element(DAV + name)


@stock_fails("its 401 to HEAD has a body, which is taken for the next answer")
def test_explorer_21_asks_without_a_login_first(open_drive: OpenDrive) -> None:
    """And again on the same connection, where Basic is offered (rule 22)."""
    drive = open_drive(users=("anna",))
    drive.fill({"f.txt": b"x"})
    head = f"HEAD /f.txt HTTP/1.1\r\nHost: x\r\nUser-Agent: {EXPLORER['User-Agent']}\r\n"
    (name, value), *_ = login("anna").items()
    with RawClient(drive.port) as connection:
        refused = connection.ask(f"{head}\r\n".encode(), is_head=True)
        assert refused.status == 401
        assert refused.fields["www-authenticate"].startswith("Basic ")
        again = connection.ask(f"{head}{name}: {value}\r\n\r\n".encode(), is_head=True)
        assert again.status == 200


@pytest.mark.parametrize("method", ["OPTIONS", "PROPFIND", "PUT", "LOCK"])
def test_explorer_21_every_method_asks_for_a_login(open_drive: OpenDrive, method: str) -> None:
    """RFC 9110 §11.6.1: 401 with a challenge."""
    drive = open_drive(users=("anna",))
    refused = drive.client(EXPLORER)(method, "/f.txt", headers={"Depth": "0"})
    assert refused.status == 401
    assert refused.header("WWW-Authenticate").startswith("Basic ")
    assert drive.stored() == {}


def test_explorer_21_uploads_without_a_login_first(open_drive: OpenDrive) -> None:
    """The body of a refused PUT is not taken for the next request."""
    drive = open_drive(users=("anna",))
    client = drive.client(EXPLORER)
    body = b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n" * 100
    assert client("PUT", "/f.txt", body).status == 401
    assert client("PUT", "/f.txt", body, login("anna")).status == 201
    assert drive.stored() == {"f.txt": body}


@pytest.mark.parametrize("name", ["desktop.ini", "Thumbs.db", "folder.jpg", "AutoRun.inf"])
def test_explorer_23_looks_for_its_metadata_files_and_may_write_them(
    drive: Drive, name: str
) -> None:
    client = drive.client(EXPLORER)
    assert find(client, f"/{name}").status == 404
    assert client("PUT", f"/{name}", b"litter").status in (201, 204)
    assert client("GET", f"/{name}").body == b"litter"


def test_explorer_24_another_user_s_lock_keeps_out(open_drive: OpenDrive) -> None:
    """RFC 4918 §7: writes answer 423, reads don't care."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"f.docx": b"anna's"})
    anna, ben = drive.client(EXPLORER, "anna"), drive.client(EXPLORER, "ben")
    token = token_of(lock(anna, "/f.docx"))
    assert lock(ben, "/f.docx").status == 423
    assert ben("PUT", "/f.docx", b"ben's").status == 423
    assert ben("DELETE", "/f.docx").status == 423
    assert ben("MOVE", "/f.docx", destination="/g.docx", overwrite="F").status == 423
    assert patch(ben, "/f.docx", win32_times(CAMERA_TIME)).status == 423
    assert ben("GET", "/f.docx").body == b"anna's"
    assert find(ben, "/f.docx").status == 207
    assert anna("PUT", "/f.docx", b"mine", {"If": f"(<{token}>)"}).status == 204


@pytest.mark.parametrize("how", ["If", "Lock-Token"])
def test_explorer_24_a_token_is_its_owner_s_alone(open_drive: OpenDrive, how: str) -> None:
    """RFC 4918 §6.4: the server checks who submits it. Anybody reads it in lockdiscovery."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"f.docx": b"anna's"})
    anna, ben = drive.client(EXPLORER, "anna"), drive.client(EXPLORER, "ben")
    token = token_of(lock(anna, "/f.docx"))
    shown = {"If": f"(<{token}>)"} if how == "If" else {"Lock-Token": f"<{token}>"}
    assert ben("PUT", "/f.docx", b"ben's", shown).status in (403, 412, 423)
    assert ben("DELETE", "/f.docx", headers=shown).status in (403, 412, 423)
    assert ben("UNLOCK", "/f.docx", lock_token=f"<{token}>").status == 403
    assert drive.stored() == {"f.docx": b"anna's"}


def test_explorer_renames_and_refuses_to_replace(drive: Drive) -> None:
    """Overwrite: F, an absolute Destination, no slash behind a folder (RFC 4918 §9.9.4)."""
    drive.fill({"d/f.txt": b"f", "a.txt": b"a", "b.txt": b"b"})
    client = drive.client(EXPLORER)
    base = f"http://127.0.0.1:{drive.port}"

    def rename(source: str, target: str) -> int:
        return client("MOVE", source, destination=base + target, overwrite="F").status

    assert rename("/a.txt", "/b.txt") == 412
    assert rename("/a.txt", "/A.TXT") == 201
    assert rename("/d", "/New%20folder") == 201
    assert drive.stored() == {"A.TXT": b"a", "New folder/f.txt": b"f", "b.txt": b"b"}


def test_explorer_deletes_a_full_folder_at_once(drive: Drive) -> None:
    drive.fill({"d/f.txt": b"f", "d/e/g.txt": b"g", "dd/h.txt": b"h"})
    assert drive.client(EXPLORER)("DELETE", "/d").status == 204
    assert drive.stored() == {"dd/h.txt": b"h"}


@pytest.mark.parametrize(
    ("target", "name"),
    [("/100%.txt", "100%.txt"), ("/50%%20off.txt", "50% off.txt"), ("/%zz.txt", "%zz.txt")],
)
def test_explorer_does_not_escape_percent_signs(drive: Drive, target: str, name: str) -> None:
    """A % that begins no escape can only be meant as itself."""
    client = drive.client(EXPLORER)
    assert client("PUT", target, b"x").status == 201
    assert drive.stored() == {name: b"x"}
    assert f"/{name}" in entries(find(client, "/", "1"))


@pytest.mark.parametrize(
    "name",
    [
        *(f"x{character}y.txt" for character in '<>:"?*\\'),
        pytest.param("x|y.txt", marks=stock_fails("an href with a bare |")),
        *("trailing.", "trailing ", "CON", "a\tb"),
    ],
)
def test_explorer_lists_names_that_windows_forbids(drive: Drive, name: str) -> None:
    """Others made them; one of them must not hide its whole folder. RFC 3986 §2: an href has no
    other characters than these."""
    drive.fill({f"d/{name}": b"x", "d/z.txt": b"z"})
    found = entries(find(drive.client(EXPLORER), "/d", "1"))
    assert len(found) == 3
    for entry in found.values():
        assert re.fullmatch(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%]+", entry.href)


def test_explorer_refreshes_its_lock(drive: Drive) -> None:
    """RFC 4918 §9.10.2: no body, the token in If."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(EXPLORER)
    token = token_of(lock(client, "/f.txt"))
    drive.pass_time(3000)
    shown = {"If": f"(<{token}>)", "Timeout": "Second-3600", "Content-Length": "0"}
    assert client("LOCK", "/f.txt", headers=shown).status == 200
    drive.pass_time(3000)
    assert client("PUT", "/f.txt", b"y").status == 423
    assert client("PUT", "/f.txt", b"y", shown).status == 204


def test_explorer_never_sees_a_folder_redirected(drive: Drive) -> None:
    """It leaves the slash out everywhere."""
    drive.fill({"d/f.txt": b"f"})
    client = drive.client(EXPLORER)
    for method, expected in (("OPTIONS", 200), ("PROPFIND", 207), ("PROPPATCH", 207)):
        body = win32_times(CAMERA_TIME) if method == "PROPPATCH" else None
        headers = {"Depth": "1"} if method == "PROPFIND" else {}
        assert client(method, "/d", body, headers).status == expected


def test_explorer_s_date_is_the_one_that_http_has(drive: Drive) -> None:
    """The time it reads, and the one that revalidates, are the same text (RFC 9110 §5.6.7)."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(EXPLORER)
    told = look(client, "/f.txt", f"{DAV}getlastmodified").text(f"{DAV}getlastmodified")
    assert client("HEAD", "/f.txt").header("Last-Modified") == told
    assert told == http_date(modified(client, "/f.txt"))
