"""What each method costs in S3 requests, counted on the wire: exact, and on purpose.

The bucket holds the marked folder /d/ with the files f and g. Cold: nothing is known of it. Warm:
/ and /d/ have been listed. Whoever changes a number here has to say why beside it.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from davbridge.clock import utc_now
from davbridge.config import DriveSettings, S3Settings
from davbridge.dav.headers.validators import http_date
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client
from davbridge.tree.listing.markers import MARKER
from tests.support.bodies import lock_info
from tests.support.bridge import Client, running_bridge
from tests.support.endpoints import Endpoint, s3_client
from tests.support.operations import operation_of
from tests.support.s3proxy import S3Proxy, s3_proxy
from tests.support.timer import Timer

NAMED = '<propfind xmlns="DAV:"><prop><resourcetype/><getetag/></prop></propfind>'
PATCH = (
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><q xmlns="urn:q">1</q></D:prop></D:set>'
    "</D:propertyupdate>"
)
WINDOWS_TIME = (
    '<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>'
    "<Z:Win32LastModifiedTime>Thu, 01 Oct 2026 10:00:00 GMT</Z:Win32LastModifiedTime>"
    "</D:prop></D:set></D:propertyupdate>"
)
LOCK = lock_info()

NOW = "now"
"""Stands for the time of the request, as an HTTP date."""

ETAG = '"9a0364b9e99bb480dd25e1f0284c8555"'
OTHER = '"795f3202b17cb6bc3d4b771d8c6c9eaf"'
"""Of f and g, whose content is "content"."""

LIST, HEAD, GET, PUT, COPY, DELETE, DELETES = (
    "ListObjectsV2",
    "HeadObject",
    "GetObject",
    "PutObject",
    "CopyObject",
    "DeleteObject",
    "DeleteObjects",
)


@dataclass(frozen=True)
class Case:
    """A request, and what it costs."""

    method: str
    target: str
    warm: tuple[str, ...]
    cold: tuple[str, ...]
    status: int
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        depth = self.headers.get("Depth", "")
        return f"{self.method}{depth} {self.target} {self.status}"


CASES = (
    Case("OPTIONS", "/d/f", (), (), 200),
    # One listing has all members, and proves that the collection is there.
    Case("PROPFIND", "/d/", (), (LIST,), 207, NAMED, {"Depth": "1"}),
    Case("PROPFIND", "/d", (), (LIST,), 207, NAMED, {"Depth": "1"}),
    # The folder's own dead properties are in its parent's sidecar: is there one?
    Case("PROPFIND", "/d/", (), (LIST, LIST), 207, None, {"Depth": "1"}),
    # One flat listing, whatever is inside. It isn't cached. The folder's own kind is looked up.
    Case("PROPFIND", "/d/", (LIST,), (LIST, LIST), 207, NAMED, {"Depth": "infinity"}),
    Case("PROPFIND", "/", (LIST,), (LIST,), 207, NAMED, {"Depth": "infinity"}),
    # A name is looked up by listing its parent: all its siblings are known from then on.
    Case("PROPFIND", "/d/f", (), (LIST,), 207, NAMED, {"Depth": "0"}),
    Case("PROPFIND", "/d/", (), (LIST,), 207, NAMED, {"Depth": "0"}),
    Case("PROPFIND", "/d/._f", (), (LIST,), 404, NAMED, {"Depth": "0"}),
    # The same, then whether "f/" has members, which the listing has told by then.
    Case("PROPFIND", "/d/f", (), (LIST, LIST), 207, NAMED, {"Depth": "1"}),
    Case("GET", "/d/f", (GET,), (LIST, GET), 200),
    Case("GET", "/d/f", (GET,), (LIST, GET), 206, None, {"Range": "bytes=0-0"}),
    Case("GET", "/d/missing", (), (LIST,), 404),
    # Its content type is the object's own, which no listing has.
    Case("HEAD", "/d/f", (HEAD,), (LIST, HEAD), 200),
    Case("PUT", "/d/new", (PUT,), (LIST, LIST, PUT), 201, "x"),
    Case("PUT", "/d/f", (PUT,), (LIST, PUT), 204, "x"),
    # The time of a version is judged by what is there now, and no store can be asked by it: one
    # listing for the version that another bridge may have put there, which would be lost, and one
    # for the sidecar, as that may have told a time for it.
    Case(
        "PUT",
        "/d/f",
        (LIST, LIST, PUT),
        (LIST,) * 3 + (PUT,),
        204,
        "x",
        {"If-Unmodified-Since": NOW},
    ),
    # S3 compares the version with its own: nothing has to be asked before.
    Case("PUT", "/d/f", (PUT,), (LIST, PUT), 204, "x", {"If-Match": ETAG}),
    Case("PUT", "/d/f", (PUT,), (LIST, PUT), 204, "x", {"If": f"([{ETAG}])"}),
    # What S3 can't compare as it writes is looked up right before: each resource in one listing.
    # Else a client's change would be made to, or in place of, a version of another bridge's that
    # the client has ruled out.
    Case("PUT", "/d/f", (LIST, PUT), (LIST, LIST, PUT), 204, "x", {"If-None-Match": '"x"'}),
    Case("PUT", "/d/f", (LIST, PUT), (LIST, LIST, PUT), 204, "x", {"If": f"</d/g> ([{OTHER}])"}),
    Case("PUT", "/d/f", (LIST,), (LIST, LIST), 412, "x", {"If": '</d/g> (["x"]) (["y"])'}),
    Case("PROPPATCH", "/d/f", (LIST, PUT), (LIST, LIST, PUT), 207, PATCH, {"If-Match": ETAG}),
    # Once no write in its scope is under way, what is there is looked up as ever.
    Case("LOCK", "/d/f", (LIST,), (LIST, LIST), 200, LOCK, {"If-Match": ETAG}),
    # The version at the destination that the client means is replaced, and no other.
    Case(
        "COPY",
        "/d/f",
        (LIST, COPY),
        (LIST, LIST, LIST, COPY),
        204,
        None,
        {"Destination": "/d/g", "If": f"</d/g> ([{OTHER}])"},
    ),
    Case("DELETE", "/d/f", (LIST, DELETE), (LIST, LIST, DELETE), 204, None, {"If-Match": ETAG}),
    Case("PUT", "/new", (PUT,), (LIST, PUT), 201, "x"),
    # Whether a file has come to be there is seen past the cache, once the folder is there: else it
    # would hide a file that another bridge has just written.
    Case("MKCOL", "/new/", (PUT, LIST), (LIST, PUT, LIST), 201),
    Case("MKCOL", "/d/new/", (PUT, LIST), (LIST, LIST, PUT, LIST), 201),
    Case("DELETE", "/d/f", (DELETE,), (LIST, DELETE), 204),
    # What is inside is listed anew, to the last level, before any of it goes.
    Case("DELETE", "/d/", (LIST, DELETES), (LIST, LIST, DELETES), 204),
    # Cold, the target's parent is looked up: is it a marked folder? Afterwards the new name is
    # looked at once more: a folder that another bridge has made there would hide the copy.
    Case("COPY", "/d/f", (COPY, LIST), (LIST, LIST, COPY, LIST), 201, None, {"Destination": "/n"}),
    Case("COPY", "/d/f", (COPY,), (LIST, LIST, COPY), 204, None, {"Destination": "/d/g"}),
    # Before the source goes, the target is looked at once more: another bridge may have made a
    # folder of that name since it was listed, which would hide the copy, and it is all there is.
    Case(
        "MOVE",
        "/d/f",
        (COPY, LIST, DELETE),
        (LIST, LIST, COPY, LIST, DELETE),
        201,
        None,
        {"Destination": "/d/n"},
    ),
    # Beside the source, the target is looked at: what another bridge has put there since it was
    # listed would be hidden by the folder, or fail it. Then a journal, and a look at the others:
    # two bridges that move folders onto one another would each delete what the other has copied.
    # Then the folder's own properties: those that another bridge has set since they were listed.
    # Marker and two files are copied; the copies are seen in a listing, and that the originals are
    # still what was copied in another, before they go. Then the folder's own properties once more:
    # those that another bridge has set meanwhile would be lost. The journal goes last.
    Case(
        "MOVE",
        "/d/",
        (LIST, LIST, PUT, LIST, LIST, COPY, COPY, COPY, LIST, LIST, DELETES, LIST, DELETE),
        (LIST, LIST, LIST, PUT, LIST, LIST, COPY, COPY, COPY, LIST, LIST, DELETES, LIST, DELETE),
        201,
        None,
        {"Destination": "/n/"},
    ),
    # The first property of a folder makes its sidecar.
    Case("PROPPATCH", "/d/f", (PUT,), (LIST, PUT), 207, PATCH),
    Case("LOCK", "/d/f", (), (LIST,), 200, LOCK),
    # A lock on an unmapped URL makes an empty object.
    Case("LOCK", "/d/new", (PUT,), (LIST, LIST, PUT), 201, LOCK),
)


class Counted:
    """A store's requests by operation, counted on the wire: retries are requests too."""

    def __init__(self, proxy: S3Proxy) -> None:
        self._proxy = proxy

    @property
    def requests(self) -> Counter[str]:
        return Counter(self.sequence)

    @property
    def sequence(self) -> list[str]:
        return list(map(operation_of, self._proxy.requests))

    def clear(self) -> None:
        self._proxy.requests.clear()


