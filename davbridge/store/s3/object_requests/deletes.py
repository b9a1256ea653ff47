"""DeleteObject and DeleteObjects.

Invariants:
- An absent key counts as deleted, unless one version was to be deleted. Every key that isn't
  deleted is reported, even if the response to the batch is a 200.
- A 412 counts as a refusal only after a HEAD has shown that something is there: stores answer
  If-Match differently if nothing is there (AWS: 404, SeaweedFS: 412).
- A DELETE whose outcome isn't known is sent again only once it can't take effect any more, and a
  HEAD has shown that the same object is still there and was there before the first attempt. An ETag
  names bytes: with If-Match alone, it could delete what somebody has written since.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from botocore.parsers import ResponseParserError

from davbridge.errors import NotFoundError, PreconditionFailedError, StoreError, UnavailableError
from davbridge.paths import MAX_KEY_BYTES
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    Condition,
    DeleteFailure,
    ObjectRow,
    is_same_version,
)
from davbridge.store.limits import require_key
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.messages.checksums import content_md5
from davbridge.store.s3.messages.errors import kind_of, translated
from davbridge.store.s3.messages.headers import headers_of, info_of, quoted, size_of
from davbridge.store.s3.messages.xml import name_of, parsed, texts_of
from davbridge.store.s3.object_requests.conditional_writes import (
    current_headers,
    send_past_conflicts,
    store_second,
)
from davbridge.store.s3.object_requests.multipart_requests import NAMESPACE
from davbridge.store.s3.transport.failures import may_have_acted
from davbridge.store.s3.transport.transport import S3Request
from davbridge.xmltext import escape_text, is_xml_text

BATCH_SIZE = 1000


def delete_one(bucket: Bucket, key: str, version: ObjectRow | None = None) -> None:
    require_key(key)
    since, meant, is_undecided = store_second(bucket), version, False
    for _ in range(bucket.transport.attempts):
        try:
            _delete(bucket, key, meant)
            return
        except StoreError as error:
            if not may_have_acted(error.__cause__):
                if _is_done(bucket, key, error, is_meant=is_undecided or version is None):
                    return
                raise
        meant, is_undecided = _still_there(bucket, key, meant, since), True
        if meant is None:
            return
    raise UnavailableError(f"{key!r}: the store doesn't say that it was deleted")


def _is_done(bucket: Bucket, key: str, refused: StoreError, *, is_meant: bool) -> bool:
    """Whether a refusal means that nothing is there. S3 answers 204 then, some stores answer 404.
    Raises NotFoundError if one version was to be deleted."""
    if not isinstance(refused, NotFoundError | PreconditionFailedError):
        return False
    is_gone = isinstance(refused, NotFoundError) or current_headers(bucket, key) is None
    if is_gone and not is_meant:
        raise NotFoundError(f"{key!r} is gone already") from refused
    return is_gone


def _delete(bucket: Bucket, key: str, version: ObjectRow | None) -> None:
    """Raises StoreError, for one of ERRORS if the store was asked."""
    condition = Condition(if_match=version.etag if version else None)
    if version and not bucket.can.conditional_delete:
        _require_still(bucket, key, version)
        condition = ALWAYS
    request = S3Request("DeleteObject", "DELETE", key, headers_of(condition), is_repeatable=False)
    with translated(key):
        if send_past_conflicts(bucket, request).content.strip():
            raise ResponseParserError("what was said isn't said of a deletion")


def _require_still(bucket: Bucket, key: str, version: ObjectRow) -> None:
    """A HEAD instead of a condition that the store ignores. Raises NotFoundError, and
    PreconditionFailedError."""
    found = _row_at(bucket, key)
    if found is None:
        raise NotFoundError(f"{key!r} is gone already")
    if not is_same_version(found, version):
        raise PreconditionFailedError(f"{key!r} is another version")


def _still_there(
    bucket: Bucket, key: str, version: ObjectRow | None, since: datetime
) -> ObjectRow | None:
    """What is still to be deleted after an attempt whose outcome isn't known, and which can't take
    effect any more; None if nothing is there.

    ``since``: a second that began before the first attempt. An object with the same bytes that was
    written from then on may have replaced the one that was deleted. Then the outcome isn't known.
    Raises PreconditionFailedError where it is another version, and UnavailableError.
    """
    found = _row_at(bucket, key)
    if found is None:
        return None
    is_alike = version is None or (found.etag, found.size) == (version.etag, version.size)
    if is_alike and found.modified >= since:
        raise UnavailableError(f"{key!r}: whether it was deleted isn't known")
    if version and not is_same_version(found, version):
        raise PreconditionFailedError(f"{key!r} is another version by now")
    return version or found


def _row_at(bucket: Bucket, key: str) -> ObjectRow | None:
    """Raises UnavailableError."""
    headers = current_headers(bucket, key)
    return None if headers is None else info_of(key, size_of(key, headers), headers).row


def delete_many(
    bucket: Bucket, keys: Sequence[str], versions: Mapping[str, ObjectRow] = NO_VERSIONS
) -> list[DeleteFailure]:
    failures: list[DeleteFailure] = []
    for batch in _batches(key for key in keys if _fits_a_batch(key)):
        failures += _settled(bucket, _delete_batch(bucket, batch, versions))
    for key in keys:
        if not _fits_a_batch(key):
            failures += _delete_alone(bucket, key, versions.get(key))
    return failures


def _fits_a_batch(key: str) -> bool:
    """Whether the key is valid in a batch: some stores refuse a whole batch because of one key."""
    return 0 < len(key.encode(errors="replace")) <= MAX_KEY_BYTES and is_xml_text(key)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch


def _settled(bucket: Bucket, failures: Iterable[DeleteFailure]) -> Iterator[DeleteFailure]:
    """Those of them that are failures: a key at which nothing is any more isn't one."""
    for failure in failures:
        try:
            is_refused = isinstance(failure.error, PreconditionFailedError)
            if not is_refused or current_headers(bucket, failure.key) is not None:
                yield failure
        except StoreError as unknown:
            yield DeleteFailure(failure.key, unknown)


