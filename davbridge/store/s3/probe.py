"""What this store can do, found out at the start on objects of davbridge's own.

Owns the questions. Nobody's file is touched: all of them are about canaries, whose names are
reserved, and random, so that two bridges that start at once don't meet. They are 27 requests, which
side by side take as long as seven.

Invariants: nothing stays behind but after a crash, and the sweep knows canaries by their names;
what can't be found out is as in UNPROBED.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from threading import Thread
from typing import NamedTuple, TypeVar

from botocore.exceptions import ClientError

from davbridge.errors import StoreError, UnavailableError
from davbridge.paths import RESERVED_PREFIX
from davbridge.store.base import ALWAYS, IF_ABSENT, Condition, ObjectRow
from davbridge.store.s3 import uploads
from davbridge.store.s3.answers import (
    Bucket,
    copied_from,
    date_of,
    head_request,
    headers_of,
    size_of,
    told_etag,
)
from davbridge.store.s3.capabilities import ALL, UNPROBED, Capabilities
from davbridge.store.s3.checksums import ALGORITHM, ASK, CRC32, checksum_headers
from davbridge.store.s3.deletes import batch_request, delete_many
from davbridge.store.s3.errors import ERRORS, status_of, translated
from davbridge.store.s3.health import is_trouble
from davbridge.store.s3.uploads import MARK, MARK_NUMBER, Part
from davbridge.store.s3.wire import Request
from davbridge.store.s3.xml import name_of, parsed, texts_of

CANARY = f"{RESERVED_PREFIX}.canary."

BODY = b"davbridge looks what this store can do, and will remove this"

PATIENCE = 10.0
"""Seconds for the canaries to be written, and then for all questions."""

WRONG_ETAG = "0" * 32

WRONG = Condition(if_match=WRONG_ETAG)

_UNABLE = frozenset({400, 404, 405, 411, 412, 501})
"""How stores answer what they don't know; all else is trouble, and tells nothing."""

T = TypeVar("T")


class Probed(NamedTuple):
    """What was found out."""

    can: Capabilities
    unknown: tuple[str, ...]
    """Of which nobody could tell, by their names."""


_log = logging.getLogger(__name__)


WRITTEN = 5


class _Canaries(NamedTuple):
    """Keys, each with what is tried on it. The first WRITTEN of them are there beforehand."""

    present: str
    copied: str
    completed: str
    deleted: str
    deleted_in_batch: str
    copied_in_parts: str
    marked: str


def probe(bucket: Bucket, prefix: str, patience: float) -> Probed:
    """Raises StoreError where nothing can be tried: these credentials may not write, say."""
    stem = f"{prefix}{CANARY}{uuid.uuid4().hex}"
    canaries = _Canaries(*(f"{stem}.{name}" for name in _Canaries._fields))
    bucket = bucket._replace(can=ALL)
    try:
        writes = {key: partial(_written, bucket, key) for key in canaries[:WRITTEN]}
        bucket, present = _present(_side_by_side(writes, patience), canaries)
        questions = {
            name: partial(_answered, partial(question, bucket, canaries, present))
            for name, question in _QUESTIONS.items()
        }
        answers = _side_by_side(questions, patience)
    finally:
        for failure in delete_many(bucket, canaries):
            _log.info("left to the sweep: %s", failure.error)
    known = {name: is_there for name, is_there in answers.items() if is_there is not None}
    return Probed(UNPROBED._replace(**known), tuple(_QUESTIONS.keys() - known.keys()))


