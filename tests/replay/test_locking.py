"""Locks as RFC 4918 has them, where clients meet: more of the same kind as their cases."""

from collections.abc import Iterator

import pytest

from tests.replay.agents import CADAVER, DAVFS2, FINDER, WORD, XML_APPLICATION, neon_lock
from tests.replay.drives import Drive, OpenDrive
from tests.replay.reading import entries, look, seconds_left, token_of, tokens_in
from tests.support.bridge import DAV, Answer, Client

stock_fails = pytest.mark.stock_fails

DISCOVERY = f"{DAV}lockdiscovery"


def lock(client: Client, target: str, scope: str = "exclusive", **headers: str) -> Answer:
    sent = {**XML_APPLICATION, "Depth": "0", "Timeout": "Second-600", **headers}
    return client("LOCK", target, neon_lock(scope), sent)


def held(token: str) -> dict[str, str]:
    return {"If": f"(<{token}>)"}


def tokens_on(client: Client, target: str) -> list[str]:
    found = look(client, target, DISCOVERY).element(DISCOVERY)
    return [each.text or "" for each in found.iterfind(f"{DAV}activelock/{DAV}locktoken/{DAV}href")]


def test_lock_is_refused_to_its_own_owner_twice(drive: Drive) -> None:
    """§6.2: exclusive is exclusive, for its owner as well; and the first one stays."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt"))
    assert lock(client, "/f.txt").status == 423
    assert lock(client, "/f.txt", "shared").status == 423
    assert client("LOCK", "/f.txt", neon_lock(), {**XML_APPLICATION, **held(token)}).status == 423
    assert tokens_on(client, "/f.txt") == [token]


def test_lock_is_not_refreshed_by_another_user(open_drive: OpenDrive) -> None:
    """§6.4: the principal has to be the lock's. The lock ends when its owner let it end."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"f.txt": b"x"})
    anna, ben = drive.client(CADAVER, "anna"), drive.client(CADAVER, "ben")
    token = token_of(lock(anna, "/f.txt"))
    drive.pass_time(400)
    refused = ben("LOCK", "/f.txt", headers={**held(token), "Timeout": "Second-6000"})
    assert refused.status in (403, 412, 423)
    drive.pass_time(201)
    assert ben("PUT", "/f.txt", b"ben's").status == 204


def test_lock_can_be_shared_by_two_users(open_drive: OpenDrive) -> None:
    """§6.2: both hold one; both are listed; neither locks exclusively."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"f.txt": b"x"})
    anna, ben = drive.client(CADAVER, "anna"), drive.client(CADAVER, "ben")
    first, second = (
        token_of(lock(anna, "/f.txt", "shared")),
        token_of(lock(ben, "/f.txt", "shared")),
    )
    assert set(tokens_on(anna, "/f.txt")) == {first, second}
    assert lock(anna, "/f.txt").status == 423
    assert anna("UNLOCK", "/f.txt", lock_token=f"<{first}>").status == 204
    assert tokens_on(ben, "/f.txt") == [second]
    assert anna("PUT", "/f.txt", b"anna's").status == 423


@stock_fails("the token of one shared lock does not open beside another")
def test_lock_shared_opens_to_each_with_their_own_token(open_drive: OpenDrive) -> None:
    """§6.2, §6.4: own token yes, the other's no."""
    drive = open_drive(users=("anna", "ben"))
    drive.fill({"f.txt": b"x"})
    anna, ben = drive.client(CADAVER, "anna"), drive.client(CADAVER, "ben")
    first, second = (
        token_of(lock(anna, "/f.txt", "shared")),
        token_of(lock(ben, "/f.txt", "shared")),
    )
    assert anna("PUT", "/f.txt", b"anna's", held(first)).status == 204
    assert ben("PUT", "/f.txt", b"ben's", held(second)).status == 204
    assert ben("PUT", "/f.txt", b"stolen", held(first)).status in (403, 423)
    assert drive.stored() == {"f.txt": b"ben's"}


def test_lock_that_expired_has_no_effect(drive: Drive) -> None:
    """§6.6: it opens nothing, keeps nobody out, can't be refreshed, and isn't shown."""
    drive.fill({"f.txt": b"x"})
    client, other = drive.client(DAVFS2), drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt"))
    drive.pass_time(599)
    assert other("PUT", "/f.txt", b"too early").status == 423
    drive.pass_time(2)
    assert tokens_on(client, "/f.txt") == []
    assert client("LOCK", "/f.txt", headers=held(token)).status == 412
    assert client("PUT", "/f.txt", b"mine?", held(token)).status == 412
    assert client("UNLOCK", "/f.txt", lock_token=f"<{token}>").status == 409
    assert other("PUT", "/f.txt", b"other's").status == 204
    assert token_of(lock(other, "/f.txt")) != token


