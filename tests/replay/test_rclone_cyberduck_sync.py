"""rclone, Cyberduck, Nextcloud's sync client, npm webdav, webdav4 and webdavclient3."""

import hashlib
import re
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from davbridge.config import S3Settings
from davbridge.errors import StoreError, UnavailableError
from davbridge.store.memory import MemoryStore
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client
from tests.replay.agents import (
    CURL,
    CYBERDUCK,
    CYBERDUCK_PATCH,
    NEXTCLOUD,
    NEXTCLOUD_LIST,
    NPM_LOCK,
    NPM_WEBDAV,
    RCLONE,
    RCLONE_STAT,
    WEBDAV4,
    WEBDAVCLIENT3,
    XML_APPLICATION,
    chunks,
    http_date,
)
from tests.replay.drives import BridgeDrive, Drive
from tests.replay.reading import OC, entries, look, modified, seconds_left, token_of
from tests.support.bridge import DAV, Answer, Client, running_bridge
from tests.support.endpoints import Endpoint, s3_client
from tests.support.s3proxy import error, once, s3_proxy
from tests.tree.wrappers import WatchedStore

stock_fails = pytest.mark.stock_fails
bridge_only = pytest.mark.bridge_only

SAR = "{SAR:}lastmodified"
BODY = b"The quick brown fox"
PHOTO_TIME = datetime(2008, 8, 8, 8, 8, 8, tzinfo=UTC)


def stat(client: Client, target: str, depth: str = "0") -> Answer:
    return client("PROPFIND", target, RCLONE_STAT, XML_APPLICATION, depth=depth)


# rclone


def test_rclone_45_makes_a_chain_of_folders(drive: Drive) -> None:
    """RFC 4918 §9.3.1: 409 without the parent, 405 where something is; it then climbs up."""
    client = drive.client(RCLONE)
    assert client("MKCOL", "/a/b/").status == 409
    assert stat(client, "/a/").status == 404
    assert client("MKCOL", "/a/").status == 201
    assert client("MKCOL", "/a/b/").status == 201
    assert client("MKCOL", "/a/b/").status == 405
    (entry,) = entries(stat(client, "/a/b/")).values()
    assert entry.is_collection


def test_rclone_old_versions_list_a_file_with_depth_1(drive: Drive) -> None:
    """1.60: allprop by an empty body; the file itself is the one response."""
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(RCLONE)
    answer = client("PROPFIND", "/d/f.txt", depth="1")
    assert list(entries(answer)) == ["/d/f.txt"]
    assert set(entries(client("PROPFIND", "/d/", depth="1"))) == {"/d", "/d/f.txt"}


def test_rclone_asks_for_owncloud_s_properties(drive: Drive) -> None:
    """What isn't there is a 404 propstat, in its own namespace."""
    drive.fill({"f.txt": b"x"})
    (entry,) = entries(stat(drive.client(RCLONE), "/f.txt")).values()
    assert entry.status_of(f"{OC}permissions") == 404
    assert entry.text(f"{DAV}getcontentlength") == "1"


def test_rclone_47_reads_ranges(drive: Drive) -> None:
    """GET with Depth: 0; RFC 9110 §14.4, §15.5.17."""
    drive.fill({"f.bin": b"0123456789"})
    client = drive.client(RCLONE)
    part = client("GET", "/f.bin", depth="0", range="bytes=3-5")
    assert (part.status, part.body) == (206, b"345")
    assert part.header("Content-Range") == "bytes 3-5/10"
    end = client("GET", "/f.bin", depth="0", range="bytes=8-99")
    assert (end.status, end.body) == (206, b"89")
    last = client("GET", "/f.bin", depth="0", range="bytes=-4")
    assert (last.status, last.body) == (206, b"6789")


def test_rclone_47_reads_past_the_end(drive: Drive) -> None:
    drive.fill({"f.bin": b"0123456789"})
    past = drive.client(RCLONE)("GET", "/f.bin", depth="0", range="bytes=10-")
    assert past.status == 416
    assert past.header("Content-Range") == "bytes */10"


def test_rclone_moves_then_looks(drive: Drive) -> None:
    """MOVE and COPY with an absolute, encoded Destination and Overwrite: T; then a P0."""
    drive.fill({"a b.txt": b"x", "d/": b""})
    client = drive.client(RCLONE)
    base = f"http://127.0.0.1:{drive.port}"
    copied = client("COPY", "/a%20b.txt", destination=f"{base}/d/c%2Bd.txt", overwrite="T")
    assert copied.status == 201
    assert "/d/c+d.txt" in entries(stat(client, "/d/c%2Bd.txt"))
    moved = client("MOVE", "/a%20b.txt", destination=f"{base}/d/c%2Bd.txt", overwrite="T")
    assert moved.status == 204
    assert drive.stored() == {"d/c+d.txt": b"x"}