def _side_by_side(calls: Mapping[str, Callable[[], T]], patience: float) -> dict[str, T]:
    """What they gave, by name, as far as it came in time. A store that is silent holds up neither
    the start nor the end: nobody waits for the rest."""
    came: dict[str, T] = {}
    threads = [
        Thread(target=lambda name=name, call=call: came.update({name: call()}), daemon=True)
        for name, call in calls.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(came)


def _present(
    written: Mapping[str, tuple[Bucket, ObjectRow] | StoreError], canaries: _Canaries
) -> tuple[Bucket, ObjectRow]:
    """What is known of the first canary, once all are there. Raises StoreError."""
    there = []
    for key in canaries[:WRITTEN]:
        one = written.get(key, UnavailableError("the store takes too long"))
        if isinstance(one, StoreError):
            raise one
        there.append(one)
    return there[0]


def _written(bucket: Bucket, key: str) -> tuple[Bucket, ObjectRow] | StoreError:
    """A canary; and the bucket as it is to be written to, with checksums or without."""
    try:
        with translated(key):
            return _put_somehow(bucket, key)
    except StoreError as error:
        return error


def _put_somehow(bucket: Bucket, key: str) -> tuple[Bucket, ObjectRow]:
    try:
        return bucket, _put(bucket, key)
    except ClientError as error:
        if not (bucket.sends_checksums and _is_unable(error)):
            raise
        plain = bucket._replace(can=bucket.can._replace(checksums=False))
        return plain, _put(plain, key)


def _answered(question: Callable[[], bool]) -> bool | None:
    """None where nobody can tell."""
    try:
        return question()
    except ClientError as error:
        return False if _is_unable(error) else None
    except (*ERRORS, StoreError):
        return None


def _is_unable(error: ClientError) -> bool:
    """Whether the store doesn't know what it was asked for. With the same statuses it tells of
    expired credentials, or of a request that took too long."""
    return status_of(error) in _UNABLE and not is_trouble(error)


def _holds(write: Callable[[Condition], object]) -> bool:
    """Whether the store refuses a write to a canary that is there under each wrong condition."""
    return all(_refuses(partial(write, condition)) for condition in (IF_ABSENT, WRONG))


def _refuses(write: Callable[[], object]) -> bool:
    try:
        write()
    except ClientError as error:
        if status_of(error) == 412:
            return True
        raise
    return False


def _conditional_put(bucket: Bucket, _: _Canaries, present: ObjectRow) -> bool:
    return _holds(partial(_put, bucket, present.key))


def _conditional_copy(bucket: Bucket, canaries: _Canaries, present: ObjectRow) -> bool:
    def copy(condition: Condition) -> None:
        _copy(bucket, present, canaries.copied, headers_of(condition))

    return _holds(copy)


def _pinned_copy(bucket: Bucket, canaries: _Canaries, present: ObjectRow) -> bool:
    pin = {"x-amz-copy-source-if-match": headers_of(WRONG)["if-match"]}
    return _refuses(partial(_copy, bucket, present, canaries.copied_in_parts, pin))


def _conditional_delete(bucket: Bucket, canaries: _Canaries, _: ObjectRow) -> bool:
    request = Request("DeleteObject", "DELETE", canaries.deleted, headers_of(WRONG))
    return _refuses(partial(bucket.wire.send, request))


def _conditional_delete_batch(bucket: Bucket, canaries: _Canaries, present: ObjectRow) -> bool:
    key = canaries.deleted_in_batch
    wrong = present._replace(key=key, etag=WRONG_ETAG)
    result = parsed(bucket.wire.send(batch_request(bucket, [key], {key: wrong})).content)
    codes = [texts_of(child).get("Code") for child in result if name_of(child) == "Error"]
    return codes == ["PreconditionFailed"]


def _conditional_complete(bucket: Bucket, canaries: _Canaries, _: ObjectRow) -> bool:
    def write(key: str, upload_id: str) -> bool:
        parts = [uploads.send_part(bucket, key, upload_id, 1, BODY)]
        held = _holds(lambda condition: uploads.complete(bucket, key, upload_id, parts, condition))
        uploads.abort(bucket, key, upload_id)
        return held

    return _in_an_upload(bucket, canaries.completed, write)


def _checksums(bucket: Bucket, _: _Canaries, present: ObjectRow) -> bool:
    if not bucket.sends_checksums:
        return bucket.can.checksums
    headers = bucket.wire.send(head_request(present.key)._replace(headers=ASK)).headers
    return headers.get(CRC32) == checksum_headers(BODY)[CRC32]


def _part_copy(bucket: Bucket, canaries: _Canaries, present: ObjectRow) -> bool:
    def write(key: str, upload_id: str) -> bool:
        part = uploads.copy_part(bucket, present, key, upload_id, 1)
        return _is_whole(bucket, key, upload_id, part)

    return _in_an_upload(bucket, canaries.copied_in_parts, write, is_copied=True)


def _marks(bucket: Bucket, canaries: _Canaries, _: ObjectRow) -> bool:
    def write(key: str, upload_id: str) -> bool:
        uploads.send_part(bucket, key, upload_id, MARK_NUMBER, MARK)
        part = uploads.send_part(bucket, key, upload_id, 1, BODY)
        return _is_whole(bucket, key, upload_id, part)

    return _in_an_upload(bucket, canaries.marked, write)


_Question = Callable[[Bucket, _Canaries, ObjectRow], bool]

_QUESTIONS: dict[str, _Question] = {
    "conditional_put": _conditional_put,
    "conditional_complete": _conditional_complete,
    "conditional_copy": _conditional_copy,
    "pinned_copy": _pinned_copy,
    "conditional_delete": _conditional_delete,
    "conditional_delete_batch": _conditional_delete_batch,
    "checksums": _checksums,
    "part_copy": _part_copy,
    "marks": _marks,
}


def _put(bucket: Bucket, key: str, condition: Condition = ALWAYS) -> ObjectRow:
    headers = checksum_headers(BODY) if bucket.sends_checksums else {}
    request = Request("PutObject", "PUT", key, {**headers, **headers_of(condition)}, body=BODY)
    answer = bucket.wire.send(request)
    return ObjectRow(
        key, len(BODY), date_of(answer.headers, bucket.clock), told_etag(answer.headers)
    )


def _copy(bucket: Bucket, source: ObjectRow, target: str, headers: dict[str, str]) -> None:
    headers = copied_from(bucket, source) | headers
    request = Request("CopyObject", "PUT", target, headers, is_told_in_xml=True)
    bucket.wire.send(request)


def _in_an_upload(
    bucket: Bucket, key: str, write: Callable[[str, str], bool], *, is_copied: bool = False
) -> bool:
    """``write`` ends the upload, unless it raises."""
    with_sums = bucket.sends_checksums and not is_copied
    upload_id = uploads.create(bucket, key, ALGORITHM if with_sums else {})
    try:
        return write(key, upload_id)
    except ERRORS:
        uploads.abort(bucket, key, upload_id)
        raise


def _is_whole(bucket: Bucket, key: str, upload_id: str, part: Part) -> bool:
    """Whether what comes of the upload is this one part."""
    uploads.complete(bucket, key, upload_id, [part], ALWAYS)
    return size_of(key, bucket.wire.send(head_request(key)).headers) == len(BODY)