@stock_fails("500: the locks change while they are gone through", "LOCK", "MOVE")
@pytest.mark.parametrize("verb", ["LOCK", "MOVE", "DELETE", "COPY"])
def test_lock_that_expired_inside_breaks_no_tree(drive: Drive, verb: str) -> None:
    """What is done to a folder whose members' locks have run out."""
    drive.fill({"d/f.txt": b"f", "d/g.txt": b"g"})
    client = drive.client(DAVFS2)
    lock(client, "/d/f.txt")
    lock(client, "/d/g.txt")
    drive.pass_time(601)
    headers = {"Destination": "/e/"} if verb in ("MOVE", "COPY") else {}
    body = neon_lock() if verb == "LOCK" else None
    answer = client(verb, "/d/", body, {**headers, "Depth": "infinity"})
    assert answer.status == {"LOCK": 200, "DELETE": 204}.get(verb, 201)


def test_lock_that_expires_while_the_body_comes_in(drive: Drive) -> None:
    """The write succeeds or it is refused; whichever it is, it is whole."""
    beginning = [b"new " * 2**14] * 256  # More than sockets hold: it leaves as the body is read.
    drive.fill({"f.txt": b"old"})
    client = drive.client(FINDER)
    token = token_of(lock(client, "/f.txt"))

    def body() -> Iterator[bytes]:
        yield from beginning
        drive.pass_time(700)
        yield b"version"

    status = client("PUT", "/f.txt", body(), held(token)).status
    assert status in (204, 412, 423)
    assert drive.stored() == {
        "f.txt": b"".join(beginning) + b"version" if status == 204 else b"old"
    }
    assert drive.client(CADAVER)("PUT", "/f.txt", b"next").status == 204


def test_lock_refresh_restarts_the_time(drive: Drive) -> None:
    """§9.10.2: with the timeout of the refresh, whatever the first one was."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt"))
    drive.pass_time(500)
    answer = client("LOCK", "/f.txt", headers={**held(token), "Timeout": "Second-200"})
    assert answer.status == 200
    assert tokens_in(answer) == [token]
    assert seconds_left(answer) <= 200
    drive.pass_time(150)
    assert client("PUT", "/f.txt", b"y").status == 423
    drive.pass_time(60)
    assert client("PUT", "/f.txt", b"y").status == 204


def test_lock_refresh_from_inside_its_folder(drive: Drive) -> None:
    """§9.10.2: any URL in the lock's scope."""
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/d/", Depth="infinity"))
    drive.pass_time(500)
    assert (
        client("LOCK", "/d/f.txt", headers={**held(token), "Timeout": "Second-600"}).status == 200
    )
    drive.pass_time(500)
    assert client("PUT", "/d/f.txt", b"y").status == 423


@stock_fails("lockroot has no href")
def test_lock_of_depth_infinity_covers_what_comes_later(drive: Drive) -> None:
    """§7.4, §9.11: a new member is in it; UNLOCK of any URL in its scope removes all of it."""
    drive.fill({"d/": b""})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/d/", Depth="infinity"))
    assert client("PUT", "/d/f.txt", b"x", {"If": f"</d/> (<{token}>)"}).status == 201
    found = look(client, "/d/f.txt", DISCOVERY).element(DISCOVERY)
    assert found.findtext(f"{DAV}activelock/{DAV}lockroot/{DAV}href", "").endswith("/d/")
    assert found.findtext(f"{DAV}activelock/{DAV}depth", "").lower() == "infinity"
    assert client("PUT", "/d/f.txt", b"y").status == 423


def test_lock_of_depth_infinity_is_removed_from_inside(drive: Drive) -> None:
    """§9.11: "the entire lock", whichever URL in its scope UNLOCK names."""
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/d/", Depth="infinity"))
    assert client("UNLOCK", "/d/f.txt", lock_token=f"<{token}>").status == 204
    assert tokens_on(client, "/d/") == []


@stock_fails("it removes the parent's lock")
def test_lock_of_depth_0_is_not_removed_from_inside(drive: Drive) -> None:
    """§9.11.1: 409 lock-token-matches-request-uri."""
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/d/"))
    assert client("UNLOCK", "/d/f.txt", lock_token=f"<{token}>").status == 409
    assert tokens_on(client, "/d/") == [token]


