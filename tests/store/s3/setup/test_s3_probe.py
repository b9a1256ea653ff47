"""What a store can do is found out on canaries; what it can't is done in another way."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from davbridge.errors import NotFoundError, PreconditionFailedError
from davbridge.store.base import IF_ABSENT, Attributes, Condition
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.capabilities import ALL, CANARY, UNPROBED, Capabilities
from davbridge.store.s3.setup.client import build_client
from tests.support.contract import LONG, drain, keys, write
from tests.support.endpoints import Endpoint
from tests.support.operations import is_expiring, operation_of
from tests.support.s3proxy import Answer, Fault, Hold, Request, S3Proxy, error, once, s3_proxy
from tests.support.stores import fresh_bucket, s3_store, settings_for, store_client
from tests.support.waiting import FOREVER, until

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SETTINGS = ("GetBucketOwnershipControls", "GetObjectLockConfiguration")

NOTHING = Capabilities(*[False] * len(ALL))

MOTO = ALL._replace(
    conditional_complete=False,
    conditional_copy=False,
    pinned_copy=False,
    conditional_delete_batch=False,
    expiring=False,
)


@pytest.fixture
def opened(client_name: str, bucket_name: str, request: pytest.FixtureRequest) -> Iterator[S3Store]:
    client: S3Client = request.getfixturevalue(f"{client_name}_client")
    with fresh_bucket(client, bucket_name), s3_store(client, bucket_name) as store:
        yield store
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket_name)


@pytest.mark.parametrize(("client_name", "expected"), [("seaweedfs", ALL), ("moto", MOTO)])
def test_a_store_is_known_afterwards_and_holds_nothing_more(
    opened: S3Store, expected: Capabilities, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="davbridge"):
        opened.probe("team/")
    assert opened.capabilities == expected
    assert [key for key in keys(opened) if key != "team/"] == []
    (line,) = [record for record in caplog.records if "probed" in record.message]
    assert (line.levelno == logging.INFO) == (expected == ALL)
    assert ("conditional COPY (" in line.message) == (not expected.conditional_copy)


@pytest.mark.parametrize("client_name", ["seaweedfs"])
def test_bridges_that_start_at_once_do_not_meet(opened: S3Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(opened.probe, [""] * 4))
    assert opened.capabilities == ALL


@pytest.mark.parametrize(("name", "count"), [("seaweedfs", 34), ("moto_server", 34)])
def test_probing_takes_34_requests_on_names_of_davbridges_own(
    name: str, count: int, bucket_name: str, request: pytest.FixtureRequest
) -> None:
    """A store that ignores the first condition of a COPY isn't asked for the second. One with ACLs
    is asked for one."""
    endpoint: Endpoint = request.getfixturevalue(name)
    with (
        s3_proxy(endpoint.url) as proxy,
        store_client(replace(endpoint, url=proxy.url)) as client,
        fresh_bucket(client, bucket_name),
        s3_store(client, bucket_name) as store,
    ):
        proxy.reset()
        store.probe("team/")
        asked = list(proxy.requests)
    assert len(asked) == count
    for each in asked:
        if operation_of(each) == "DeleteObjects":
            deleted = re.findall(rb"<Key>(.*?)</Key>", each.body)
            assert all(key.startswith(f"team/{CANARY}".encode()) for key in deleted)
        elif operation_of(each) == "ListObjectsV2":
            assert f"&prefix=team/{CANARY}" in unquote(each.target)
        elif operation_of(each) not in SETTINGS:
            assert f"/team/{CANARY}" in each.target


def test_a_bridge_that_may_not_write_starts_all_the_same(
    proxied: S3Store, proxy: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxied.put_object("a", b"body", Attributes())
    proxy.requests.clear()
    proxy.rule = lambda r: None if r.method in ("GET", "HEAD") else error("AccessDenied", 403)
    proxied.probe("")
    assert proxied.capabilities == UNPROBED
    assert "nothing can be tried: " in caplog.text
    assert drain(proxied.get_object("a")) == b"body"
    assert len(proxy.requests) <= 10  # one tries whether it is the signature, two compare ETags


def refusing(part: Callable[[Request], bool], fault: Fault) -> Callable[[Request], Fault | None]:
    return lambda request: fault if part(request) else None


@pytest.mark.parametrize(
    ("operation", "header", "lost"),
    [
        ("PutObject", "If-Match", "conditional_put"),
        ("CompleteMultipartUpload", "If-None-Match", "conditional_complete"),
        ("CopyObject", "x-amz-copy-source", "conditional_copy"),
        ("DeleteObject", "If-Match", "conditional_delete"),
        ("UploadPartCopy", "x-amz-copy-source", "part_copy"),
    ],
)
def test_a_store_is_used_without_what_it_does_not_know(
    proxied: S3Store, proxy: S3Proxy, operation: str, header: str, lost: str
) -> None:
    proxy.rule = refusing(
        lambda request: operation_of(request) == operation and header in request.headers,
        error("NotImplemented", 501),
    )
    proxied.probe("")
    assert not getattr(proxied.capabilities, lost)
    assert proxied.capabilities.marks


def test_a_store_that_takes_no_signature_in_the_query_gets_none(
    proxied: S3Store, proxy: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.rule = refusing(is_expiring, error("SignatureDoesNotMatch", 403))
    proxied.probe("")
    assert proxied.capabilities == MOTO
    assert "requests that expire (" in caplog.text
    proxy.requests.clear()
    row = proxied.put_object("a", b"body", Attributes())
    proxied.delete_object("a", version=proxied.copy_object(row, "b")._replace(key="a"))
    assert not any(map(is_expiring, proxy.requests))


@pytest.mark.parametrize("operation", ["CopyObject", "DeleteObject", "CompleteMultipartUpload"])
@pytest.mark.parametrize(
    "refusal", [error("AccessDenied", 403), error("NotImplemented", 501)], ids=["403", "501"]
)
def test_a_store_that_takes_no_signature_in_the_query_for_one_request_gets_none(
    proxied: S3Store, proxy: S3Proxy, operation: str, refusal: Answer
) -> None:
    proxy.rule = refusing(
        lambda request: is_expiring(request) and operation_of(request) == operation, refusal
    )
    proxied.probe("")
    assert proxied.capabilities == MOTO


def test_etags_are_not_sent_to_a_store_that_refuses_a_batch_for_them(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = refusing(
        lambda request: operation_of(request) == "DeleteObjects" and b"<ETag>" in request.body,
        error("MalformedXML", 400),
    )
    proxied.probe("")
    assert not proxied.capabilities.conditional_delete_batch
    row = proxied.put_object("a", b"body", Attributes())
    assert proxied.delete_objects(["a", "b"], versions={"a": row, "b": row}) == []
    assert keys(proxied) == []


@pytest.mark.parametrize(
    "trouble",
    [
        error("SlowDown", 503),
        error("AccessDenied", 403),
        error("ExpiredToken", 400),
        error("RequestTimeout", 400),
        error("NoSuchBucket", 404),
        Answer(404, b"<html>no such site</html>"),
    ],
    ids=lambda answer: repr(answer.body[:30]),
)
def test_a_store_that_is_in_trouble_meanwhile_is_not_taken_for_one_that_can_not(
    proxied: S3Store,
    proxy: S3Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Answer,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    proxy.rule = refusing(lambda request: "If-Match" in request.headers, trouble)
    proxied.probe("")
    assert proxied.capabilities.conditional_put
    assert proxied.capabilities.conditional_delete
    assert "no answer when it was asked for: conditional complete, conditional" in caplog.text
    assert "can all" not in caplog.text


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "DeleteObject", "UploadPartCopy"])
def test_rights_that_are_missing_are_logged_with_what_is_not_known(
    proxied: S3Store, proxy: S3Proxy, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    proxy.rule = refusing(
        lambda request: operation_of(request) == operation, error("AccessDenied", 403)
    )
    proxied.probe("")
    assert "no answer when it was asked for: " in caplog.text
    assert proxied.capabilities.conditional_put
    assert proxied.capabilities.part_copy == (operation == "DeleteObject")


@pytest.mark.parametrize(
    "absurd", [Answer(200), Answer(200, b"", {"ETag": '"e"', "Content-Length": "many"})]
)
def test_an_absurd_answer_proves_no_capability_and_ends_no_thread(
    proxied: S3Store, proxy: S3Proxy, absurd: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr("threading.excepthook", failed.append)
    proxy.rule = refusing(lambda request: request.method == "HEAD", absurd)
    proxied.probe("")
    assert not proxied.capabilities.marks
    assert failed == []


def test_a_store_that_is_silent_does_not_hold_up_the_start(
    proxied: S3Store,
    proxy: S3Proxy,
    moto_server: Endpoint,
    bucket_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers one question only once the probe is over."""
    monkeypatch.setattr("davbridge.store.s3.store.PROBE_SECONDS", 1.0)
    held: list[Hold] = []

    def hold(request: Request) -> Hold | None:
        if operation_of(request) != "UploadPartCopy":
            return None
        held.append(Hold())
        return held[-1]

    proxy.rule = hold
    endpoint = replace(moto_server, url=proxy.url)
    patient = replace(settings_for(endpoint, bucket_name), read_timeout=FOREVER)
    with (
        closing(build_client(patient, pool_size=16)) as client,
        s3_store(client, bucket_name) as store,
    ):
        store.probe("")
        assert not store.capabilities.part_copy
        proxy.reset()
        for each in held:
            each.deliver()
        until(lambda: not any("<lambda>" in each.name for each in threading.enumerate()))


