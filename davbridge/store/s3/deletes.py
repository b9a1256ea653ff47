"""Deletions: one key, or a thousand a request.

Owns DeleteObject and DeleteObjects. Must not know what is deleted or why.

Invariants: an absent key counts as deleted, but where one version was meant; every key that isn't
deleted is told, also where the batch's answer is a 200; a refused condition is believed only once a
HEAD has shown that something is there. For stores differ in what If-Match means where nothing is
(AWS: 404, SeaweedFS: 412), and a DELETE whose answer is lost is sent again.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from botocore.parsers import ResponseParserError

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError, UnavailableError
from davbridge.paths import MAX_KEY_BYTES
from davbridge.store.base import NO_VERSIONS, Condition, DeleteFailure, ObjectRow
from davbridge.store.limits import require_key
from davbridge.store.s3.answers import Bucket, headers_of, quoted
from davbridge.store.s3.checksums import checksum_headers
from davbridge.store.s3.commits import may_be_ours, send_past_conflicts, settling_head, upheld
from davbridge.store.s3.errors import kind_of, translated
from davbridge.store.s3.uploads import NAMESPACE
from davbridge.store.s3.wire import Request
from davbridge.store.s3.xml import name_of, parsed, texts_of
from davbridge.xmltext import can_hold, escaped

BATCH_SIZE = 1000


def delete_one(bucket: Bucket, key: str, version: ObjectRow | None = None) -> None:
    require_key(key)
    condition = Condition(if_match=version.etag if version else None)
    try:
        condition = upheld(bucket, key, condition, by_store=bucket.can.conditional_delete)
        with translated(key):
            request = Request("DeleteObject", "DELETE", key, headers_of(condition))
            if send_past_conflicts(bucket, request).content.strip():
                raise ResponseParserError("what was said isn't said of a deletion")
    except (NotFoundError, PreconditionFailedError) as refused:
        is_gone = isinstance(refused, NotFoundError) or settling_head(bucket, key) is None
        may_be_done = may_be_ours(refused.__cause__)
        if is_gone and (may_be_done or version is None):
            return  # S3 says 204 of what isn't there, some stores say 404
        if may_be_done:
            # What is there may have come after it was deleted.
            unknown = f"{key!r}: whether it was deleted can't be told"
            raise UnavailableError(unknown) from refused
        if is_gone:
            raise NotFoundError(f"{key!r} is gone already") from refused
        raise


def delete_many(
    bucket: Bucket, keys: Sequence[str], versions: Mapping[str, ObjectRow] = NO_VERSIONS
) -> list[DeleteFailure]:
    failures: list[DeleteFailure] = []
    sent = versions if bucket.can.conditional_delete_batch else NO_VERSIONS
    for batch in _batches(key for key in keys if _fits_a_batch(key)):
        failures += _settled(bucket, _delete_batch(bucket, batch, sent))
    for key in keys:
        if not _fits_a_batch(key):
            failures += _delete_alone(bucket, key, versions.get(key))
    return failures


def _fits_a_batch(key: str) -> bool:
    """Whether no store refuses the whole batch for this one key."""
    return 0 < len(key.encode(errors="replace")) <= MAX_KEY_BYTES and can_hold(key)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch


def _settled(bucket: Bucket, failures: Iterable[DeleteFailure]) -> Iterator[DeleteFailure]:
    """Those of them that are failures: nothing has failed where nothing is there any more."""
    for failure in failures:
        try:
            is_refused = isinstance(failure.error, PreconditionFailedError)
            if not is_refused or settling_head(bucket, failure.key) is not None:
                yield failure
        except StoreError as unknown:
            yield DeleteFailure(failure.key, unknown)


def _delete_batch(
    bucket: Bucket, batch: list[str], versions: Mapping[str, ObjectRow]
) -> list[DeleteFailure]:
    try:
        with translated(batch[0]):
            result = parsed(bucket.wire.send(batch_request(bucket, batch, versions)).content)
            if name_of(result) != "DeleteResult":
                raise ResponseParserError(f"the answer tells of no deletion: {name_of(result)}")
    except StoreError as error:
        return [DeleteFailure(key, error) for key in batch]
    errors = [texts_of(child) for child in result if name_of(child) == "Error"]
    failures = [failure for told in errors if (failure := _failure(told))]
    if {failure.key for failure in failures}.difference(batch):
        # It isn't known which of them are meant.
        return [DeleteFailure(key, failures[0].error) for key in batch]
    return failures


def batch_request(
    bucket: Bucket, batch: Iterable[str], versions: Mapping[str, ObjectRow] = NO_VERSIONS
) -> Request:
    objects = "".join([_object(key, versions.get(key)) for key in batch])
    body = f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{objects}</Delete>'.encode()
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    headers = {"content-md5": base64.b64encode(digest).decode(), "content-type": "application/xml"}
    if bucket.sends_checksums:
        headers |= checksum_headers(body)
    query = {"delete": ""}
    return Request("DeleteObjects", "POST", None, headers, query, body, is_told_in_xml=True)


def _object(key: str, version: ObjectRow | None) -> str:
    etag = f"<ETag>{escaped(quoted(version.etag))}</ETag>" if version else ""
    return f"<Object><Key>{escaped(key)}</Key>{etag}</Object>"


def _failure(told: Mapping[str, str]) -> DeleteFailure | None:
    key, code = told.get("Key", ""), told.get("Code", "")
    kind = kind_of(code, 0)
    if kind is NotFoundError:
        return None
    message = " ".join(f"{code}: {told.get('Message', '')}".split())
    return DeleteFailure(key, kind(f"{key!r}: {message}"))


def _delete_alone(bucket: Bucket, key: str, version: ObjectRow | None) -> list[DeleteFailure]:
    try:
        delete_one(bucket, key, version)
    except StoreError as error:
        return [DeleteFailure(key, error)]
    return []