def test_lock_of_depth_0_keeps_the_membership(drive: Drive) -> None:
    """§7.4: nothing is added or removed; what a member holds may change."""
    drive.fill({"d/f.txt": b"f", "x.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/d/"))
    assert client("PUT", "/d/f.txt", b"new").status == 204
    assert client("PUT", "/d/g.txt", b"g").status == 423
    assert client("MKCOL", "/d/e/").status == 423
    assert client("DELETE", "/d/f.txt").status == 423
    assert client("MOVE", "/d/f.txt", destination="/g.txt").status == 423
    assert client("MOVE", "/x.txt", destination="/d/x.txt").status == 423
    assert client("COPY", "/x.txt", destination="/d/x.txt").status == 423
    assert drive.stored() == {"d/f.txt": b"new", "x.txt": b"x"}
    assert client("PUT", "/d/g.txt", b"g", {"If": f"</d/> (<{token}>)"}).status == 201


@stock_fails("423, but the file is left there")
def test_lock_of_a_new_name_in_a_locked_folder_leaves_nothing(drive: Drive) -> None:
    """§7.3, §7.4: a refused LOCK makes no resource."""
    drive.fill({"d/": b""})
    client = drive.client(CADAVER)
    lock(client, "/d/", Depth="infinity")
    assert lock(client, "/d/new.txt").status == 423
    assert drive.stored() == {}
    assert lock(client, "/missing/new.txt").status == 409
    assert drive.stored() == {}


def test_lock_makes_an_empty_file_that_everybody_sees(drive: Drive) -> None:
    """§7.3: not a lock-null resource; it stays when the lock goes."""
    client, other = drive.client(DAVFS2), drive.client(CADAVER)
    locked = lock(client, "/new.txt")
    assert locked.status == 201
    assert other("GET", "/new.txt").body == b""
    assert "/new.txt" in entries(other("PROPFIND", "/", depth="1"))
    client("UNLOCK", "/new.txt", lock_token=f"<{token_of(locked)}>")
    assert other("HEAD", "/new.txt").status == 200
    assert other("MKCOL", "/new.txt").status == 405


@stock_fails("a locked member is deleted, or only part of the tree is")
def test_lock_inside_stops_a_delete(drive: Drive) -> None:
    """§9.6.1: 207 names it with 423; §9.6: its ancestors stay."""
    drive.fill({"d/e/f.txt": b"f", "d/e/g.txt": b"g", "d/h.txt": b"h"})
    client, other = drive.client(CADAVER), drive.client(DAVFS2)
    token = token_of(lock(client, "/d/e/f.txt"))
    refused = entries(other("DELETE", "/d/"))
    assert {path: entry.status for path, entry in refused.items()} == {"/d/e/f.txt": 423}
    assert drive.stored()["d/e/f.txt"] == b"f"
    assert client("DELETE", "/d/", headers={"If": f"</d/e/f.txt> (<{token}>)"}).status == 204
    assert drive.stored() == {}


def test_lock_goes_with_what_it_locked(drive: Drive) -> None:
    """§9.6: DELETE destroys the locks rooted there; the URL is free."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt"))
    assert client("DELETE", "/f.txt", headers=held(token)).status == 204
    assert drive.client(DAVFS2)("PUT", "/f.txt", b"new").status == 201


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_lock_keeps_a_destination(drive: Drive, verb: str) -> None:
    """§9.8.5, §9.9.4: 423 without its token."""
    drive.fill({"a.txt": b"a", "b.txt": b"b"})
    client, other = drive.client(CADAVER), drive.client(DAVFS2)
    token = token_of(lock(client, "/b.txt"))
    assert other(verb, "/a.txt", destination="/b.txt").status == 423
    assert drive.stored() == {"a.txt": b"a", "b.txt": b"b"}
    shown = {"If": f"</b.txt> (<{token}>)", "Destination": "/b.txt"}
    assert client(verb, "/a.txt", headers=shown).status == 204
    assert drive.stored()["b.txt"] == b"a"


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_lock_inside_keeps_a_destination_folder(drive: Drive, verb: str) -> None:
    """§9.8.4: overwriting a collection deletes it first, and a locked member can't be."""
    drive.fill({"a/f.txt": b"new", "b/g.txt": b"locked"})
    client = drive.client(CADAVER)
    lock(client, "/b/g.txt")
    answer = drive.client(DAVFS2)(verb, "/a/", destination="/b/")
    assert answer.status in (207, 423)
    assert drive.stored()["b/g.txt"] == b"locked"


