"""Writes whose requests fail, or whose answers are lost."""

from datetime import timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from davbridge.config import MIB
from davbridge.errors import (
    OutOfSpaceError,
    PreconditionFailedError,
    StoreError,
    TooLargeError,
    UnavailableError,
)
from davbridge.store.base import ALWAYS, IF_ABSENT, Attributes, Condition
from davbridge.store.buffers.budget import UNIT, MemoryBudget
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.capabilities import ALL, UNPROBED
from davbridge.store.s3.object_requests.multipart import PART_SIZE, part_size
from davbridge.store.s3.object_requests.multipart_requests import MOST_PARTS
from tests.support.contract import LONG, drain, keys, write
from tests.support.s3proxy import (
    Answer,
    Cut,
    Delay,
    Drop,
    Fault,
    Lose,
    Request,
    Rule,
    S3Proxy,
    error,
    once,
)
from tests.support.stores import READ_TIMEOUT, SMALL_PART, fresh_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def requests(proxy: S3Proxy) -> list[str]:
    return [request.method for request in proxy.requests]


def open_uploads(store: S3Store, proxy: S3Proxy) -> int:
    """How many multipart uploads the store still knows, found by aborting them all."""
    proxy.reset()
    return store.abort_stale_uploads("", timedelta(minutes=-1))


def test_a_body_of_one_part_is_one_request(proxied: S3Store, proxy: S3Proxy) -> None:
    write(proxied, "a", bytes(SMALL_PART), length=SMALL_PART)
    assert requests(proxy) == ["PUT"]
    assert proxy.requests[0].headers["Expect"] is None


def test_a_long_body_is_sent_in_parts(proxied: S3Store, proxy: S3Proxy) -> None:
    write(proxied, "a", LONG)
    assert sorted(requests(proxy)) == ["HEAD", "POST", "POST", "PUT", "PUT", "PUT", "PUT"]
    begin, mark, *parts = [request.target for request in proxy.requests[:5]]
    assert begin.endswith("?uploads=")
    assert "partNumber=10000&" in mark
    assert all("partNumber=" in part for part in parts)


def test_an_upload_is_not_marked_where_the_store_would_keep_the_mark(
    proxy: S3Proxy, proxied_client: "S3Client", moto_client: "S3Client", bucket_name: str
) -> None:
    with (
        fresh_bucket(moto_client, bucket_name),
        S3Store(proxied_client, bucket_name, part_size=SMALL_PART, capabilities=UNPROBED) as store,
    ):
        write(store, "a", LONG)
        assert drain(store.get_object("a")) == LONG
    assert not any("partNumber=10000" in request.target for request in proxy.requests)


