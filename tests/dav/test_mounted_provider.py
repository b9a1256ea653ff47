"""davbridge's DAVProvider under WsgiDAV's own request server and lock manager."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings, DriveSettings
from davbridge.dav.provider import BucketProvider
from davbridge.errors import UnavailableError
from davbridge.store.base import Attributes, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.drive import open_namespace
from tests.dav.methods.words import EXCLUSIVE, fill, lock, patch, prop, text
from tests.support.bridge import Answer, Client
from tests.support.intercepted import InterceptedStore
from tests.support.mounted import mounted
from tests.support.objects import put

T = TypeVar("T")

ALLPROP = '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'


class Recorded(InterceptedStore):
    """Keeps what is asked of the store, and fails where it is told to."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.asked: list[str] = []
        self.before: Callable[[str, str], object] = lambda name, key: None

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        self.asked.append(f"{name} {key}")
        self.before(name, key)
        return super().intercept(name, key, call)


class Drive(NamedTuple):
    bucket: MemoryStore
    store: Recorded
    client: Client
    url: str

    def keys(self) -> list[str]:
        pages = self.bucket.list_objects("")
        return [row.key for page in pages for row in page.rows]

    def content(self, key: str) -> bytes:
        with self.bucket.get_object(key) as reader:
            return reader.read(1000)

    def transfer(self, method: str, source: str, target: str, **headers: str) -> Answer:
        named = {name.title(): value for name, value in headers.items()}
        return self.client(method, source, headers={"Destination": self.url + target, **named})


@contextmanager
def provider_over(store: ObjectStore, drive: DriveSettings) -> Iterator[BucketProvider]:
    cached = CachedStore(store, CacheSettings())
    namespace = open_namespace(drive, cached, uncached=store)
    try:
        yield BucketProvider(namespace, drive)
    finally:
        namespace.close()
        cached.close()


@contextmanager
def drive_at(share: str, settings: DriveSettings | None = None, **wsgidav: Any) -> Iterator[Drive]:
    bucket = MemoryStore()
    store = Recorded(bucket)
    with (
        provider_over(store, settings or DriveSettings()) as provider,
        mounted({share: provider}, **wsgidav) as url,
    ):
        client = Client(urlsplit(url).port or 0, {})
        try:
            yield Drive(bucket, store, client, url)
        finally:
            client.close()


@pytest.fixture
def drive() -> Iterator[Drive]:
    with drive_at("/") as drive:
        yield drive


def test_a_file_is_written_read_and_described_as_the_bucket_has_it(drive: Drive) -> None:
    answer = drive.client("PUT", "/a.txt", b"0123456789", content_type="text/x-mine")
    assert answer.status == 201
    info = drive.bucket.head_object("a.txt")
    assert info.attributes.content_type == "text/x-mine"
    assert answer.header("ETag") == f'"{info.row.etag}"'
    got = drive.client("GET", "/a.txt")
    assert (got.status, got.body) == (200, b"0123456789")
    assert got.header("Content-Type") == "text/x-mine"
    assert got.header("ETag") == answer.header("ETag")
    told = drive.client("PROPFIND", "/a.txt", ALLPROP, depth="0")
    assert text(told, "/a.txt", "getetag") == answer.header("ETag")
    assert text(told, "/a.txt", "getcontentlength") == "10"
    assert text(told, "/a.txt", "getlastmodified") == got.header("Last-Modified")