@pytest.fixture
def counting_proxy(moto_server: Endpoint) -> Iterator[S3Proxy]:
    with s3_proxy(moto_server.url) as proxy:
        yield proxy


@pytest.fixture
def counted(counting_proxy: S3Proxy) -> Counted:
    return Counted(counting_proxy)


@pytest.fixture
def store(counting_proxy: S3Proxy, moto_server: Endpoint, bucket_name: str) -> Iterator[S3Store]:
    s3_client(moto_server).create_bucket(Bucket=bucket_name)
    client = build_client(
        S3Settings(
            bucket=bucket_name,
            endpoint_url=counting_proxy.url,
            access_key=moto_server.access_key,
            secret_key=moto_server.secret_key,
        ),
        pool_size=8,
    )
    with S3Store(client, bucket_name) as store:
        store.put_object("d/", b"", MARKER)
        for name, body in {"f": b"content", "g": b"other"}.items():
            store.put_object(f"d/{name}", body, Attributes("text/plain"))
        yield store
    client.close()


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("is_warm", [True, False], ids=["warm", "cold"])
def test_a_method_costs_exactly_these_requests(
    store: S3Store, counted: Counted, case: Case, is_warm: bool
) -> None:
    with running_bridge(store, timer=Timer()) as bridge, bridge.client() as client:
        if is_warm:
            warm_up(client)
        counted.clear()
        headers = {
            name: http_date(utc_now()) if value == NOW else value
            for name, value in case.headers.items()
        }
        answer = client(case.method, case.target, case.body, headers)
        assert answer.status == case.status
        assert counted.sequence == list(case.warm if is_warm else case.cold)