def test_part_sizes_stay_within_what_s3_and_memory_take() -> None:
    largest = MemoryBudget().largest
    limit = MOST_PARTS * largest

    def size(number: int, length: int | None) -> int:
        return part_size(number, length, PART_SIZE, largest)

    assert size(0, 1) == size(0, None) == PART_SIZE == 8 * MIB
    assert -(-limit // size(0, limit)) == MOST_PARTS < 10_000
    assert {size(number, limit) for number in range(MOST_PARTS)} == {largest}
    assert size(999, None) == PART_SIZE
    assert size(1000, None) == 2 * PART_SIZE
    assert size(9_000, None) == largest


def test_a_body_too_long_for_parts_in_memory_is_refused_at_once(
    proxied: S3Store, proxy: S3Proxy, proxied_client: "S3Client", bucket_name: str
) -> None:
    with S3Store(proxied_client, bucket_name, budget=MemoryBudget(large=2 * UNIT)) as store:
        assert store.max_object_size == MOST_PARTS * UNIT
        with pytest.raises(TooLargeError):
            store.open_writer("a", Attributes(), length=MOST_PARTS * UNIT + 1)
        store.open_writer("a", Attributes(), length=MOST_PARTS * UNIT).abort()
    assert S3Store(proxied_client, bucket_name).max_object_size == MOST_PARTS * 88 * MIB
    assert proxy.requests == []


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_part_that_fails_leaves_nothing(proxied: S3Store, proxy: S3Proxy, failing: int) -> None:
    proxied.put_object("a", b"old", Attributes())

    def rule(request: Request) -> Fault | None:
        is_part = request.method == "PUT" and f"partNumber={failing}" in request.target
        return error("QuotaExceeded", 403) if is_part else None

    proxy.rule = rule
    with pytest.raises(OutOfSpaceError):
        write(proxied, "a", LONG)
    assert open_uploads(proxied, proxy) == 0
    assert drain(proxied.get_object("a")) == b"old"


def test_a_failed_completion_leaves_nothing(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = lambda request: (
        error("AccessDenied", 403)
        if request.method == "POST" and "uploadId" in request.target
        else None
    )
    with pytest.raises(StoreError):
        write(proxied, "a", LONG)
    assert open_uploads(proxied, proxy) == 0
    assert keys(proxied) == []


def test_an_abort_is_tried_again(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = once("DELETE", "uploadId", error("AccessDenied", 403))
    writer = proxied.open_writer("a", Attributes())
    writer.write(LONG)
    writer.abort()
    assert proxy.count("DELETE") == 2
    assert open_uploads(proxied, proxy) == 0


def test_an_abort_that_fails_for_good_raises_nothing(
    proxied: S3Store, proxy: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.rule = lambda request: error("AccessDenied", 403) if request.method == "DELETE" else None
    writer = proxied.open_writer("a", Attributes())
    writer.write(LONG)
    writer.abort()
    assert "not aborted" in caplog.text
    assert open_uploads(proxied, proxy) == 1


def test_a_copy_in_parts_that_fails_leaves_nothing(proxied: S3Store, proxy: S3Proxy) -> None:
    source = write(proxied, "a", LONG)
    proxy.rule = once("PUT", "partNumber=2", error("AccessDenied", 403))
    with pytest.raises(StoreError):
        proxied.copy_object(source, "b")
    assert open_uploads(proxied, proxy) == 0
    assert keys(proxied) == ["a"]


def test_a_conditional_put_whose_answer_is_lost_is_not_refused(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = once("PUT", "/a", Lose())
    row = proxied.put_object("a", b"body", Attributes(), IF_ABSENT)
    assert requests(proxy) == ["PUT", "PUT", "HEAD"]
    assert row == proxied.head_object("a").row


def test_an_overwrite_whose_answer_is_lost_is_not_refused(proxied: S3Store, proxy: S3Proxy) -> None:
    old = proxied.put_object("a", b"old", Attributes())
    proxy.rule = once("PUT", "/a", Lose())
    row = write(proxied, "a", b"new", None, Condition(if_match=old.etag))
    assert row == proxied.head_object("a").row
    assert drain(proxied.get_object("a")) == b"new"


def test_a_refusal_after_a_retry_is_believed_where_the_object_is_anothers(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxied.put_object("a", b"same", Attributes(), IF_ABSENT)
    proxy.rule = once("PUT", "/a", error("InternalError", 500))
    with pytest.raises(PreconditionFailedError):
        proxied.put_object("a", b"same", Attributes(), IF_ABSENT)


def lost_and_not_to_be_found(method: str, part: str) -> Rule:
    """One answer is lost, the next is a refusal, and nobody can look whether the store has acted.

    moto holds no conditions on copies.
    """
    lose = once(method, part, Lose(), error("PreconditionFailed", 412))

    def rule(request: Request) -> Fault | None:
        return error("SlowDown", 503) if request.method == "HEAD" else lose(request)

    return rule


def test_a_refusal_is_not_made_up_of_a_lost_answer_where_nobody_can_look(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    source = proxied.put_object("source", b"body", Attributes())
    proxy.rule = lost_and_not_to_be_found("PUT", "/a")
    with pytest.raises(UnavailableError):
        proxied.put_object("a", b"body", Attributes(), IF_ABSENT)
    proxy.rule = lost_and_not_to_be_found("PUT", "/copy")
    with pytest.raises(UnavailableError):
        proxied.copy_object(source, "copy", condition=IF_ABSENT)
    proxy.reset()
    assert keys(proxied) == ["a", "copy", "source"]


def test_a_conditional_delete_whose_answer_is_lost_is_not_refused(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    row = proxied.put_object("a", b"body", Attributes())
    proxy.rule = once("DELETE", "/a", Lose(), error("PreconditionFailed", 412))
    proxied.delete_object("a", version=row)
    assert keys(proxied) == []


def test_a_delete_whose_effect_nobody_can_know_is_unavailable(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    row = proxied.put_object("a", b"body", Attributes())
    proxy.rule = once("DELETE", "/a", error("InternalError", 500), error("PreconditionFailed", 412))
    with pytest.raises(UnavailableError):
        proxied.delete_object("a", version=row)


def test_a_batch_whose_answer_is_lost_has_no_failures(proxied: S3Store, proxy: S3Proxy) -> None:
    rows = {key: proxied.put_object(key, b"body", Attributes()) for key in ("a", "b")}
    refused = b"<Error><Key>a</Key><Code>PreconditionFailed</Code></Error>"
    told = b"<DeleteResult>%b</DeleteResult>" % refused
    proxy.rule = once("POST", "delete", Lose(), Answer(200, told))
    assert proxied.delete_objects(["a", "b"], versions=rows) == []
    assert keys(proxied) == []


def test_a_delete_that_meets_another_write_is_sent_again(proxied: S3Store, proxy: S3Proxy) -> None:
    row = proxied.put_object("a", b"body", Attributes())
    proxy.rule = once("DELETE", "/a", error("ConditionalRequestConflict", 409))
    proxied.delete_object("a", version=row)
    assert keys(proxied) == []


def test_a_completed_upload_is_there_though_nobody_can_look(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = lost_and_not_to_be_found("POST", "no such request")
    row = write(proxied, "a", LONG, None, IF_ABSENT)
    proxy.reset()
    assert row.etag == proxied.head_object("a").row.etag


def test_a_completion_whose_answer_is_lost_is_not_refused(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = once("POST", "uploadId", Lose(), error("NoSuchUpload", 404))
    row = write(proxied, "a", LONG)
    assert row == proxied.head_object("a").row
    assert drain(proxied.get_object("a")) == LONG


def test_an_object_that_the_store_made_of_other_bytes_is_no_success(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    def rule(request: Request) -> Fault | None:
        if request.method != "HEAD":
            return None
        told = {"ETag": '"e"', "Last-Modified": formatdate(usegmt=True), "Content-Length": "7"}
        transaction = proxy.requests[0].headers["x-amz-meta-dav-txn"]
        return Answer(200, b"", {**told, "x-amz-meta-dav-txn": transaction})

    proxy.rule = rule
    with pytest.raises(UnavailableError, match="bytes"):
        write(proxied, "a", LONG)


def test_a_completion_that_is_never_answered_is_looked_after(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = once("POST", "uploadId", *[Lose()] * 4)
    write(proxied, "a", LONG)
    assert drain(proxied.get_object("a")) == LONG


def test_a_store_may_work_on_a_copy_for_longer_than_on_other_requests(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    source = proxied.put_object("a", b"body", Attributes())
    proxy.requests.clear()
    proxy.rule = once("PUT", "/copy", Delay(READ_TIMEOUT + 0.5))
    proxied.copy_object(source, "copy")
    assert requests(proxy) == ["PUT"]


def test_a_completion_that_meets_another_write_is_unavailable_and_leaves_nothing(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    """AWS drops the upload then: it can't be completed under another condition."""
    proxy.rule = once("POST", "uploadId", error("ConditionalRequestConflict", 409))
    writer = proxied.open_writer("a", Attributes(), IF_ABSENT)
    writer.write(LONG)
    with pytest.raises(UnavailableError):
        writer.commit()
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.commit(ALWAYS)
    assert requests(proxy)[-1] == "DELETE"


@pytest.mark.parametrize("size", [4, len(LONG)], ids=["whole", "in parts"])
def test_an_optimistic_condition_is_sent_and_leaves_no_mark_on_a_whole_object(
    proxied: S3Store, proxy: S3Proxy, size: int
) -> None:
    write(proxied, "a", LONG[:size], None, Condition(if_absent=True, is_optimistic=True))
    last = [each for each in proxy.requests if each.method != "HEAD"][-1]
    assert last.headers["if-none-match"] == "*"
    assert "x-amz-meta-dav-txn" not in last.headers


def test_an_optimistic_condition_costs_no_look_where_the_store_holds_none(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxied._bucket = proxied._bucket._replace(can=ALL._replace(conditional_put=False))
    row = proxied.put_object("a", b"old", Attributes())
    proxy.requests.clear()
    write(proxied, "a", b"new", None, Condition(if_match=row.etag, is_optimistic=True))
    assert requests(proxy) == ["PUT"]


def test_a_conflict_is_tried_again(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = once("PUT", "/a", *[error("ConditionalRequestConflict", 409)] * 2)
    proxied.put_object("a", b"body", Attributes(), IF_ABSENT)
    assert drain(proxied.get_object("a")) == b"body"


def test_a_lasting_conflict_is_a_failed_precondition(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = lambda request: (
        error("ConditionalRequestConflict", 409) if request.method == "PUT" else None
    )
    with pytest.raises(PreconditionFailedError):
        proxied.put_object("a", b"body", Attributes(), IF_ABSENT)


def test_a_conflict_with_a_lost_try_of_the_same_write_is_no_refusal(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    conflict = error("ConditionalRequestConflict", 409)
    proxy.rule = once("PUT", "/a", Lose(), conflict)
    row = proxied.put_object("a", b"body", Attributes(), IF_ABSENT)
    assert requests(proxy) == ["PUT", "PUT", "PUT", "HEAD"]
    assert row == proxied.head_object("a").row


@pytest.mark.parametrize("body", [b"body", LONG], ids=["whole", "in parts"])
def test_a_lasting_conflict_with_a_try_that_may_be_under_way_decides_nothing(
    proxied: S3Store, proxy: S3Proxy, body: bytes
) -> None:
    """The first try is lost on its way, and might still come: the conflicts may be with it."""
    conflicts = [error("ConditionalRequestConflict", 409)] * 4
    method, part = ("PUT", "/a") if body == b"body" else ("POST", "uploadId")
    proxy.rule = once(method, part, Drop(), *conflicts)
    with pytest.raises(UnavailableError):
        write(proxied, "a", body, None, IF_ABSENT)


def test_a_copys_conflict_with_a_try_that_may_be_under_way_decides_nothing(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    source = proxied.put_object("source", b"body", Attributes())
    proxy.rule = once("PUT", "/copy", Drop(), error("ConditionalRequestConflict", 409))
    with pytest.raises(UnavailableError):
        proxied.copy_object(source, "copy", condition=IF_ABSENT)


def test_a_store_that_stays_away_is_unavailable(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = lambda _: error("SlowDown", 503)
    with pytest.raises(UnavailableError):
        proxied.put_object("a", b"body", Attributes())


def test_errors_in_the_200_of_a_batch_are_reported(proxied: S3Store, proxy: S3Proxy) -> None:
    body = (
        b"<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
        b"<Error><Key>gone</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    )
    proxy.rule = once("POST", "delete", error("", 200)._replace(body=body))
    (failure,) = proxied.delete_objects(["a", "b", "gone"])
    assert failure.key == "b"
    assert "AccessDenied" in str(failure.error)
    assert proxy.requests[0].headers["Content-MD5"]


def test_a_batch_that_fails_is_reported_for_each_key(proxied: S3Store, proxy: S3Proxy) -> None:
    proxy.rule = lambda _: error("AccessDenied", 403)
    assert [failure.key for failure in proxied.delete_objects(["a", "b"])] == ["a", "b"]


def test_a_lookup_is_one_request(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.put_object("a/b", b"", Attributes())
    proxied.put_object("a.txt", b"", Attributes())
    for number in range(60):
        proxied.put_object(f"m{number}", b"", Attributes())
    for key in ("a", "a.txt", "absent", "m", "m1"):
        proxy.requests.clear()
        proxied.lookup(key)
        assert requests(proxy) == ["GET"]


def test_a_listing_whose_end_is_cut_off_is_asked_for_again(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxied.put_object("a", b"", Attributes())
    proxy.rule = once("GET", "list-type=2", Cut(100))
    assert keys(proxied) == ["a"]
