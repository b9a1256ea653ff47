"""What a store may refuse, and how: each answer is the right StoreError, and the right status."""

import pytest

from davbridge.dav.errors import answer_status
from davbridge.errors import StoreError
from davbridge.store.s3 import S3Store
from tests.support.bridge import running_bridge
from tests.support.canned import ENTRY, LISTING, OPERATIONS
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, error

ARCHIVED = Answer(
    403,
    b"<Error><Code>InvalidObjectState</Code><Message>no</Message>"
    b"<StorageClass>GLACIER</StorageClass></Error>",
)


def statuses(store: S3Store) -> dict[str, int]:
    """What each operation comes to for a WebDAV client; 0 where it went well."""
    found = {}
    for name, call in OPERATIONS.items():
        try:
            call(store)
            found[name] = 0
        except StoreError as failure:
            found[name] = answer_status(failure)
    return found


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (error("SlowDown", 503), 503),
        (error("InternalError", 500), 503),
        (Answer(502, b"<html>bad gateway</html>"), 503),
        (Answer(429), 503),
        (error("RequestTimeout", 400), 503),
        (error("OperationAborted", 409), 503),
        (error("AccessDenied", 403), 403),
        (Answer(403, b"<html>forbidden</html>"), 403),
        (error("ExpiredToken", 400), 503),
        (error("InvalidToken", 400), 503),
        (error("InvalidAccessKeyId", 403), 503),
        (error("SignatureDoesNotMatch", 403), 503),
        (error("RequestTimeTooSkewed", 403), 503),
        (error("NoSuchBucket", 404), 503),
        (error("QuotaExceeded", 403), 507),
        (Answer(507), 507),
        (ARCHIVED, 409),
        (error("ObjectNotInActiveTierError", 403), 409),
        (error("ExistingObjectIsDirectory", 409), 405),
        (error("ObjectParentIsFile", 409), 405),
        (error("XMinioParentIsObject", 400), 405),
        (error("XMinioObjectExistsAsDirectory", 409), 405),
        (error("Strange", 400), 500),
        (Answer(301, b"", {"Location": "http://127.0.0.1:1/"}), 500),
    ],
    ids=lambda value: f"{value.status} {value.body[:40]!r}" if isinstance(value, Answer) else None,
)
def test_each_refusal_has_a_status(
    canned_store: S3Store, canned: S3Proxy, answer: Answer, status: int
) -> None:
    canned.rule = lambda _: answer
    found = statuses(canned_store)
    # The real server leaves a HEAD's body out; its status alone tells little.
    bodiless = {status, {403: 403, 400: 409, 404: 404, 409: 409}.get(answer.status, status)}
    assert found.pop("HEAD") in bodiless
    if (answer.status, status) == (
        400,
        500,
    ):  # What has no meaning of its own is the object's own fault.
        assert {found.pop(name) for name in ("GET", "RANGE", "COPY")} == {409}
    assert set(found.values()) == {status}, found


@pytest.mark.parametrize(
    "answer", [Answer(404), Answer(404, b"<html>nothing here</html>"), error("404", 404)]
)
def test_a_404_that_is_not_s3s_is_no_absence(
    canned_store: S3Store, canned: S3Proxy, answer: Answer
) -> None:
    canned.rule = lambda _: answer
    found = statuses(canned_store)
    found.pop("HEAD")  # which has no body that could tell
    assert set(found.values()) == {503}, found


