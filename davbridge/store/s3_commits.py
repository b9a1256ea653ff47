"""The two requests that make a new body visible: PutObject and CompleteMultipartUpload.

Owns what it takes to believe their answers. A response that is lost after the store has acted
makes botocore send the request again, and the second answer is about the first one's deed: a 412
for one's own object, a 404 for one's own upload. So every write that this could happen to carries
a transaction id in its metadata, and such an answer is believed only once a HEAD has shown that
the object there is another's.

Invariants: a write that the store did is never reported as refused, wherever the store can still
be asked; a conflict that decided nothing is tried again.
"""

import time
import uuid
from io import SEEK_END, BytesIO
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from davbridge.errors import UnavailableError
from davbridge.store.base import ALWAYS, Attributes, Condition, ObjectRow
from davbridge.store.s3_answers import (
    TRANSACTION,
    Bucket,
    content_headers,
    date_of,
    etag_of,
    headers_of,
    info_of,
    lower_case,
    tagged,
)
from davbridge.store.s3_errors import (
    CONFLICT,
    ERRORS,
    code_of,
    store_error,
    was_retried,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PutObjectOutputTypeDef

CONFLICT_DELAYS = (0.05, 0.2, 0.8)
"""Seconds before a conditional write that met another one is sent again."""


def new_transaction() -> str:
    return uuid.uuid4().hex


def put(
    bucket: Bucket, key: str, body: BytesIO, attributes: Attributes, condition: Condition
) -> ObjectRow:
    """Writes the object in one request."""
    transaction = new_transaction() if condition != ALWAYS else ""
    try:
        answer = _put_past_conflicts(bucket, key, body, attributes, condition, transaction)
    except ERRORS as error:
        own = _own_row(bucket, key, transaction) if _may_be_ours(error) else None
        if own:
            return own
        raise store_error(error, key, condition) from error
    modified = date_of(answer["ResponseMetadata"], bucket.clock)
    return ObjectRow(key, body.seek(0, SEEK_END), modified, etag_of(answer["ETag"]))


def _put_past_conflicts(
    bucket: Bucket,
    key: str,
    body: BytesIO,
    attributes: Attributes,
    condition: Condition,
    transaction: str,
) -> "PutObjectOutputTypeDef":
    delays = iter(CONFLICT_DELAYS)
    while True:
        body.seek(0)
        try:
            return bucket.client.put_object(
                Bucket=bucket.name,
                Key=key,
                Body=body,
                **tagged(content_headers(attributes), transaction),
                **headers_of(condition),
            )
        except ClientError as error:
            delay = next(delays, None) if code_of(error) == CONFLICT else None
            if delay is None:
                raise
            time.sleep(delay)


def complete(
    bucket: Bucket,
    key: str,
    upload_id: str,
    parts: "list[CompletedPartTypeDef]",
    size: int,
    condition: Condition,
    transaction: str,
) -> ObjectRow:
    """Makes a multipart upload the object. A conflict is final here: AWS drops the upload.

    The row is a HEAD's, for AWS dates such an object by the begin of its upload.
    """
    try:
        answer = bucket.client.complete_multipart_upload(
            Bucket=bucket.name,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
            **headers_of(condition),
        )
    except ERRORS as error:
        own = _own_row(bucket, key, transaction) if _may_be_ours(error) else None
        if own:
            return own
        raise store_error(error, key, condition) from error
    modified = date_of(answer["ResponseMetadata"], bucket.clock)
    stored = ObjectRow(key, size, modified, etag_of(answer["ETag"]))
    return _own_row(bucket, key, transaction) or stored


def _own_row(bucket: Bucket, key: str, transaction: str) -> ObjectRow | None:
    """The object at ``key``, if it was written in this transaction."""
    if not transaction:
        return None
    try:
        answer = bucket.client.head_object(Bucket=bucket.name, Key=key)
    except ERRORS:
        return None
    if lower_case(answer["Metadata"]).get(TRANSACTION) != transaction:
        return None
    return info_of(key, answer["ContentLength"], answer).row


def _may_be_ours(error: Exception) -> bool:
    """Whether ``error`` leaves it open if the object that is there now is one's own."""
    if isinstance(error, ClientError) and was_retried(error):
        return True
    return isinstance(store_error(error, ""), UnavailableError)
