"""Deletions: one key, or a thousand a request.

Owns DeleteObject and DeleteObjects. Must not know what is deleted or why.

Invariants: an absent key counts as deleted; every key that isn't deleted is told, also where the
batch's answer is a 200.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from davbridge.errors import NotFoundError, StoreError
from davbridge.paths import MAX_KEY_BYTES
from davbridge.store.base import DeleteFailure
from davbridge.store.limits import require_key
from davbridge.store.s3_answers import Bucket
from davbridge.store.s3_errors import kind_of, translated
from davbridge.store.s3_wire import Request

BATCH_SIZE = 1000

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 can't hold. One such key makes a whole DeleteObjects malformed."""


def delete_one(bucket: Bucket, key: str) -> None:
    require_key(key)
    try:
        with translated(key):
            bucket.wire.send(Request("DeleteObject", "DELETE", key))
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
    return 0 < len(key.encode(errors="replace")) <= MAX_KEY_BYTES and not _NOT_IN_XML.search(key)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch


def _delete_batch(bucket: Bucket, batch: list[str]) -> list[DeleteFailure]:
    try:
        with translated(batch[0]):
            answer = bucket.client.delete_objects(
                Bucket=bucket.name,
                Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
            )
    except StoreError as error:
        return [DeleteFailure(key, error) for key in batch]
    return [
        failure
        for entry in answer.get("Errors", ())
        if (failure := _failure(entry.get("Key", ""), entry.get("Code", ""), entry.get("Message")))
    ]


def _failure(key: str, code: str, message: str | None) -> DeleteFailure | None:
    kind = kind_of(code, 0)
    if kind is NotFoundError:
        return None
    return DeleteFailure(key, kind(f"{key!r}: {code}: {message}"))


def _delete_alone(bucket: Bucket, key: str) -> list[DeleteFailure]:
    try:
        delete_one(bucket, key)
    except StoreError as error:
        return [DeleteFailure(key, error)]
    return []
