"""Deletions: one key, or a thousand a request.

Owns DeleteObject and DeleteObjects. Must not know what is deleted or why.

Invariants: an absent key counts as deleted; every key that isn't deleted is told, also where the
batch's answer is a 200.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from botocore.parsers import ResponseParserError

from davbridge.errors import NotFoundError, StoreError
from davbridge.paths import MAX_KEY_BYTES
from davbridge.store.base import DeleteFailure
from davbridge.store.limits import require_key
from davbridge.store.s3.answers import Bucket
from davbridge.store.s3.checksums import checksum_headers
from davbridge.store.s3.errors import kind_of, translated
from davbridge.store.s3.uploads import NAMESPACE
from davbridge.store.s3.wire import Request
from davbridge.store.s3.xml import name_of, parsed, texts_of
from davbridge.xmltext import can_hold, escaped

BATCH_SIZE = 1000


def delete_one(bucket: Bucket, key: str) -> None:
    require_key(key)
    try:
        with translated(key):
            if bucket.wire.send(Request("DeleteObject", "DELETE", key)).content.strip():
                raise ResponseParserError("what was said isn't said of a deletion")
    except NotFoundError:
        return  # S3 says 204, some stores say 404


def delete_many(bucket: Bucket, keys: Sequence[str]) -> list[DeleteFailure]:
    failures: list[DeleteFailure] = []
    for batch in _batches(key for key in keys if _fits_a_batch(key)):
        failures += _delete_batch(bucket, batch)
    for key in keys:
        if not _fits_a_batch(key):
            failures += _delete_alone(bucket, key)
    return failures


def _fits_a_batch(key: str) -> bool:
    """Whether no store refuses the whole batch for this one key."""
    return 0 < len(key.encode(errors="replace")) <= MAX_KEY_BYTES and can_hold(key)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch


def _delete_batch(bucket: Bucket, batch: list[str]) -> list[DeleteFailure]:
    try:
        with translated(batch[0]):
            result = parsed(bucket.wire.send(_batch_request(bucket, batch)).content)
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


def _batch_request(bucket: Bucket, batch: list[str]) -> Request:
    objects = "".join([f"<Object><Key>{escaped(key)}</Key></Object>" for key in batch])
    body = f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{objects}</Delete>'.encode()
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    headers = {"content-md5": base64.b64encode(digest).decode(), "content-type": "application/xml"}
    if bucket.sends_checksums:
        headers |= checksum_headers(body)
    query = {"delete": ""}
    return Request("DeleteObjects", "POST", None, headers, query, body, is_told_in_xml=True)


def _failure(told: Mapping[str, str]) -> DeleteFailure | None:
    key, code = told.get("Key", ""), told.get("Code", "")
    kind = kind_of(code, 0)
    if kind is NotFoundError:
        return None
    message = " ".join(f"{code}: {told.get('Message', '')}".split())
    return DeleteFailure(key, kind(f"{key!r}: {message}"))


def _delete_alone(bucket: Bucket, key: str) -> list[DeleteFailure]:
    try:
        delete_one(bucket, key)
    except StoreError as error:
        return [DeleteFailure(key, error)]
    return []