def _delete_batch(
    bucket: Bucket, batch: list[str], versions: Mapping[str, ObjectRow]
) -> list[DeleteFailure]:
    """After a batch whose outcome isn't known, the keys at which something is are sent again."""
    since, failures = store_second(bucket), list[DeleteFailure]()
    sent = versions if bucket.can.conditional_delete_batch else NO_VERSIONS
    for _ in range(bucket.transport.attempts):
        try:
            return failures + _delete_once(bucket, batch, sent)
        except StoreError as error:
            failed = error
        if not may_have_acted(failed.__cause__):
            break
        batch, judged = _looked_through(bucket, batch, versions, since)
        failures += judged
        if not batch:
            break
    return failures + [DeleteFailure(key, failed) for key in batch]


def _looked_through(
    bucket: Bucket, batch: Sequence[str], versions: Mapping[str, ObjectRow], since: datetime
) -> tuple[list[str], list[DeleteFailure]]:
    """The keys that are still to be deleted, and those that can't be; each costs a HEAD. Once the
    store doesn't answer, all later keys count as failed."""
    left: list[str] = []
    failures: list[DeleteFailure] = []
    for at, key in enumerate(batch):
        try:
            if _still_there(bucket, key, versions.get(key), since):
                left.append(key)
        except StoreError as error:
            failures.append(DeleteFailure(key, error))
            if isinstance(error.__cause__, StoreError):
                failures += [DeleteFailure(other, error) for other in (*left, *batch[at + 1 :])]
                return [], failures
    return left, failures


def _delete_once(
    bucket: Bucket, batch: list[str], versions: Mapping[str, ObjectRow]
) -> list[DeleteFailure]:
    """Raises StoreError, for one of ERRORS if the store was asked."""
    with translated(batch[0]):
        result = parsed(bucket.transport.send(batch_request(bucket, batch, versions)).content)
        if name_of(result) != "DeleteResult":
            raise ResponseParserError(f"the answer isn't one to a deletion: {name_of(result)}")
    errors = [texts_of(child) for child in result if name_of(child) == "Error"]
    failures = [failure for each in errors if (failure := _failure(each))]
    if {failure.key for failure in failures}.difference(batch):
        # It isn't known which of them are meant.
        return [DeleteFailure(key, failures[0].error) for key in batch]
    return failures


def batch_request(
    bucket: Bucket, batch: Iterable[str], versions: Mapping[str, ObjectRow] = NO_VERSIONS
) -> S3Request:
    objects = "".join([_object(key, versions.get(key)) for key in batch])
    body = f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{objects}</Delete>'.encode()
    headers = {"content-md5": content_md5(body), "content-type": "application/xml"}
    headers |= bucket.checksum_headers(body)
    return S3Request(
        "DeleteObjects",
        "POST",
        None,
        headers,
        {"delete": ""},
        body,
        has_xml_response=True,
        is_repeatable=False,
    )


def _object(key: str, version: ObjectRow | None) -> str:
    etag = f"<ETag>{escape_text(quoted(version.etag))}</ETag>" if version else ""
    return f"<Object><Key>{escape_text(key)}</Key>{etag}</Object>"


def _failure(error: Mapping[str, str]) -> DeleteFailure | None:
    key, code = error.get("Key", ""), error.get("Code", "")
    kind = kind_of(code, 0)
    if kind is NotFoundError:
        return None
    message = " ".join(f"{code}: {error.get('Message', '')}".split())
    return DeleteFailure(key, kind(f"{key!r}: {message}"))


def _delete_alone(bucket: Bucket, key: str, version: ObjectRow | None) -> list[DeleteFailure]:
    try:
        delete_one(bucket, key, version)
    except StoreError as error:
        return [DeleteFailure(key, error)]
    return []