def test_lock_of_the_source_does_not_stop_a_copy(drive: Drive) -> None:
    """§7: reading is not writing; the copy isn't locked (§7.6)."""
    drive.fill({"a.txt": b"a"})
    client, other = drive.client(CADAVER), drive.client(DAVFS2)
    lock(client, "/a.txt")
    assert other("COPY", "/a.txt", destination="/b.txt").status == 201
    assert tokens_on(other, "/b.txt") == []
    assert other("PUT", "/b.txt", b"b").status == 204


def test_lock_of_a_deep_folder_over_a_locked_file_is_refused(drive: Drive) -> None:
    """§9.10.9: 207 or 423; nothing is locked by it."""
    drive.fill({"d/f.txt": b"f"})
    client = drive.client(CADAVER)
    lock(client, "/d/f.txt")
    assert lock(drive.client(DAVFS2), "/d/", Depth="infinity").status in (207, 423)
    assert tokens_on(client, "/d/") == []
    assert client("PUT", "/d/g.txt", b"g").status == 201
    assert lock(client, "/d/").status == 200


@pytest.mark.parametrize("depth", ["1", "2"])
def test_lock_with_another_depth_is_malformed(drive: Drive, depth: str) -> None:
    """§9.10.3: 0 or infinity."""
    drive.fill({"d/f.txt": b"f"})
    client = drive.client(CADAVER)
    assert lock(client, "/d/", Depth=depth).status == 400
    assert tokens_on(client, "/d/") == []


LISTS = {
    "either list": '(["stale"]) (<{token}>)',
    "both conditions": "(<{token}> [{etag}])",
    "not a lock of none": "(<{token}>) (Not <DAV:no-lock>)",
    "several tags": '</other.txt> (["stale"]) </f.txt> (<{token}>)',
    "negated etag": '(<{token}> Not ["stale"])',
}


@pytest.mark.parametrize("template", [pytest.param(each, id=name) for name, each in LISTS.items()])
def test_lock_opens_to_lists_that_hold(drive: Drive, template: str) -> None:
    """§10.4.3: one list that holds is enough."""
    drive.fill({"f.txt": b"x", "other.txt": b"o"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt"))
    etag = client("HEAD", "/f.txt").header("ETag")
    shown = {"If": template.format(token=token, etag=etag)}
    assert client("PUT", "/f.txt", b"y", shown).status == 204


FALSE_LISTS = {
    "one of two conditions": '(<{token}> ["stale"])',
    "negated": "(Not <{token}>)",
    "on another resource": "</other.txt> (<{token}>)",
    "all tags": '</other.txt> (["stale"]) </f.txt> (["stale"])',
}


@stock_fails("a list is evaluated for another resource than it names", "on another resource")
@pytest.mark.parametrize(
    "template", [pytest.param(each, id=name) for name, each in FALSE_LISTS.items()]
)
def test_lock_stays_shut_to_lists_that_do_not_hold(drive: Drive, template: str) -> None:
    """§10.4.1: the header is a precondition first: 412, though the token is there."""
    drive.fill({"f.txt": b"x", "other.txt": b"o"})
    client = drive.client(CADAVER)
    token = token_of(lock(client, "/f.txt"))
    assert client("PUT", "/f.txt", b"y", {"If": template.format(token=token)}).status == 412
    assert drive.stored()["f.txt"] == b"x"


def test_lock_needs_its_token_though_the_header_holds(drive: Drive) -> None:
    """§10.4.1, §7.5: (Not <DAV:no-lock>) is true of everything and shows nothing."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    lock(client, "/f.txt")
    assert client("PUT", "/f.txt", b"y", {"If": "(Not <DAV:no-lock>)"}).status == 423
    assert drive.stored() == {"f.txt": b"x"}


@stock_fails("423 to a PUT says no-conflicting-lock")
def test_lock_is_named_in_423(drive: Drive) -> None:
    """§16: lock-token-submitted with the root's href, so that a client knows what to unlock."""
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(CADAVER)
    lock(client, "/d/", Depth="infinity")
    refused = drive.client(WORD)("PUT", "/d/f.txt", b"y")
    assert refused.status == 423
    assert b"lock-token-submitted" in refused.body
    assert b"/d/" in refused.body