@pytest.mark.parametrize("is_warm", [True, False], ids=["warm", "cold"])
def test_a_copy_of_what_another_program_has_written_costs_a_head(
    store: S3Store, counted: Counted, moto_server: Endpoint, bucket_name: str, is_warm: bool
) -> None:
    """Nothing else says how an object is encrypted, and whether it redirects or is locked. A copy
    would lose that. What this bridge has just written has nothing of its own. A marker, which has
    no content, isn't looked at."""
    others = s3_client(moto_server)
    for name in ("d/h", "d/i", "e/j", "e/k"):
        others.put_object(Bucket=bucket_name, Key=name, Body=b"x")
    with running_bridge(store, timer=Timer()) as bridge, bridge.client() as client:
        if is_warm:
            warm_up(client)
            assert client("PROPFIND", "/e/", NAMED, depth="1").status == 207
        counted.clear()
        assert client("COPY", "/d/h", destination="/d/n").status == 201
        assert client("MOVE", "/d/i", destination="/d/m").status == 201
        cold: list[str] = [] if is_warm else [LIST, LIST]
        assert counted.sequence == [*cold, HEAD, COPY, LIST, HEAD, COPY, LIST, DELETE]
        counted.clear()
        assert client("MOVE", "/e/", destination="/o/").status == 201
        assert counted.requests[HEAD] == counted.requests[COPY] == 2
        counted.clear()
        assert client("MOVE", "/o/", destination="/p/").status == 201
        assert counted.requests[HEAD] == 2
        assert client("MOVE", "/d/f", destination="/d/q").status == 201
        assert counted.requests[HEAD] == 2


def test_a_listing_costs_one_request_per_1000_entries(store: S3Store, counted: Counted) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(1100):
            threads.submit(store.put_object, f"big/{number}", b"x", Attributes("text/plain"))
    with running_bridge(store, timer=Timer()) as bridge, bridge.client() as client:
        for expected in (2, 0):
            counted.clear()
            answer = client("PROPFIND", "/big/", NAMED, depth="1")
            assert len(answer.multistatus()) == 1101
            assert counted.requests == Counter({LIST: expected} if expected else {})


