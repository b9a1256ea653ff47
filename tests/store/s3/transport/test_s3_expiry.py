"""Requests that expire: which they are, for how long they are good, and what is waited for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from davbridge import deadline
from davbridge.clock import monotonic
from davbridge.errors import DeadlinePassedError, StoreError, UnavailableError
from davbridge.store.base import IF_ABSENT, Attributes
from davbridge.store.s3 import S3Store
from davbridge.store.s3.transport.connections import MAX_JOINED_BODY
from davbridge.store.s3.transport.signed_request import EXPIRY_SECONDS
from davbridge.store.s3.transport.transport import Timing
from tests.support.contract import LONG, drain, keys, write
from tests.support.endpoints import Endpoint
from tests.support.operations import is_expiring, operation_of
from tests.support.s3proxy import (
    Answer,
    Drop,
    Fault,
    Hold,
    Lose,
    Request,
    S3Proxy,
    error,
    once,
    s3_proxy,
)
from tests.support.skipping import Skipping
from tests.support.stores import fresh_bucket, s3_store, store_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXPIRED = error("AccessDenied", 403)._replace(
    body=b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
)


def signed_until(request: Request) -> tuple[float, int]:
    """When a request was signed, in seconds since 1970, and for how many more it is good."""
    told = parse_qs(urlsplit(request.target).query)
    begun = datetime.strptime(told["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begun.timestamp(), int(told["X-Amz-Expires"][0])


def test_requests_that_could_do_harm_when_late_expire_and_no_others(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    row = write(proxied, "a", LONG)
    small = proxied.put_object("b", bytes(MAX_JOINED_BODY), Attributes())
    write(proxied, "c", bytes(MAX_JOINED_BODY + 1))
    proxied.copy_object(row, "d")
    proxied.copy_object(small, "e")
    writer = proxied.open_writer("f", Attributes())
    writer.write(LONG)
    writer.abort()
    drain(proxied.get_object("a"))
    keys(proxied)
    proxied.delete_object("a", version=row)
    proxied.delete_objects(["b", "c"])
    expiring: dict[str, set[bool]] = {}
    for request in proxy.requests:
        expiring.setdefault(operation_of(request), set()).add(is_expiring(request))
    always = {name for name, each in expiring.items() if each == {True}}
    assert always == {"DeleteObject", "DeleteObjects", "CopyObject", "CompleteMultipartUpload"}
    assert {name for name, each in expiring.items() if each == {True, False}} == {"PutObject"}
    puts = [request for request in proxy.requests if operation_of(request) == "PutObject"]
    assert all(is_expiring(request) == (len(request.body) <= MAX_JOINED_BODY) for request in puts)


def test_a_request_is_good_for_no_longer_than_is_meant(proxied: S3Store, proxy: S3Proxy) -> None:
    for _ in range(20):
        before = time.time()
        proxied.put_object("a", b"", Attributes())
        begun, seconds = signed_until(proxy.requests[-1])
        assert begun + seconds <= time.time() + EXPIRY_SECONDS
        assert begun + seconds >= before + EXPIRY_SECONDS - 3
        time.sleep(0.07)


def test_a_write_whose_answer_is_lost_ends_when_it_can_take_effect_no_more(
    proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    proxied.put_object("a", b"", Attributes())
    proxy.rule = once("PUT", "/a", Drop())
    proxied.put_object("a", b"body", Attributes())
    assert skipping.skipped > EXPIRY_SECONDS
    assert drain(proxied.get_object("a")) == b"body"


def test_a_write_that_fails_ends_when_it_can_take_effect_no_more(
    proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    for fault in (Drop(), Answer(502), Answer(504), Answer(503, b"<html>no server</html>")):
        proxy.rule = lambda _, fault=fault: fault  # type: ignore[misc]
        before = skipping.skipped
        with pytest.raises(UnavailableError):
            proxied.put_object("a", b"body", Attributes())
        assert skipping.skipped - before > EXPIRY_SECONDS


def test_a_write_that_the_store_has_refused_is_not_waited_for(
    proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    for refusal in (error("InternalError", 500), error("QuotaExceeded", 403)):
        proxy.rule = once("PUT", "/a", *[refusal] * 4)
        with pytest.raises(StoreError):
            proxied.put_object("a", b"body", Attributes())
    assert skipping.skipped < 1  # between the tries


def test_reads_are_not_waited_for(proxied: S3Store, proxy: S3Proxy, skipping: Skipping) -> None:
    proxied.put_object("a", b"body", Attributes())
    proxy.rule = once("HEAD", "/a", Lose())
    proxied.head_object("a")
    assert sum(skipping.pauses) < 1


def test_a_request_that_came_too_late_is_signed_anew_and_has_done_nothing(
    proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    proxy.rule = once("PUT", "/a", EXPIRED, EXPIRED)
    proxied.put_object("a", b"body", Attributes(), IF_ABSENT)
    assert [request.method for request in proxy.requests] == ["PUT"] * 3
    assert skipping.pauses == []


def test_a_request_that_is_always_too_late_is_unavailable_and_not_forbidden(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = lambda _: EXPIRED
    with pytest.raises(UnavailableError):
        proxied.put_object("a", b"body", Attributes())
    assert proxy.count("PUT") == 3


def test_a_denial_of_access_whose_date_is_late_counts_as_expired(
    proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    """As where the request was held up for ten seconds."""
    proxied.put_object("a", b"body", Attributes())

    def late(_: Request) -> Fault:
        proxy.rule = lambda _: None
        date = datetime.fromtimestamp(time.time() + 10, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return error("AccessDenied", 403, Date=date)

    proxy.rule = late
    proxied.put_object("a", b"newer", Attributes())
    assert drain(proxied.get_object("a")) == b"newer"


Opened = Callable[[float], S3Store]


@pytest.fixture
def opened(
    seaweedfs: Endpoint, seaweedfs_client: "S3Client", bucket_name: str
) -> Iterator[tuple[S3Proxy, Opened]]:
    """SeaweedFS, by bridges whose clocks are so many seconds ahead."""
    with (
        fresh_bucket(seaweedfs_client, bucket_name),
        s3_proxy(seaweedfs.url) as proxy,
        store_client(replace(seaweedfs, url=proxy.url)) as client,
    ):
        stores: list[S3Store] = []

        def opens(ahead: float) -> S3Store:
            timing = Timing(wall=lambda: time.time() + ahead)
            stores.append(s3_store(client, bucket_name, timing))
            return stores[-1]

        yield proxy, opens
        for store in stores:
            store.close()


@pytest.mark.parametrize("ahead", [-7200.0, -10.0, 7200.0])
def test_a_bridge_whose_clock_is_wrong_learns_the_stores(
    opened: tuple[S3Proxy, Opened], ahead: float
) -> None:
    proxy, opens = opened
    store = opens(ahead)
    row = write(store, "a", bytes(MAX_JOINED_BODY + 1))
    copy = store.copy_object(row, "b", condition=IF_ABSENT)
    store.delete_object("b", version=copy)
    assert keys(store) == ["a"]
    expiring = [request for request in proxy.requests if is_expiring(request)]
    for request in expiring[1:]:
        begun, seconds = signed_until(request)
        assert begun + seconds <= time.time() + EXPIRY_SECONDS
    assert len(proxy.requests) <= 6


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_a_bridge_whose_clock_is_wrong_and_that_writes_first_learns_the_stores(
    opened: tuple[S3Proxy, Opened], ahead: float
) -> None:
    proxy, opens = opened
    store = opens(ahead)
    store.put_object("a", b"body", Attributes())
    store.put_object("a", b"newer", Attributes())
    begun, seconds = signed_until(proxy.requests[-1])
    assert begun + seconds <= time.time() + EXPIRY_SECONDS
    assert drain(store.get_object("a")) == b"newer"


def test_nothing_is_sent_past_a_deadline(proxied: S3Store, proxy: S3Proxy) -> None:
    row = proxied.put_object("a", b"body", Attributes())
    proxy.requests.clear()
    with deadline.before(lambda: 0.0, lambda: 0.0):
        for call in (
            lambda: proxied.head_object("a"),
            lambda: proxied.get_object("a"),
            lambda: proxied.put_object("a", b"newer", Attributes()),
            lambda: proxied.put_object("a", bytes(MAX_JOINED_BODY + 1), Attributes()),
            lambda: proxied.copy_object(row, "b"),
            lambda: proxied.delete_object("a", version=row),
            lambda: next(proxied.list_objects("")),
        ):
            with pytest.raises(DeadlinePassedError):
                call()
        (failure,) = proxied.delete_objects(["a"])
        assert isinstance(failure.error, DeadlinePassedError)
    assert proxy.requests == []


def test_a_write_is_not_sent_that_could_not_expire_in_time(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    """S3 counts in seconds."""
    with deadline.before(lambda: 0.99, lambda: 0.0), pytest.raises(DeadlinePassedError):
        proxied.put_object("a", b"body", Attributes())
    assert proxy.requests == []


def test_a_write_expires_before_the_deadline(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a", b"body", Attributes())
    with deadline.before(lambda: 2.0, lambda: 0.0):
        proxied.put_object("a", b"body", Attributes())
        write(proxied, "b", bytes(MAX_JOINED_BODY + 1))
        sent = time.time()
    for request in proxy.requests[-2:]:
        begun, seconds = signed_until(request)
        assert begun + seconds <= sent + 2
    assert len(proxy.requests) == 3


def test_a_long_body_is_given_all_of_the_time_that_there_is(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    """A proxy on the way may pass a request on only once it has all of it."""
    with deadline.before(lambda: 60.0, lambda: 0.0):
        write(proxied, "a", bytes(MAX_JOINED_BODY + 1))
        proxied.put_object("b", b"", Attributes())
    long, short = (signed_until(request)[1] for request in proxy.requests)
    assert 59 <= long <= 60
    assert short <= EXPIRY_SECONDS


def test_no_try_begins_after_the_deadline(
    proxied: S3Store, proxy: S3Proxy, skipping: Skipping
) -> None:
    left = [2.5]

    def lose(_: Request) -> Fault:
        left[0] = 0.0
        return Lose()

    proxy.rule = lose
    with deadline.before(lambda: left[0], lambda: 0.0), pytest.raises(UnavailableError) as told:
        proxied.put_object("a", b"body", Attributes(), IF_ABSENT)
    assert not isinstance(told.value, DeadlinePassedError)  # it may have been done, as it was
    assert [request.method for request in proxy.requests] == ["PUT"]
    proxy.reset()
    assert keys(proxied) == ["a"]


def test_an_upload_that_is_out_of_time_is_aborted_all_the_same(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    left = [60.0]
    with deadline.before(lambda: left[0], lambda: 0.0):
        writer = proxied.open_writer("a", Attributes())
        writer.write(LONG)
        left[0] = 0.0
        with pytest.raises(DeadlinePassedError):
            writer.commit()
    operations = [operation_of(request) for request in proxy.requests]
    assert "CompleteMultipartUpload" not in operations
    assert operations[-1] == "AbortMultipartUpload"
    parts = [request for request in proxy.requests if operation_of(request) == "UploadPart"]
    assert all(map(is_expiring, parts))


def test_an_answer_is_not_waited_for_past_the_deadline(proxied: S3Store, proxy: S3Proxy) -> None:
    hold = Hold()
    proxy.rule = once("HEAD", "/a", hold)
    end = monotonic() + 2
    with deadline.before(lambda: end), pytest.raises(UnavailableError):
        proxied.head_object("a")
    assert proxy.count("HEAD") == 1
    hold.forget()


def test_an_answer_is_waited_for_where_the_deadline_moves_on(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxied.put_object("a", b"body", Attributes())
    end = [monotonic() + 2]

    def slow(_: Request) -> None:
        end[0] += 3600
        time.sleep(2.5)

    proxy.rule = slow
    with deadline.before(lambda: end[0]):
        assert proxied.head_object("a").row.size == 4