def test_rclone_purges(drive: Drive) -> None:
    """DELETE of the whole folder, with its slash."""
    drive.fill({"d/e/f.txt": b"x", "d/g.txt": b"x", "d2/h.txt": b"x"})
    client = drive.client(RCLONE)
    assert client("DELETE", "/d/").status == 204
    assert drive.stored() == {"d2/h.txt": b"x"}
    assert stat(client, "/d/").status == 404


@stock_fails("the answer does not say that the time was taken")
def test_rclone_uploads_with_a_time(drive: Drive) -> None:
    """vendor owncloud and nextcloud; the answer says so, and every other client sees it."""
    client = drive.client(RCLONE)
    put = client("PUT", "/photo.jpg", BODY, x_oc_mtime="1218182888")
    assert put.status == 201
    assert modified(client, "/photo.jpg") == PHOTO_TIME
    assert put.header("X-OC-Mtime") == "accepted"


@stock_fails("OC-Checksum is not looked at")
@pytest.mark.parametrize("kind", ["SHA1", "MD5"])
def test_rclone_uploads_with_a_checksum_that_is_wrong(drive: Drive, kind: str) -> None:
    """What came in isn't what was sent, so the object is left as it was."""
    drive.fill({"f.txt": b"old"})
    client = drive.client(RCLONE)
    wrong = hashlib.new(kind.lower(), b"something else").hexdigest()
    for target in ("/f.txt", "/new.txt"):
        assert 400 <= client("PUT", target, BODY, oc_checksum=f"{kind}:{wrong}").status < 500
        assert (
            400 <= client("PUT", target, chunks(BODY), oc_checksum=f"{kind}:{wrong}").status < 500
        )
    assert drive.stored() == {"f.txt": b"old"}


@stock_fails("there is no oc:checksums")
def test_rclone_uploads_with_a_checksum_that_is_right(drive: Drive) -> None:
    """oc:checksums shows it, and so does nothing else: an overwrite without one drops it."""
    client = drive.client(RCLONE)
    right = hashlib.sha1(BODY).hexdigest()
    assert client("PUT", "/f.txt", BODY, oc_checksum=f"SHA1:{right}").status == 201
    shown = "".join(look(client, "/f.txt", f"{OC}checksums").element(f"{OC}checksums").itertext())
    assert f"SHA1:{right}" in shown.split()
    assert client("PUT", "/f.txt", b"other").status == 204
    entry = look(client, "/f.txt", f"{OC}checksums")
    status, element = entry.properties[f"{OC}checksums"]
    assert status == 404 or right not in "".join(element.itertext())


def test_rclone_checksums_of_a_kind_unknown_are_ignored(drive: Drive) -> None:
    """A checksum that can't be computed can't be wrong."""
    client = drive.client(RCLONE)
    assert client("PUT", "/f.txt", BODY, oc_checksum="QuickXor:AAAA").status == 201
    assert client("PUT", "/g.txt", BODY, oc_checksum="nonsense").status in (201, 400)


@bridge_only("its folder has no S3 to fail")
def test_rclone_48_an_overwrite_that_fails_leaves_the_old_object() -> None:
    """5xx; rclone then sleeps for a second and DELETEs, which is its own affair."""
    store = WatchedStore(MemoryStore())
    with running_bridge(store) as bridge, bridge.client() as client:
        assert client("PUT", "/f.txt", b"old").status == 201

        def fail(operation: str, key: str) -> StoreError | None:
            return UnavailableError("no answer") if (operation, key) == ("put", "f.txt") else None

        store.fault = fail
        assert client("PUT", "/f.txt", b"new!").status in (500, 502, 503, 504)
        assert client("GET", "/f.txt").body == b"old"


@bridge_only("its folder has no S3 to fail")
def test_rclone_48_rule_05_a_store_that_does_not_answer_is_no_404() -> None:
    """To Finder any 5xx but 507 is "no such file" already; a 404 would be one to all others."""
    store = WatchedStore(MemoryStore())
    store.fault = lambda operation, key: UnavailableError("slow down")
    with running_bridge(store) as bridge, bridge.client() as client:
        for method in ("PROPFIND", "HEAD", "GET", "DELETE", "MKCOL"):
            answer = (
                client(method, "/f.txt", depth="0")
                if method == "PROPFIND"
                else client(method, "/f.txt")
            )
            assert answer.status == 503
            assert int(answer.header("Retry-After")) > 0


