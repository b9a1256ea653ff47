"""Deletions: one key, or a thousand a request.

Owns DeleteObject and DeleteObjects. Must not know what is deleted or why.

Invariants: an absent key counts as deleted; every key that isn't deleted is told, also where the
batch's answer is a 200.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from xml.sax.saxutils import escape

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
            result = parsed(bucket.wire.send(_batch_request(bucket, batch)).content)
            if name_of(result) != "DeleteResult":
                raise ResponseParserError(f"the answer tells of no deletion: {name_of(result)}")
    except StoreError as error:
        return [DeleteFailure(key, error) for key in batch]
    errors = [texts_of(child) for child in result if name_of(child) == "Error"]
    return [
        failure
        for told in errors
        if (failure := _failure(told.get("Key", ""), told.get("Code", ""), told.get("Message")))
    ]


def _batch_request(bucket: Bucket, batch: list[str]) -> Request:
    objects = "".join([f"<Object><Key>{_escaped(key)}</Key></Object>" for key in batch])
    body = f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{objects}</Delete>'.encode()
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    headers = {"content-md5": base64.b64encode(digest).decode(), "content-type": "application/xml"}
    if bucket.wire.sends_checksums:
        headers |= checksum_headers(body)
    query = {"delete": ""}
    return Request("DeleteObjects", "POST", None, headers, query, body, is_told_in_xml=True)


def _escaped(key: str) -> str:
    """In XML, where a bare CR would be read as LF (XML 1.0 §2.11)."""
    return escape(key, {"\r": "&#13;", "\n": "&#10;"})


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