def test_a_mark_that_would_become_part_of_a_file_is_not_left(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = once("HEAD", "marked", Answer(200, b"", {"ETag": '"e"', "Content-Length": "69"}))
    proxied.probe("")
    assert not proxied.capabilities.marks


@pytest.fixture
def incapable(
    proxied: S3Store, proxied_client: "S3Client", bucket_name: str, proxy: S3Proxy
) -> Iterator[S3Store]:
    """One that lacks everything: no condition ever reaches it."""

    def rule(request: Request) -> Fault | None:
        conditions = {"if-match", "if-none-match", "x-amz-copy-source-if-match"}
        if request.method in ("PUT", "POST", "DELETE"):
            assert conditions.isdisjoint(name.lower() for name in request.headers)
        assert operation_of(request) != "UploadPartCopy"
        assert b"<ETag>" not in request.body or operation_of(request) != "DeleteObjects"
        return None

    proxy.rule = rule
    with S3Store(
        proxied_client,
        bucket_name,
        part_size=5 * 1024**2,
        copy_limit=5 * 1024**2,
        capabilities=NOTHING,
    ) as store:
        yield store


@pytest.mark.parametrize("body", [b"body", LONG], ids=["whole", "in parts"])
def test_conditions_are_looked_after_where_the_store_does_not(
    incapable: S3Store, body: bytes
) -> None:
    made = write(incapable, "a", body, None, IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        write(incapable, "a", body, None, IF_ABSENT)
    for wrong in (Condition(if_match="0" * 32), Condition(if_match=made.etag + "0")):
        with pytest.raises(PreconditionFailedError):
            write(incapable, "a", body, None, wrong)
    with pytest.raises(PreconditionFailedError):
        write(incapable, "absent", body, None, Condition(if_match=made.etag))
    write(incapable, "a", b"new", None, Condition(if_match=made.etag))
    assert drain(incapable.get_object("a")) == b"new"


def test_deletions_are_looked_after_where_the_store_does_not(incapable: S3Store) -> None:
    made = write(incapable, "a", b"body")
    with pytest.raises(PreconditionFailedError):
        incapable.delete_object("a", version=made._replace(etag="0" * 32))
    with pytest.raises(NotFoundError):
        incapable.delete_object("absent", version=made)
    incapable.delete_object("a", version=made)
    assert keys(incapable) == []


def test_copies_are_looked_after_where_the_store_does_not(incapable: S3Store) -> None:
    source = write(incapable, "a", b"body")
    incapable.copy_object(source, "b", condition=IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        incapable.copy_object(source, "b", condition=IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        incapable.copy_object(source._replace(etag="0" * 32), "c")
    assert keys(incapable) == ["a", "b"]


def test_large_files_are_copied_by_hand_where_the_store_copies_no_parts(
    incapable: S3Store,
) -> None:
    kept = Attributes("text/x-kept", {"mtime": "1.5"})
    writer = incapable.open_writer("a", kept)
    writer.write(LONG)
    copy = incapable.copy_object(writer.commit(), "b", condition=IF_ABSENT)
    assert drain(incapable.get_object("b")) == LONG
    assert incapable.head_object("b").attributes == kept
    assert incapable.head_object("b").row.size == copy.size