@bridge_only("its folder has no S3 to fail")
def test_rclone_48_rule_05_slow_down_is_retried_inside(
    moto_server: Endpoint, bucket_name: str
) -> None:
    """The client never hears of it."""
    plain = s3_client(moto_server)
    plain.create_bucket(Bucket=bucket_name)
    plain.put_object(Bucket=bucket_name, Key="f.txt", Body=b"x")
    plain.close()
    with s3_proxy(moto_server.url) as proxy:
        proxy.rule = once("GET", bucket_name, error("SlowDown", 503), error("SlowDown", 503))
        settings = S3Settings(
            bucket=bucket_name,
            endpoint_url=proxy.url,
            region=moto_server.region,
            access_key=moto_server.access_key,
            secret_key=moto_server.secret_key,
        )
        store = S3Store(build_client(settings, pool_size=4), bucket_name)
        with running_bridge(store) as bridge, bridge.client() as client:
            assert list(entries(stat(client, "/f.txt"))) == ["/f.txt"]
        assert proxy.count("GET") == 3
        store.close()


# Cyberduck


def test_cyberduck_looks_for_its_home(drive: Drive) -> None:
    """HEAD; on 403, 404, 405, 415 and 501 a PROPFIND. A folder answers 200."""
    drive.fill({"home/f.txt": b"x"})
    client = drive.client(CYBERDUCK)
    assert client("HEAD", "/home/").status in (200, 204, 403, 404, 405, 415, 501)
    assert client("PROPFIND", "/home/", depth="0").status == 207


def test_cyberduck_50_keeps_times_as_dead_properties(drive: Drive) -> None:
    """SAR: properties move and copy with the file (RFC 4918 §9.8.2, §9.9.1)."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CYBERDUCK)
    date = "Sat, 17 Aug 2019 09:30:12 GMT"
    body = CYBERDUCK_PATCH.format(date)
    (entry,) = entries(client("PROPPATCH", "/f.txt", body, XML_APPLICATION)).values()
    assert entry.status_of(SAR) == 200
    base = f"http://127.0.0.1:{drive.port}"
    assert client("COPY", "/f.txt", destination=f"{base}/copy.txt").status == 201
    assert client("MOVE", "/f.txt", destination=f"{base}/moved.txt").status == 201
    for target in ("/copy.txt", "/moved.txt"):
        assert look(client, target, SAR).text(SAR) == date


@stock_fails("it keeps dead properties under paths, and a folder's move mixes them up")
def test_cyberduck_50_keeps_properties_of_names_that_repeat(drive: Drive) -> None:
    """/a/x/a/y moved to /b: the inner a is part of the name."""
    drive.fill({"a/x/a/y.txt": b"x"})
    client = drive.client(CYBERDUCK)
    body = CYBERDUCK_PATCH.format("Sat, 17 Aug 2019 09:30:12 GMT")
    client("PROPPATCH", "/a/x/a/y.txt", body, XML_APPLICATION)
    assert client("MOVE", "/a", destination=f"http://127.0.0.1:{drive.port}/b").status == 201
    assert look(client, "/b/x/a/y.txt", SAR).text(SAR).startswith("Sat, 17")


def test_cyberduck_50_a_copy_has_the_source_s_properties_only(drive: Drive) -> None:
    """RFC 4918 §9.8.4: what was at the destination is deleted first."""
    drive.fill({"a.txt": b"a", "b.txt": b"b"})
    client = drive.client(CYBERDUCK)
    body = CYBERDUCK_PATCH.format("Sat, 17 Aug 2019 09:30:12 GMT")
    client("PROPPATCH", "/b.txt", body, XML_APPLICATION)
    assert (
        client("COPY", "/a.txt", destination=f"http://127.0.0.1:{drive.port}/b.txt").status == 204
    )
    assert look(client, "/b.txt", SAR).status_of(SAR) == 404


def test_cyberduck_resumes_by_a_part_that_is_refused(drive: Drive) -> None:
    """RFC 9110 §14.5: taken for the whole, the file would be lost."""
    drive.fill({"f.bin": b"01234"})
    client = drive.client(CYBERDUCK)
    resumed = client("PUT", "/f.bin", b"56789", content_range="bytes 5-9/10")
    assert resumed.status in (400, 501)
    assert drive.stored() == {"f.bin": b"01234"}


# npm webdav, webdav4, webdavclient3


def test_npm_52_creates_only_what_is_not_there(drive: Drive) -> None:
    """overwrite: false is If-None-Match: * (RFC 9110 §13.1.2)."""
    client = drive.client(NPM_WEBDAV)
    assert client("PUT", "/f.txt", b"one", if_none_match="*").status == 201
    assert client("PUT", "/f.txt", b"two", if_none_match="*").status == 412
    assert drive.stored() == {"f.txt": b"one"}


def test_npm_52_rule_09_locks_and_unlocks_with_a_bare_token(drive: Drive) -> None:
    """Its LOCK says text/plain, and asks for 130 years; its UNLOCK has no angle brackets."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(NPM_WEBDAV)
    headers = {
        "Content-Type": "text/plain;charset=UTF-8",
        "Timeout": "Infinite, Second-4100000000",
    }
    locked = client("LOCK", "/f.txt", NPM_LOCK, headers)
    assert locked.status in (200, 201)
    assert 0 < seconds_left(locked) < 2**32
    token = token_of(locked)
    assert client("PUT", "/f.txt", b"y").status == 423
    assert client("UNLOCK", "/f.txt", lock_token=token).status == 204
    assert client("PUT", "/f.txt", b"y").status == 204