def test_a_404_of_s3_is_an_absence(canned_store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: error("NoSuchKey", 404)
    found = statuses(canned_store)
    for name in ("HEAD", "GET", "RANGE", "COPY"):
        assert found[name] == 404, name
    assert found["OVERWRITE"] == 412
    assert found["DELETE"] == 0


def test_an_archived_object_says_what_to_do(canned_store: S3Store, canned: S3Proxy) -> None:
    canned.rule = lambda _: ARCHIVED
    with pytest.raises(StoreError, match=r"archived \(GLACIER\): restore it"):
        canned_store.get_object("a")


def test_each_key_of_a_batch_has_its_own_status(canned_store: S3Store, canned: S3Proxy) -> None:
    told = {"a": "AccessDenied", "b": "InternalError", "c": "SlowDown", "d": "PreconditionFailed"}
    errors = "".join(f"<Error><Key>{k}</Key><Code>{c}</Code></Error>" for k, c in told.items())
    canned.rule = lambda _: Answer(200, f"<DeleteResult>{errors}</DeleteResult>".encode())
    failures = canned_store.delete_objects([*told, "e"])
    found = {failure.key: answer_status(failure.error) for failure in failures}
    assert found == {"a": 403, "b": 503, "c": 503, "d": 412}


class ColdBucket:
    """A bucket with one file in a folder, in cold storage."""

    def __call__(self, request: Request) -> Fault:
        if "list-type=2" in request.target:
            below = "prefix=d%2F" in request.target
            if "prefix=e" in request.target:
                return Answer(200, LISTING(rows="").encode())
            rows = (
                ENTRY("d/f", 1) if below else "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"
            )
            return Answer(200, LISTING(rows=rows).encode())
        if request.method == "GET" and "/d/f" not in request.target:
            return error("NoSuchKey", 404)
        if request.method == "PUT" and request.headers["x-amz-copy-source"] is None:
            return Answer(200, b"", {"ETag": '"n"'})
        if request.method in ("DELETE", "HEAD"):
            return Answer(204)
        if request.method == "POST":
            return Answer(200, b"<DeleteResult></DeleteResult>")
        return ARCHIVED


def test_clients_learn_that_a_file_is_archived(canned_store: S3Store, canned: S3Proxy) -> None:
    canned.rule = ColdBucket()
    with running_bridge(canned_store) as bridge, bridge.client() as dav:
        for answer in (
            dav("GET", "/d/f"),
            dav("GET", "/d/f", range="bytes=0-0"),
            dav("COPY", "/d/f", destination=f"{bridge.url}/d/g"),
            dav("MOVE", "/d/f", destination=f"{bridge.url}/d/g"),
        ):
            assert answer.status == 409
            assert b"restore it first" in answer.body
        tree = dav("COPY", "/d/", destination=f"{bridge.url}/e/")
        (member,) = tree.multistatus().values()
        assert "409" in (member.findtext("{DAV:}status") or "")
        assert "restore it first" in (member.findtext("{DAV:}responsedescription") or "")


def test_clients_are_asked_to_come_back_where_a_file_has_two_lengths(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    listing = LISTING(rows=ENTRY("f", 5)).encode()
    told = {"ETag": '"e"', "Last-Modified": "Sun, 22 Nov 2026 16:42:57 GMT"}
    canned.rule = lambda request: (
        Answer(200, listing) if "list-type" in request.target else Answer(200, b"another", told)
    )
    with running_bridge(canned_store) as bridge, bridge.client() as dav:
        for method in ("GET", "HEAD"):
            assert dav(method, "/f").status == 503


def test_clients_are_asked_to_come_back_when_the_store_is_in_trouble(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    canned.rule = lambda _: error("SlowDown", 503)
    with running_bridge(canned_store) as bridge, bridge.client() as dav:
        for method in ("GET", "PUT", "PROPFIND", "DELETE", "MKCOL"):
            answer = dav(method, "/a")
            assert answer.status == 503, method
            assert int(answer.header("Retry-After")) > 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 412, 416, 422, 451])
def test_a_member_that_the_store_refuses_to_give_refuses_only_itself(
    canned_store: S3Store, canned: S3Proxy, status: int
) -> None:
    """An empty object may be a directory by its type, so that a HEAD asks for it."""
    rows = ENTRY("d/empty", 0) + ENTRY("d/f", 1)

    def rule(request: Request) -> Fault:
        if "list-type=2" in request.target:
            return Answer(200, LISTING(rows=rows).encode())
        if "/d/empty" in request.target:
            return Answer(status) if request.method == "HEAD" else error("Strange", status)
        return error("NoSuchKey", 404)

    canned.rule = rule
    with running_bridge(canned_store) as bridge, bridge.client() as dav:
        listed = dav("PROPFIND", "/d/", depth="1")
        assert listed.status == 207
        assert list(listed.multistatus()) == ["/d/", "/d/empty", "/d/f"]
        for method in ("GET", "HEAD"):
            assert 400 <= dav(method, "/d/empty").status < 500 or status in (404, 412)


def test_a_store_that_cannot_be_asked_now_fails_the_listing(
    canned_store: S3Store, canned: S3Proxy
) -> None:
    def rule(request: Request) -> Fault:
        if "list-type=2" in request.target:
            return Answer(200, LISTING(rows=ENTRY("d/empty", 0)).encode())
        return Answer(503)

    canned.rule = rule
    with running_bridge(canned_store) as bridge, bridge.client() as dav:
        assert dav("PROPFIND", "/d/", depth="1").status == 503