@pytest.mark.parametrize(
    ("asked", "body", "told"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=0-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_costs_one_request_for_these_bytes(
    asked: str, body: bytes, told: str, drive: Drive
) -> None:
    put(drive.bucket, "a", body=b"0123456789")
    drive.client("PROPFIND", "/", depth="1")
    drive.store.asked.clear()
    answer = drive.client("GET", "/a", range=asked)
    assert (answer.status, answer.body) == (206, body)
    assert answer.header("Content-Range") == told
    assert drive.store.asked == ["get_object a"]


def test_a_range_with_another_if_range_gets_the_whole_file(drive: Drive) -> None:
    put(drive.bucket, "a", body=b"0123456789")
    answer = drive.client("GET", "/a", headers={"Range": "bytes=2-4", "If-Range": '"other"'})
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_a_file_that_is_replaced_while_it_is_read_is_never_mixed_with_the_new_one(
    drive: Drive,
) -> None:
    """The range was opened, and If-Range has the whole read, from a version that is gone."""
    put(drive.bucket, "a", body=b"0123456789")
    drive.client("PROPFIND", "/", depth="1")

    def replace(name: str, _: str) -> None:
        if name == "get_object" and drive.store.asked.count("get_object a") == 2:
            put(drive.bucket, "a", body=b"abcdefghij")

    drive.store.before = replace
    answer = drive.client("GET", "/a", headers={"Range": "bytes=2-4", "If-Range": '"other"'})
    assert answer.status == 503
    assert drive.client("GET", "/a").body == b"abcdefghij"


def test_a_range_behind_the_end_is_a_416(drive: Drive) -> None:
    put(drive.bucket, "a", body=b"0123456789")
    assert drive.client("GET", "/a", range="bytes=10-").status == 416


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_another_tool_has_replaced_is_described_as_it_is_now(
    method: str, drive: Drive
) -> None:
    put(drive.bucket, "a", body=b"old")
    drive.client("PROPFIND", "/", depth="1")
    put(drive.bucket, "a", body=b"the new one")
    answer = drive.client(method, "/a")
    assert answer.status == 200
    assert answer.header("Content-Length") == "11"
    assert answer.body == (b"the new one" if method == "GET" else b"")


def test_a_file_that_another_tool_has_deleted_is_a_404(drive: Drive) -> None:
    put(drive.bucket, "a", body=b"old")
    drive.client("PROPFIND", "/", depth="1")
    drive.bucket.delete_object("a")
    assert drive.client("GET", "/a").status == 404


def test_html_is_never_run_in_the_servers_origin(drive: Drive) -> None:
    drive.client("PUT", "/a.html", b"<script>", content_type="text/html")
    answer = drive.client("GET", "/a.html")
    assert answer.header("Content-Security-Policy") == "sandbox"


def test_members_come_from_one_listing_however_many_there_are(drive: Drive) -> None:
    fill(drive.bucket, *(f"d/f{number}" for number in range(50)), "d/sub/x")
    answer = drive.client("PROPFIND", "/d/", ALLPROP, depth="1")
    assert len(answer.multistatus()) == 52
    assert [call for call in drive.store.asked if "d/f" in call] == []
    assert drive.store.asked.count("list_objects d/") == 1


@pytest.mark.parametrize("depth", [None, "1"])
def test_a_missing_depth_counts_as_1(depth: str | None, drive: Drive) -> None:
    fill(drive.bucket, "d/e/f")
    headers = {"Depth": depth} if depth else {}
    answer = drive.client("PROPFIND", "/", ALLPROP, headers=headers)
    assert set(answer.multistatus()) == {"/", "/d/"}


def test_depth_infinity_is_refused_rather_than_read_into_memory(drive: Drive) -> None:
    answer = drive.client("PROPFIND", "/", ALLPROP, depth="infinity")
    assert answer.status == 403
    assert b"propfind-finite-depth" in answer.body


def test_quota_properties_are_returned_where_they_are_asked_for() -> None:
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/></D:prop></D:propfind>'
    with drive_at("/", DriveSettings(quota=100)) as drive:
        drive.client("PUT", "/a", b"12345")
        found = None
        while found is None:  # The first count goes on in the background.
            found = drive.client("PROPFIND", "/", asked, depth="0").property(
                "/", "{DAV:}quota-available-bytes"
            )
        assert found.text == "95"
        assert b"quota" not in drive.client("PROPFIND", "/", ALLPROP, depth="0").body


# --- PUT


def test_nothing_is_there_before_a_new_file_is_whole(drive: Drive) -> None:
    seen: list[list[str]] = []

    def body() -> Iterator[bytes]:
        yield b"x" * 10_000
        seen.append(drive.keys())
        yield b"x" * 10_000

    answer = drive.client("PUT", "/a", body(), headers={"Content-Length": "20000"})
    assert (answer.status, seen) == (201, [[]])
    assert drive.bucket.head_object("a").row.size == 20_000


def test_a_commit_that_fails_leaves_the_old_file_and_says_why(drive: Drive) -> None:
    put(drive.bucket, "a", body=b"old")

    def fail(name: str, _: str) -> None:
        if name == "commit":
            raise UnavailableError("the store is down")

    drive.store.before = fail
    answer = drive.client("PUT", "/a", b"new")
    assert answer.status == 503
    assert answer.header("Retry-After") == "5"
    assert drive.content("a") == b"old"


@pytest.mark.parametrize(
    "headers", [{"If-None-Match": "*"}, {"If-Match": '"{etag}"'}, {"If": '(["{etag}"])'}]
)
def test_a_condition_of_a_put_goes_through_to_the_store(
    headers: dict[str, str], drive: Drive
) -> None:
    """RFC 9110 §13: what another tool writes just before the commit isn't overwritten."""
    is_new = "If-None-Match" in headers
    if not is_new:
        put(drive.bucket, "a", body=b"old")
        etag = drive.bucket.head_object("a").row.etag
        headers = {name: value.format(etag=etag) for name, value in headers.items()}

    def interfere(name: str, key: str) -> None:
        if (name, key) == ("commit", "a"):
            put(drive.bucket, "a", body=b"theirs")

    drive.store.before = interfere
    answer = drive.client("PUT", "/a", b"ours", headers=headers)
    assert answer.status == 412
    assert "commit a" in drive.store.asked
    assert drive.content("a") == b"theirs"


def test_if_match_on_a_missing_file_is_a_412(drive: Drive) -> None:
    assert drive.client("PUT", "/a", b"x", if_match='"1"').status == 412
    assert drive.keys() == []


def test_the_files_time_and_a_wrong_checksum_are_understood(drive: Drive) -> None:
    wrong = {"OC-Checksum": "MD5:00000000000000000000000000000000"}
    assert drive.client("PUT", "/a", b"x", headers=wrong).status == 400
    assert drive.keys() == []
    assert drive.client("PUT", "/a", b"x", headers={"X-OC-Mtime": "1000000000"}).status == 201
    told = drive.client("PROPFIND", "/a", ALLPROP, depth="0")
    assert text(told, "/a", "getlastmodified") == "Sun, 09 Sep 2001 01:46:40 GMT"


def test_wsgidavs_own_reading_of_a_files_time_is_served_as_well() -> None:
    with drive_at("/", honor_mtime_header=True) as drive:
        assert drive.client("PUT", "/a", b"x", headers={"X-OC-Mtime": "1000000000"}).status == 201
        told = drive.client("PROPFIND", "/a", ALLPROP, depth="0")
        assert text(told, "/a", "getlastmodified") == "Sun, 09 Sep 2001 01:46:40 GMT"


def test_a_reserved_name_is_refused(drive: Drive) -> None:
    assert drive.client("PUT", "/.davbridge.properties.json", b"x").status == 403
    assert drive.client("MKCOL", "/.davbridge/").status == 403
    assert drive.keys() == []


def test_a_file_over_the_quota_is_a_507() -> None:
    with drive_at("/", DriveSettings(quota=3)) as drive:
        assert drive.client("PUT", "/a", b"1234").status == 507
        assert drive.keys() == []


# --- Properties


def test_a_proppatch_is_one_write(drive: Drive) -> None:
    fill(drive.bucket, "a")
    inside = "".join(f"<p:{name}>{name}</p:{name}>" for name in ("one", "two", "three"))
    drive.client("PROPFIND", "/", depth="1")
    drive.store.asked.clear()
    assert drive.client("PROPPATCH", "/a", patch("set", inside)).status == 207
    assert drive.store.asked == ["put_object .davbridge.properties.json"]
    told = drive.client("PROPFIND", "/a", prop("one", "two", "three"), depth="0")
    assert [text(told, "/a", name, "urn:p") for name in ("one", "two")] == ["one", "two"]


def test_a_protected_property_stops_all_of_a_proppatch(drive: Drive) -> None:
    """RFC 4918 §9.2: 403 for it, 424 for the others."""
    fill(drive.bucket, "a")
    body = patch("set", "<p:one>1</p:one><D:getetag>2</D:getetag>")
    answer = drive.client("PROPPATCH", "/a", body)
    assert b"403" in answer.body
    assert b"424" in answer.body
    assert drive.keys() == ["a"]


def test_a_proppatch_that_can_not_be_written_fails_for_each_property(drive: Drive) -> None:
    fill(drive.bucket, "a")

    def fail(name: str, _: str) -> None:
        if name == "put_object":
            raise UnavailableError("the store is down")

    drive.store.before = fail
    answer = drive.client("PROPPATCH", "/a", patch("set", "<p:one>1</p:one><p:two>2</p:two>"))
    assert answer.body.count(b"HTTP/1.1 503") == 1
    assert b"200 OK" not in answer.body


def test_the_last_instruction_on_a_property_counts_and_its_language_is_kept(drive: Drive) -> None:
    fill(drive.bucket, "a")
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:p="urn:p" xml:lang="de">'
        "<D:set><D:prop><p:one>1</p:one><p:two>2</p:two></D:prop></D:set>"
        "<D:set><D:prop><p:one>3</p:one></D:prop></D:set>"
        "<D:remove><D:prop><p:two/></D:prop></D:remove></D:propertyupdate>"
    )
    assert drive.client("PROPPATCH", "/a", body).status == 207
    told = drive.client("PROPFIND", "/a", ALLPROP, depth="0")
    one = told.property("/a", "{urn:p}one")
    assert one is not None
    assert one.text == "3"
    assert one.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert told.property("/a", "{urn:p}two") is None


def test_properties_of_members_and_of_what_was_moved_are_shown(drive: Drive) -> None:
    fill(drive.bucket, "d/a")
    drive.client("PROPPATCH", "/d/a", patch("set", "<p:one>1</p:one>"))
    told = drive.client("PROPFIND", "/d/", prop("one"), depth="1")
    assert text(told, "/d/a", "one", "urn:p") == "1"
    assert drive.transfer("MOVE", "/d/a", "/b").status == 201
    told = drive.client("PROPFIND", "/b", prop("one"), depth="0")
    assert text(told, "/b", "one", "urn:p") == "1"


# --- COPY, MOVE, DELETE


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_new_destination_is_a_201_and_a_replaced_one_a_204(method: str, drive: Drive) -> None:
    """RFC 4918 §9.8.5, §9.9.4."""
    fill(drive.bucket, "a", "b", "d/x")
    assert drive.transfer(method, "/a", "/c").status == 201
    assert drive.transfer(method, "/c", "/b").status == 204
    assert drive.content("b") == b"a"
    assert drive.transfer(method, "/d/", "/e/").status == 201
    assert drive.content("e/x") == b"d/x"


def test_a_copy_with_depth_0_copies_no_member(drive: Drive) -> None:
    fill(drive.bucket, "d/x")
    assert drive.transfer("COPY", "/d/", "/e/", depth="0").status == 201
    assert drive.keys() == ["d/x", "e/"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("name", ["rep%3Ffinal", "rep%3Bv1", "rep%23a", "100%25"])
def test_an_encoded_destination_is_the_name_it_says(name: str, method: str, drive: Drive) -> None:
    fill(drive.bucket, "a", "rep")
    assert drive.transfer(method, "/a", f"/{name}").status in (201, 204)
    assert drive.content("rep") == b"rep"
    assert drive.client("GET", f"/{name}").body == b"a"


def test_a_destination_that_exists_stays_without_overwrite(drive: Drive) -> None:
    fill(drive.bucket, "a", "b")
    assert drive.transfer("MOVE", "/a", "/b", overwrite="F").status == 412
    assert drive.content("b") == b"b"


def test_what_another_tool_has_put_there_meanwhile_stays_without_overwrite(drive: Drive) -> None:
    fill(drive.bucket, "a")
    drive.client("PROPFIND", "/", depth="1")
    fill(drive.bucket, "b")
    assert drive.transfer("MOVE", "/a", "/b", overwrite="F").status == 412
    assert (drive.content("a"), drive.content("b")) == (b"a", b"b")


def test_members_that_could_not_be_deleted_are_named(drive: Drive) -> None:
    fill(drive.bucket, "d/x", "d/y")
    drive.bucket.put_object("d/z", b"", Attributes())

    def fail(name: str, key: str) -> None:
        if name in ("delete_object", "delete_objects"):
            raise UnavailableError("the store is down")

    drive.store.before = fail
    answer = drive.client("DELETE", "/d/")
    assert answer.status in (207, 503)
    assert b"503" in answer.body


def test_the_root_can_neither_be_deleted_nor_moved(drive: Drive) -> None:
    fill(drive.bucket, "a")
    assert drive.client("DELETE", "/").status == 403
    assert drive.transfer("MOVE", "/", "/b/").status in (403, 409)
    assert drive.keys() == ["a"]


def test_what_other_request_servers_ask_of_a_resource_is_done_without_the_native_handlers() -> None:
    """`wsgidav.dav_provider` documents these beside handle_copy, handle_move and handle_delete."""
    bucket = MemoryStore()
    fill(bucket, "d/x", "f")
    with provider_over(bucket, DriveSettings()) as provider:
        provider.set_share_path("")

        def resource(path: str) -> Any:
            environ = {"wsgidav.provider": provider, "wsgidav.config": {}, "REQUEST_METHOD": "X"}
            return provider.get_resource_inst(path, environ)

        resource("/d").copy_move_single("/e", is_move=False)
        resource("/f").copy_move_single("/e/f", is_move=True)
        assert resource("/d").support_recursive_move("/m")
        assert resource("/d").move_recursive("/m") == []
        assert resource("/m").support_recursive_delete()
        assert resource("/e").delete() == []
        assert resource("/e") is resource("/d") is resource("/m/no") is None
        assert resource("/m").get_member_names() == ["x"]
        assert resource("/m").get_member("x").path == "/m/x"
        content = resource("/f").get_content()
        assert [content.read(9), content.read(9)] == [b"f", b""]
        content.seek(0)
        assert content.read(9) == b"f"
        content.close()


# --- Locks


@pytest.mark.parametrize("locked", ["/d/x", "/d/"])
def test_a_locked_file_keeps_its_folder(locked: str, drive: Drive) -> None:
    fill(drive.bucket, "d/x", "d/y")
    lock(drive.client, locked)
    answer = drive.client("DELETE", "/d/")
    assert answer.status == 423 or b"HTTP/1.1 423" in answer.body
    assert drive.transfer("MOVE", "/d/", "/e/").status == 423
    assert drive.keys() == ["d/x", "d/y"]


def test_a_shown_token_lets_a_locked_file_go_and_its_lock_goes_along(drive: Drive) -> None:
    fill(drive.bucket, "d/x")
    token = lock(drive.client, "/d/x")
    tagged = {"If": f"<{drive.url}/d/x> (<{token}>)"}
    assert drive.client("DELETE", "/d/x").status == 423
    assert drive.client("DELETE", "/d/x", headers=tagged).status == 204
    assert drive.client("PUT", "/d/x", b"new").status == 201


def test_a_lock_on_a_new_name_makes_an_empty_file(drive: Drive) -> None:
    lock(drive.client, "/new")
    assert drive.content("new") == b""


def test_a_refused_lock_on_a_new_name_leaves_nothing(drive: Drive) -> None:
    fill(drive.bucket, "d/x")
    token = lock(drive.client, "/d/")
    assert drive.client("LOCK", "/d/new", EXCLUSIVE).status == 423
    shown = {"If": f"<{drive.url}/d/> (<{token}>)"}
    assert drive.client("LOCK", "/d/new", EXCLUSIVE, headers=shown).status == 423
    assert drive.keys() == ["d/x"]


def test_a_file_that_is_locked_while_a_body_comes_is_not_replaced(drive: Drive) -> None:
    """WsgiDAV refuses the lock: one of the two is refused, whoever was first."""
    put(drive.bucket, "a", body=b"old")
    statuses: list[int] = []

    def body() -> Iterator[bytes]:
        yield b"ne"
        other = Client(drive.client.port, {})
        statuses.append(other("LOCK", "/a", EXCLUSIVE).status)
        other.close()
        yield b"w"

    answer = drive.client("PUT", "/a", body(), headers={"Content-Length": "3"})
    assert sorted([answer.status, *statuses]) in ([204, 423], [200, 423])


# --- Mounting


def test_two_providers_side_by_side_keep_to_themselves() -> None:
    buckets = {"/one": MemoryStore(), "/two": MemoryStore()}
    with ExitStack() as stack:
        providers = {
            share: stack.enter_context(provider_over(bucket, DriveSettings()))
            for share, bucket in buckets.items()
        }
        url = stack.enter_context(mounted(providers))
        client = Client(urlsplit(url).port or 0, {})
        stack.callback(client.close)
        assert client("PUT", "/one/a", b"1").status == 201
        assert client("MKCOL", "/two/d/").status == 201
        lock(client, "/one/a")
        assert client("PUT", "/one/a", b"x").status == 423
        assert client("PUT", "/two/a", b"2").status == 201
        assert client("MOVE", "/two/a", destination=f"{url}/two/d/b%3F").status == 201
        assert client("MOVE", "/two/d/", destination=f"{url}/one/d/").status == 502
        told = client("PROPFIND", "/two/d/", ALLPROP, depth="1")
        assert set(told.multistatus()) == {"/two/d/", "/two/d/b%3F"}
    assert [row.key for row in next(buckets["/one"].list_objects("")).rows] == ["a"]
    assert [row.key for row in next(buckets["/two"].list_objects("")).rows] == ["d/", "d/b?"]


def test_a_read_only_drive_takes_no_writes() -> None:
    with drive_at("/", DriveSettings(read_only=True)) as drive:
        fill(drive.bucket, "a")
        assert drive.client("GET", "/a").body == b"a"
        for method in ("PUT", "DELETE", "MKCOL", "PROPPATCH", "LOCK"):
            assert drive.client(method, "/a", b"").status == 405
        assert drive.keys() == ["a"]


def test_a_browser_sees_a_listing(drive: Drive) -> None:
    """WsgiDAV's own directory browser, which asks each member for what it shows."""
    fill(drive.bucket, "d/x.txt")
    answer = drive.client("GET", "/d/")
    assert answer.status == 200
    assert b"x.txt" in answer.body
    assert not [call for call in drive.store.asked if call.startswith(("get", "head"))]


def test_many_clients_at_once_are_served(drive: Drive) -> None:
    statuses: list[int] = []

    def work(number: int) -> None:
        client = Client(drive.client.port, {})
        statuses.append(client("PUT", f"/f{number}", b"x" * 1000).status)
        statuses.append(client("GET", f"/f{number}").status)
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 8 + [201] * 8


def test_dropped_junk_is_there_and_not_in_the_bucket_under_wsgidav_as_well() -> None:
    with drive_at("/", DriveSettings(junk="drop")) as drive:
        held = {"If": f"(<{lock(drive.client, '/._f')}>)"}
        assert drive.client("PUT", "/._f", b"junk", held).status == 204
        assert drive.client("GET", "/._f").body == b"junk"
        patched = drive.client("PROPPATCH", "/._f", patch("set", "<p:one>1</p:one>"), held)
        assert patched.status == 207
        assert drive.transfer("MOVE", "/._f", "/._g", **held).status == 201
        assert drive.client("GET", "/._g").body == b"junk"
        assert drive.client("PROPFIND", "/", ALLPROP, depth="1").multistatus().keys() == {"/"}
        assert drive.client("DELETE", "/._g").status == 204
        assert drive.keys() == []