def test_npm_52_endless_locks_end(drive: Drive) -> None:
    """RFC 4918 §6.6: a client that died must not keep its files for ever."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(NPM_WEBDAV)
    client("LOCK", "/f.txt", NPM_LOCK, timeout="Infinite, Second-4100000000")
    assert client("PUT", "/f.txt", b"y").status == 423
    drive.pass_time(30 * 24 * 3600)
    assert client("PUT", "/f.txt", b"y").status == 204


def test_npm_lists_with_an_empty_body(drive: Drive) -> None:
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(NPM_WEBDAV)
    found = entries(client("PROPFIND", "/d", depth="1"))
    assert set(found) == {"/d", "/d/f.txt"}
    assert found["/d/f.txt"].text(f"{DAV}getcontentlength") == "1"


@stock_fails("a missing Depth walks through the whole tree")
def test_webdav4_rule_15_leaves_depth_out(drive: Drive) -> None:
    """RFC 4918 §9.1 has that count as infinity; bounded, it costs one listing."""
    drive.fill({"d/f.txt": b"x", "d/e/g.txt": b"x", "d/e/h/i.txt": b"x"})
    answer = drive.client(WEBDAV4)("PROPFIND", "/d/")
    assert answer.status in (207, 403)
    if answer.status == 207:
        assert set(entries(answer)) <= {"/d", "/d/f.txt", "/d/e"}


@stock_fails("without its page for browsers, HEAD on a folder is 403")
def test_webdavclient3_checks_folders_by_head(drive: Drive) -> None:
    drive.fill({"d/f.txt": b"x"})
    client = drive.client(WEBDAVCLIENT3)
    for target in ("/", "/d", "/d/"):
        assert client("HEAD", target).status == 200
    assert client("HEAD", "/e/").status == 404


def test_curl_uploads_to_a_folder_that_is_not_there(drive: Drive) -> None:
    """RFC 4918 §9.7.1: 409, and nothing is made."""
    client = drive.client(CURL)
    assert client("PUT", "/missing/f.txt", b"x").status == 409
    assert drive.stored() == {}


# Nextcloud's sync client


def test_sync_53_reads_one_etag_everywhere(drive: Drive) -> None:
    """PUT, HEAD and getetag; the same after a restart, or it syncs everything again."""
    client = drive.client(NEXTCLOUD)
    put = client("PUT", "/f.txt", BODY).header("ETag")
    assert re.fullmatch(r'"[^"]+"', put)
    assert client("HEAD", "/f.txt").header("ETag") == put
    assert listed_etag(client) == put.strip('"')
    drive.restart()
    client = drive.client(NEXTCLOUD)
    assert client("HEAD", "/f.txt").header("ETag") == put
    assert listed_etag(client) == put.strip('"')


def listed_etag(client: Client) -> str:
    answer = client("PROPFIND", "/", NEXTCLOUD_LIST, XML_APPLICATION, depth="1")
    return entries(answer)["/f.txt"].text(f"{DAV}getetag").strip('"')


def test_sync_53_lists_with_the_exact_content_type(drive: Drive) -> None:
    """It compares the text. Every href begins with the path that was asked for."""
    drive.fill({"d e/f g.txt": b"x"})
    answer = drive.client(NEXTCLOUD)(
        "PROPFIND", "/d%20e/", NEXTCLOUD_LIST, XML_APPLICATION, depth="1"
    )
    assert answer.header("Content-Type") == "application/xml; charset=utf-8"
    for entry in entries(answer).values():
        assert entry.href.startswith("/d%20e/")


@stock_fails("the ETag in its answer is of before the time was set")
def test_sync_53_uploads_with_time_and_checksum(drive: Drive) -> None:
    """What it sends with each upload; its answer has to have the ETag."""
    client = drive.client(NEXTCLOUD)
    headers = {
        "Content-Type": "application/octet-stream",
        "X-OC-Mtime": str(int(PHOTO_TIME.timestamp())),
        "OC-Checksum": f"ADLER32:{zlib.adler32(BODY):08x}",
        "OC-Total-Length": str(len(BODY)),
    }
    put = client("PUT", "/f.jpg", BODY, headers)
    assert put.status == 201
    assert put.header("ETag") == client("HEAD", "/f.jpg").header("ETag")
    assert modified(client, "/f.jpg") == PHOTO_TIME


# The time that a client sets, whoever looks


def upload(drive: Drive, target: str = "/f.txt", body: bytes = BODY) -> Client:
    client = drive.client(RCLONE)
    mtime = str(int(PHOTO_TIME.timestamp()))
    assert client("PUT", target, body, x_oc_mtime=mtime).status in (201, 204)
    return client


def test_times_survive_a_restart(drive: Drive) -> None:
    upload(drive)
    drive.restart()
    assert modified(drive.client(CYBERDUCK), "/f.txt") == PHOTO_TIME


def test_times_are_in_the_listing(drive: Drive) -> None:
    """Depth 1 and Depth 0 tell the same."""
    client = upload(drive)
    listing = client("PROPFIND", "/", NEXTCLOUD_LIST, XML_APPLICATION, depth="1")
    assert entries(listing)["/f.txt"].modified == PHOTO_TIME


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_times_move_and_copy_with_their_file(drive: Drive, verb: str) -> None:
    """A file that is renamed has not been changed; nor has a copy's content."""
    client = upload(drive)
    assert client(verb, "/f.txt", destination="/g.txt").status == 201
    assert modified(client, "/g.txt") == PHOTO_TIME


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_times_move_with_their_folder(drive: Drive, verb: str) -> None:
    drive.fill({"d/": b""})
    client = upload(drive, "/d/f.txt")
    assert client(verb, "/d/", destination="/e/").status == 201
    assert modified(client, "/e/f.txt") == PHOTO_TIME


