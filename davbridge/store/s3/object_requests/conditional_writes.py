"""The two requests that make a new body visible: PutObject and CompleteMultipartUpload.

If the response to a write is lost, the request is sent again, and the second response reflects the
effect of the first request: a 412 because of davbridge's own object, a 404 because its own upload
is complete. So every write to which this could happen has a transaction id in its metadata, and
such a response counts as a refusal only after a HEAD has shown that the object is another one. A
PutObject under an optimistic condition has no id: its caller looks the object up again, and if it
is its own one, writes the same bytes once more.

Invariants: a write that the store did is never reported as refused. If the HEAD fails, the write is
reported as unavailable. After a conflict that decided nothing, the write is retried; it isn't
reported as refused if it may conflict with an earlier attempt of the same request.
"""

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from davbridge.errors import (
    NotFoundError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import DELIMITER
from davbridge.store.base import ALWAYS, Attributes, Condition, ObjectRow, is_same_version
from davbridge.store.buffers.outgoing_body import OutgoingBody
from davbridge.store.s3.bucket.bucket import Bucket, head_request, headers_without_body
from davbridge.store.s3.messages.errors import (
    CONFLICT,
    ERRORS,
    code_of,
    mark_retried,
    store_error,
    translated,
    was_retried,
)
from davbridge.store.s3.messages.headers import (
    TRANSACTION,
    Headers,
    attribute_headers,
    date_of,
    etag_in,
    headers_of,
    info_of,
    metadata_of,
    size_of,
    storage_class_in,
)
from davbridge.store.s3.object_requests import multipart_requests
from davbridge.store.s3.object_requests.multipart_requests import Part
from davbridge.store.s3.transport.transport import S3Request, S3Response
from davbridge.waiting import store_wait

CONFLICT_DELAYS = (0.05, 0.2, 0.8)
"""Seconds before a conditional write that conflicted with another one is sent again."""


def new_transaction() -> str:
    return uuid.uuid4().hex


def put(
    bucket: Bucket,
    key: str,
    body: OutgoingBody,
    attributes: Attributes,
    condition: Condition,
    extra_headers: Mapping[str, str],
) -> ObjectRow:
    """Writes the object in one request. ``extra_headers``: storage class, encryption, ACL."""
    condition = emulated_condition(bucket, key, condition, by_store=bucket.can.conditional_put)
    is_exact = condition != ALWAYS and not condition.is_optimistic
    transaction = new_transaction() if is_exact or not bucket.can.written_etags else ""
    request = _put_request(bucket, key, body, attributes, condition, transaction)
    request = request._replace(headers={**request.headers, **extra_headers})
    is_marker = key.endswith(DELIMITER) and not body
    since = store_second(bucket) if is_marker else None
    try:
        headers = headers_without_body(send_past_conflicts(bucket, request))
        row = ObjectRow(key, len(body), date_of(headers, bucket.clock), etag_in(headers))
        row = row._replace(storage_class=storage_class_in(extra_headers))
        return as_shown(bucket, row, transaction)
    except ERRORS as error:
        if may_have_been_done(error):
            own = row_of_transaction(bucket, key, transaction)
            if own is None and since:
                own = _marker_made(bucket, key, since)
            if own:
                return own
        raise refusal(error, key, condition) from error


def _marker_made(bucket: Bucket, key: str, since: datetime) -> ObjectRow | None:
    """The directory marker, if it was written ``since``: it counts as this write's own, because all
    markers are alike. SeaweedFS stores no metadata with one. Raises UnavailableError."""
    headers = current_headers(bucket, key)
    if headers is None:
        return None
    row = info_of(key, size_of(key, headers), headers).row
    return row if not row.size and row.modified >= since else None


def _put_request(
    bucket: Bucket,
    key: str,
    body: OutgoingBody,
    attributes: Attributes,
    condition: Condition,
    transaction: str,
) -> S3Request:
    headers = {**attribute_headers(attributes, transaction), **headers_of(condition)}
    headers |= bucket.checksum_headers(body)
    return S3Request("PutObject", "PUT", key, headers, body=body)


def send_past_conflicts(bucket: Bucket, request: S3Request) -> S3Response:
    """The error that this raises counts as retried if any of the attempts was."""
    delays = iter(CONFLICT_DELAYS)
    has_retried = False
    while True:
        try:
            return bucket.transport.send(request)
        except ClientError as error:
            has_retried = has_retried or was_retried(error)
            delay = next(delays, None) if code_of(error) == CONFLICT else None
            if delay is None:
                if has_retried:
                    mark_retried(error)
                raise
            with store_wait():
                time.sleep(delay)


def complete(
    bucket: Bucket,
    key: str,
    upload_id: str,
    parts: Sequence[Part],
    size: int,
    condition: Condition,
    transaction: str,
) -> ObjectRow:
    """Makes a multipart upload the object. A conflict is final here: AWS drops the upload. The row
    comes from a HEAD, because AWS gives such an object the time at which its upload began.
    """
    condition = emulated_condition(bucket, key, condition, by_store=bucket.can.conditional_complete)
    try:
        etag, headers = multipart_requests.complete(bucket, key, upload_id, parts, condition)
    except ERRORS as error:
        own = row_of_transaction(bucket, key, transaction) if may_have_been_done(error) else None
        if own:
            return own
        raise refusal(error, key, condition) from error
    stored = ObjectRow(key, size, date_of(headers, bucket.clock), etag)
    try:
        row = row_of_transaction(bucket, key, transaction) or stored
    except UnavailableError:
        return stored
    if row.size != size:
        raise UnavailableError(f"{key!r}: the store made {row.size} bytes of {size}")
    return row


def emulated_condition(
    bucket: Bucket, key: str, condition: Condition, *, by_store: bool
) -> Condition:
    """The condition to send to the store. If the store ignores conditions, a HEAD right before the
    write checks it, and none is sent; another write may come between the two. An optimistic
    condition isn't checked: its caller has just looked. Raises PreconditionFailedError."""
    if by_store or condition == ALWAYS:
        return condition
    if condition.is_optimistic:
        return ALWAYS
    try:
        with translated(key):
            etag = etag_in(bucket.transport.send(head_request(key)).headers)
    except NotFoundError:
        etag = None
    if condition.if_absent and etag is not None:
        raise PreconditionFailedError(f"{key!r} is there already")
    if condition.if_match not in (None, etag):
        raise PreconditionFailedError(f"{key!r} is another version")
    return ALWAYS


def row_of_transaction(bucket: Bucket, key: str, transaction: str) -> ObjectRow | None:
    """The object at ``key``, if it was written in this transaction. Raises UnavailableError."""
    headers = current_headers(bucket, key) if transaction else None
    if headers is None or metadata_of(headers).get(TRANSACTION) != transaction:
        return None
    return info_of(key, size_of(key, headers), headers).row


def as_shown(bucket: Bucket, written: ObjectRow, transaction: str = "") -> ObjectRow:
    """What was just written, under the ETag of a HEAD if the store gives another one in its answer
    to the write. Without a transaction, the object is recognised by its size and time."""
    if bucket.can.written_etags:
        return written
    try:
        headers = current_headers(bucket, written.key)
        if headers is None:
            return written
        row = info_of(written.key, size_of(written.key, headers), headers).row
    except UnavailableError:
        return written
    if transaction:
        is_own = metadata_of(headers).get(TRANSACTION) == transaction
    else:
        is_own = is_same_version(row, written._replace(etag=row.etag))
    return row if is_own else written


def store_second(bucket: Bucket) -> datetime:
    """The present second by the store's clock, or an earlier one. What is written from now on isn't
    older."""
    return datetime.fromtimestamp(math.floor(bucket.transport.clock.read().store), UTC)


def current_headers(bucket: Bucket, key: str) -> Headers | None:
    """The headers of the object at ``key``; None if there is none. Raises UnavailableError: then
    the outcome of the write isn't known, and neither a refusal nor a success may be reported."""
    try:
        with translated(key):
            return bucket.transport.send(head_request(key)).headers
    except NotFoundError:
        return None
    except StoreError as error:
        unknown = f"{key!r}: whether it was written isn't known ({error})"
        raise UnavailableError(unknown) from error


def refusal(error: Exception, key: str, condition: Condition = ALWAYS) -> StoreError:
    """The error for a write that failed, or whose outcome isn't known."""
    if isinstance(error, ClientError) and code_of(error) == CONFLICT and was_retried(error):
        return UnavailableError(f"{key!r}: whether it is being written isn't known")
    return store_error(error, key, condition)


def may_have_been_done(error: BaseException | None) -> bool:
    """Whether the write may have been done in spite of ``error``."""
    if isinstance(error, ClientError) and was_retried(error):
        return True
    return isinstance(error, Exception) and isinstance(store_error(error, ""), UnavailableError)