def test_a_save_into_a_known_folder_as_explorer_does_it(store: S3Store, counted: Counted) -> None:
    """Every step that changes something costs one request, and nothing is asked twice."""
    with running_bridge(store, timer=Timer()) as bridge, bridge.client() as client:
        warm_up(client)
        counted.clear()
        client("PROPFIND", "/d/new.txt", depth="0")
        client("PUT", "/d/new.txt", b"")
        lock = {"If": f"({client('LOCK', '/d/new.txt', LOCK).header('Lock-Token')})"}
        assert client("PROPPATCH", "/d/new.txt", WINDOWS_TIME, lock).status == 207
        assert client("HEAD", "/d/new.txt").status == 200
        assert client("PUT", "/d/new.txt", b"content", lock).status == 204
        assert client("PROPPATCH", "/d/new.txt", WINDOWS_TIME, lock).status == 207
        assert client("PROPFIND", "/d/new.txt", depth="0").status == 207
        assert counted.requests == Counter({PUT: 4})


def test_a_save_into_a_known_folder_as_finder_does_it(store: S3Store, counted: Counted) -> None:
    """The empty file and the full one; the fork that isn't there is known not to be."""
    with running_bridge(store, timer=Timer()) as bridge, bridge.client() as client:
        warm_up(client)
        counted.clear()
        assert client("PROPFIND", "/d/new.txt", NAMED, depth="0").status == 404
        assert client("PUT", "/d/new.txt", b"").status == 201
        assert client("PROPFIND", "/d/._new.txt", NAMED, depth="0").status == 404
        token = client("LOCK", "/d/new.txt", LOCK).header("Lock-Token")
        assert client("PUT", "/d/new.txt", b"content", {"If": f"({token})"}).status == 204
        assert client("UNLOCK", "/d/new.txt", headers={"Lock-Token": token}).status == 204
        assert counted.requests == Counter({PUT: 2})


def test_junk_that_is_dropped_costs_no_request(store: S3Store, counted: Counted) -> None:
    """Beyond the look at what is at its name, which every name costs: none in a known folder. As
    with all names, cold it is one listing of the folder, and one of that around it."""
    dropping, target = DriveSettings(junk="drop"), "/d/._new.txt"
    with running_bridge(store, drive=dropping, timer=Timer()) as bridge, bridge.client() as client:
        counted.clear()
        assert client("PUT", target, b"cold").status == 201
        assert counted.requests == Counter({LIST: 2})
        assert client("DELETE", target).status == 204
        warm_up(client)
        counted.clear()
        assert client("PROPFIND", target, NAMED, depth="0").status == 404
        lock = client("LOCK", target, LOCK)
        assert lock.status == 201
        held = {"If": f"({lock.header('Lock-Token')})"}
        assert client("PUT", target, b"content", held).status == 204
        assert client("PROPPATCH", target, WINDOWS_TIME, held).status == 207
        assert client("HEAD", target).status == 200
        assert client("GET", target).body == b"content"
        assert client("PROPFIND", target, depth="0").status == 207
        moved = {"Destination": "/d/._moved.txt", **held}
        assert client("MOVE", target, None, moved).status == 201
        assert client("COPY", "/d/._moved.txt", destination=target).status == 201
        assert client("DELETE", target).status == 204
        assert client("PROPFIND", "/d/", NAMED, depth="1").status == 207
        assert counted.sequence == []


def test_a_put_to_a_name_that_has_just_gone_looks_for_properties_once(
    store: S3Store, counted: Counted
) -> None:
    """Else it would have those that another bridge had set there since the folder was listed."""
    with running_bridge(store, timer=Timer()) as bridge, bridge.client() as client:
        warm_up(client)
        assert client("DELETE", "/d/f").status == 204
        counted.clear()
        assert client("PUT", "/d/f", b"anew").status == 201
        assert counted.requests == Counter({LIST: 1, PUT: 1})
        counted.clear()
        assert client("PUT", "/d/f", b"again").status == 204
        assert counted.requests == Counter({PUT: 1})


def warm_up(client: Client) -> None:
    for target in ("/", "/d/"):
        assert client("PROPFIND", target, NAMED, depth="1").status == 207
