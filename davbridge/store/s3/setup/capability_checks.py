"""The checks by which the probe finds out what a store can do: each is a few requests on canaries.

Invariant: nobody's file is touched: a canary is davbridge's own.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from botocore.exceptions import ClientError

from davbridge.store.base import ALWAYS, IF_ABSENT, Condition, ObjectRow
from davbridge.store.s3.bucket.bucket import Bucket, copied_from, head_request
from davbridge.store.s3.messages.checksums import ALGORITHM, ASK, CRC32, checksum_headers
from davbridge.store.s3.messages.errors import ERRORS, status_of
from davbridge.store.s3.messages.headers import date_of, etag_in, headers_of, size_of
from davbridge.store.s3.messages.xml import name_of, parsed, texts_of
from davbridge.store.s3.object_requests import multipart_requests
from davbridge.store.s3.object_requests.deletes import batch_request
from davbridge.store.s3.object_requests.multipart_requests import MARK, MARK_NUMBER, Part
from davbridge.store.s3.transport.transport import S3Request

BODY = b"davbridge looks what this store can do, and will remove this"

LONG_AGO = 3600.0
"""Seconds. A request that was signed so long ago has expired by any clock."""

WRONG_ETAG = "0" * 32

WRONG = Condition(if_match=WRONG_ETAG)

WRITTEN_AT_FIRST = 5


class Canaries(NamedTuple):
    """Keys, each for one check. The objects of the first WRITTEN_AT_FIRST are written before the
    checks."""

    present: str
    copied: str
    completed: str
    deleted: str
    deleted_in_batch: str
    copied_in_parts: str
    marked: str
    late: str


def _holds(write: Callable[[Condition], object]) -> bool:
    """Whether the store refuses a write to an existing canary under each wrong condition."""
    return all(_refuses(partial(write, condition)) for condition in (IF_ABSENT, WRONG))


def _refuses(write: Callable[[], object]) -> bool:
    try:
        write()
    except ClientError as error:
        if status_of(error) == 412:
            return True
        raise
    return False


def _conditional_put(bucket: Bucket, _: Canaries, present: ObjectRow) -> bool:
    return _holds(partial(put_canary, bucket, present.key))


def _conditional_copy(bucket: Bucket, canaries: Canaries, present: ObjectRow) -> bool:
    def copy(condition: Condition) -> None:
        _copy(bucket, present, canaries.copied, headers_of(condition))

    return _holds(copy)


def _pinned_copy(bucket: Bucket, canaries: Canaries, present: ObjectRow) -> bool:
    pin = {"x-amz-copy-source-if-match": headers_of(WRONG)["if-match"]}
    return _refuses(partial(_copy, bucket, present, canaries.copied_in_parts, pin))


def _conditional_delete(bucket: Bucket, canaries: Canaries, _: ObjectRow) -> bool:
    request = S3Request("DeleteObject", "DELETE", canaries.deleted, headers_of(WRONG))
    return _refuses(partial(bucket.transport.send, request))


def _conditional_delete_batch(bucket: Bucket, canaries: Canaries, present: ObjectRow) -> bool:
    key = canaries.deleted_in_batch
    wrong = present._replace(key=key, etag=WRONG_ETAG)
    result = parsed(bucket.transport.send(batch_request(bucket, [key], {key: wrong})).content)
    codes = [texts_of(child).get("Code") for child in result if name_of(child) == "Error"]
    return codes == ["PreconditionFailed"]


def _conditional_complete(bucket: Bucket, canaries: Canaries, _: ObjectRow) -> bool:
    def write(key: str, upload_id: str) -> bool:
        parts = [multipart_requests.send_part(bucket, key, upload_id, 1, BODY)]
        held = _holds(
            lambda condition: multipart_requests.complete(bucket, key, upload_id, parts, condition)
        )
        multipart_requests.abort(bucket, key, upload_id)
        return held

    return _in_an_upload(bucket, canaries.completed, write)


def _checksums(bucket: Bucket, _: Canaries, present: ObjectRow) -> bool:
    if not (bucket.can.plain_writes and bucket.sends_checksums):
        return bucket.can.checksums
    headers = bucket.transport.send(head_request(present.key)._replace(headers=ASK)).headers
    return headers.get(CRC32) == checksum_headers(BODY)[CRC32]


def _plain_writes(bucket: Bucket, _: Canaries, __: ObjectRow) -> bool:
    """Was found out when the canaries were written."""
    return bucket.can.plain_writes


def _content_md5(bucket: Bucket, _: Canaries, __: ObjectRow) -> bool:
    return bucket.can.content_md5


def _part_copy(bucket: Bucket, canaries: Canaries, present: ObjectRow) -> bool:
    def write(key: str, upload_id: str) -> bool:
        part = multipart_requests.copy_part(bucket, present, key, upload_id, 1)
        return _is_whole(bucket, key, upload_id, part)

    return _in_an_upload(bucket, canaries.copied_in_parts, write, is_copied=True)


def _marks(bucket: Bucket, canaries: Canaries, _: ObjectRow) -> bool:
    def write(key: str, upload_id: str) -> bool:
        multipart_requests.send_part(bucket, key, upload_id, MARK_NUMBER, MARK)
        part = multipart_requests.send_part(bucket, key, upload_id, 1, BODY)
        return _is_whole(bucket, key, upload_id, part)

    return _in_an_upload(bucket, canaries.marked, write)


def _expiring(bucket: Bucket, canaries: Canaries, _: ObjectRow) -> bool:
    """Whether the store refuses an expired request that is signed in its query. That it accepts
    others was shown when the canaries were written."""
    if not bucket.transport.expires:
        return False
    try:
        headers = bucket.new.headers(canaries.late) | bucket.checksum_headers(BODY)
        bucket.transport.send(
            S3Request("PutObject", "PUT", canaries.late, headers, body=BODY, age=LONG_AGO)
        )
    except ClientError as error:
        if status_of(error) in (400, 401, 403):
            return True
        raise
    return False


Check = Callable[[Bucket, Canaries, ObjectRow], bool]

CHECKS: dict[str, Check] = {
    "conditional_put": _conditional_put,
    "conditional_complete": _conditional_complete,
    "conditional_copy": _conditional_copy,
    "pinned_copy": _pinned_copy,
    "conditional_delete": _conditional_delete,
    "conditional_delete_batch": _conditional_delete_batch,
    "checksums": _checksums,
    "plain_writes": _plain_writes,
    "content_md5": _content_md5,
    "part_copy": _part_copy,
    "marks": _marks,
    "expiring": _expiring,
}

CHECKS_OF_EXPIRING = (
    "conditional_put",
    "conditional_complete",
    "conditional_copy",
    "pinned_copy",
    "conditional_delete",
    "conditional_delete_batch",
    "part_copy",
    "marks",
)
"""The checks that depend on signatures that expire."""


def put_canary(bucket: Bucket, key: str, condition: Condition = ALWAYS) -> ObjectRow:
    headers = bucket.new.headers(key) | headers_of(condition) | bucket.checksum_headers(BODY)
    request = S3Request("PutObject", "PUT", key, headers, body=BODY)
    answer = bucket.transport.send(request)
    return ObjectRow(key, len(BODY), date_of(answer.headers, bucket.clock), etag_in(answer.headers))


def _copy(bucket: Bucket, source: ObjectRow, target: str, headers: dict[str, str]) -> None:
    headers = copied_from(bucket, source) | bucket.new.headers(target) | headers
    request = S3Request("CopyObject", "PUT", target, headers, has_xml_response=True)
    bucket.transport.send(request)


def _in_an_upload(
    bucket: Bucket, key: str, write: Callable[[str, str], bool], *, is_copied: bool = False
) -> bool:
    """Runs ``write``, which completes an upload. If it raises, the upload is aborted."""
    with_sums = bucket.sends_checksums and not is_copied
    headers = bucket.new.headers(key) | (ALGORITHM if with_sums else {})
    upload_id = multipart_requests.create(bucket, key, headers)
    try:
        return write(key, upload_id)
    except ERRORS:
        multipart_requests.abort(bucket, key, upload_id)
        raise


def _is_whole(bucket: Bucket, key: str, upload_id: str, part: Part) -> bool:
    """Completes the upload with this one part. Returns whether the object consists of it."""
    multipart_requests.complete(bucket, key, upload_id, [part], ALWAYS)
    return size_of(key, bucket.transport.send(head_request(key)).headers) == len(BODY)