def test_times_are_reset_by_the_next_write(drive: Drive) -> None:
    """A PUT without one is a change now."""
    client = upload(drive)
    assert client("PUT", "/f.txt", b"new").status == 204
    assert modified(client, "/f.txt") > PHOTO_TIME + timedelta(days=365)


@stock_fails("If-Modified-Since equal to Last-Modified answers 200")
def test_times_count_for_conditions(drive: Drive) -> None:
    """RFC 9110 §13.1.3, §13.1.4: conditions see the time that was told."""
    client = upload(drive)
    date = http_date(PHOTO_TIME)
    earlier = http_date(PHOTO_TIME - timedelta(seconds=1))
    assert client("GET", "/f.txt", if_modified_since=date).status == 304
    assert client("GET", "/f.txt", if_modified_since=earlier).status == 200
    assert client("PUT", "/f.txt", b"x", if_unmodified_since=earlier).status == 412
    assert client("PUT", "/f.txt", b"x", if_unmodified_since=date).status == 204


@bridge_only("it keeps no metadata")
def test_times_are_written_as_rclone_and_s3fs_write_them(drive: Drive) -> None:
    """x-amz-meta-mtime, in seconds: every other tool on the bucket sees it."""
    upload(drive)
    assert isinstance(drive, BridgeDrive)
    metadata = drive.store.head_object("f.txt").attributes.metadata
    assert float(metadata["mtime"]) == PHOTO_TIME.timestamp()


@pytest.mark.parametrize(
    "sent",
    [
        *("yesterday", "", "-", "1e400", "nan"),
        pytest.param("9" * 20, marks=stock_fails("500: it overflows")),
    ],
)
def test_times_that_are_malformed_are_not_taken(drive: Drive, sent: str) -> None:
    """No 5xx, no promise that isn't kept, and a time that can be read."""
    client = drive.client(RCLONE)
    put = client("PUT", "/f.txt", BODY, x_oc_mtime=sent)
    assert put.status in (201, 400)
    if put.status == 201:
        assert put.headers["X-OC-Mtime"] is None
        assert modified(client, "/f.txt").year < 3000
