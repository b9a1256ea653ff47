"""The headers that make a copy keep what its source has in addition to its bytes.

CopyObject itself carries over the content headers, the metadata, the tags and, on AWS, the
annotations; a multipart copy carries over nothing. The storage class is in the row. Only a HEAD
says how an object is encrypted, whether it redirects, and whether it is locked.

Invariants: all of it is asked for before the request that makes the copy. What the credentials may
not read raises MissingRightError; nothing is left out but what the settings allow to.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from davbridge.config import CopiedAttribute
from davbridge.errors import AccessDeniedError, MissingRightError, NotFoundError, StoreError
from davbridge.paths import DELIMITER
from davbridge.store.base import ObjectRow
from davbridge.store.s3.bucket.bucket import Bucket, head_request, sub_resource
from davbridge.store.s3.bucket.new_objects import (
    BUCKET_KEY,
    ENCRYPTION,
    KMS_KEY,
    STORAGE_CLASS,
)
from davbridge.store.s3.messages.access_control import grant_headers
from davbridge.store.s3.messages.checksums import content_md5
from davbridge.store.s3.messages.errors import is_code, status_of, translated
from davbridge.store.s3.messages.headers import Headers, attribute_headers, attributes_of
from davbridge.store.s3.messages.tags import tag_headers
from davbridge.store.s3.messages.xml import parse_time
from davbridge.store.s3.transport.transport import S3Request

CONTENT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)

_REDIRECT = "x-amz-website-redirect-location"

_LOCK_MODE = "x-amz-object-lock-mode"
_LOCKED_UNTIL = "x-amz-object-lock-retain-until-date"
_LEGAL_HOLD = "x-amz-object-lock-legal-hold"

_IN_HEAD: frozenset[CopiedAttribute] = frozenset({"encryption", "redirect", "object_lock"})

READ_LOCKS = ("s3:GetObjectRetention", "s3:GetObjectLegalHold")
READ_ACL = "s3:GetObjectAcl"
READ_TAGS = "s3:GetObjectTagging"


def headers_of_copy(bucket: Bucket, source: ObjectRow, target: str) -> dict[str, str]:
    """For a CopyObject that leaves the metadata as it is. Raises StoreError, and
    PreconditionFailedError where the store can't see to it that this version is copied, and it is
    another one by now."""
    headers = _storage_class(bucket, source)
    if not bucket.copies("tags"):
        headers["x-amz-tagging-directive"] = "REPLACE"
    if is_plain(bucket, source):
        if not bucket.can.pinned_copy:
            pinned_head(bucket, source)
        return headers | bucket.new.headers(target)
    headers |= _of_head(bucket, pinned_head(bucket, source))
    if _LOCK_MODE in headers or _LEGAL_HOLD in headers:
        headers["content-md5"] = content_md5(b"")  # S3 requires one of each PUT with a lock.
    return headers | _acl(bucket, source, target)


def headers_of_replacement(bucket: Bucket, source: ObjectRow, target: str) -> dict[str, str]:
    """For a copy that gets other metadata: it is a new object, of the source's bytes and class."""
    if not bucket.can.pinned_copy:
        pinned_head(bucket, source)
    return _storage_class(bucket, source) | bucket.new.headers(target)


def headers_of_upload(bucket: Bucket, source: ObjectRow, target: str) -> dict[str, str]:
    """For a multipart upload that makes the same object. Raises StoreError."""
    head = pinned_head(bucket, source)
    return {
        **attribute_headers(attributes_of(head)),
        **headers_without_metadata(bucket, source, target, head),
    }


def headers_without_metadata(
    bucket: Bucket, source: ObjectRow, target: str, head: Headers
) -> dict[str, str]:
    """The same without content type and metadata. ``head``: the source's."""
    headers = {name: head[name] for name in CONTENT_HEADERS if name in head}
    headers |= _storage_class(bucket, source) | _of_head(bucket, head)
    return headers | _tags(bucket, source) | _acl(bucket, source, target)


def is_plain(bucket: Bucket, source: ObjectRow) -> bool:
    """Whether no look is needed: it is an empty folder marker, or this bridge has just written it,
    or nothing that a look shows has to be copied."""
    if not source.size and source.key.endswith(DELIMITER):
        return True
    if not (any(map(bucket.copies, _IN_HEAD)) or _copies_acls(bucket)):
        return True
    is_own = bucket.plain is not None and source in bucket.plain
    return is_own and not bucket.features.has_locks


def pinned_head(bucket: Bucket, source: ObjectRow) -> Headers:
    """The headers of this version. The refusal of a HEAD has no error code, so that a GET of a byte
    asks once more for the reason, which may be one that passes."""
    head = head_request(source.key, source.etag)
    with translated(source.key):
        try:
            return bucket.transport.send(head).headers
        except ClientError as error:
            if status_of(error) == 412:
                raise
        span = {"range": "bytes=0-0"} if source.size else {}
        get = S3Request("GetObject", "GET", source.key, {**head.headers, **span})
        return bucket.transport.send(get).headers


def naming_rights(error: StoreError, headers: Mapping[str, str]) -> StoreError:
    """The refusal of a copy with these headers. If the store doesn't say which right is missing, it
    is one of those that the copy needs."""
    if type(error) is not AccessDeniedError:
        return error
    return MissingRightError(
        f"the store's credentials may not make this copy, which needs {_rights_for(headers)}"
    )


def _rights_for(headers: Mapping[str, str]) -> str:
    rights = ["s3:GetObject", "s3:PutObject"]
    if "x-amz-tagging-directive" not in headers:
        rights.append("where there are tags s3:GetObjectTagging and s3:PutObjectTagging")
    if any(name.startswith(("x-amz-grant-", "x-amz-acl")) for name in headers):
        rights.append("s3:PutObjectAcl")
    if _LOCK_MODE in headers:
        rights.append("s3:PutObjectRetention")
    if _LEGAL_HOLD in headers:
        rights.append("s3:PutObjectLegalHold")
    if headers.get(ENCRYPTION, "").startswith("aws:kms"):
        rights += ["kms:Decrypt", "kms:GenerateDataKey"]
    return ", ".join(rights)


def _storage_class(bucket: Bucket, source: ObjectRow) -> dict[str, str]:
    """A copy is STANDARD unless this says otherwise."""
    if not bucket.copies("storage_class"):
        return {STORAGE_CLASS: bucket.new.storage_class} if bucket.new.storage_class else {}
    return {STORAGE_CLASS: source.storage_class} if source.storage_class else {}


def _of_head(bucket: Bucket, head: Headers) -> dict[str, str]:
    headers = _encryption(bucket, head)
    if _REDIRECT in head and bucket.copies("redirect"):
        headers[_REDIRECT] = head[_REDIRECT]
    return headers | _lock(bucket, head)


def _encryption(bucket: Bucket, head: Headers) -> dict[str, str]:
    """What isn't encrypted is left to the bucket's default."""
    if not bucket.copies("encryption"):
        return dict(bucket.new.encryption)
    algorithm = head.get(ENCRYPTION, "")
    if algorithm not in ("AES256", "aws:kms", "aws:kms:dsse"):
        return {}
    headers = {ENCRYPTION: algorithm}
    if algorithm != "AES256" and KMS_KEY in head:
        headers[KMS_KEY] = head[KMS_KEY]
    if algorithm == "aws:kms":
        headers[BUCKET_KEY] = head.get(BUCKET_KEY, "false").lower()
    return headers


def _lock(bucket: Bucket, head: Headers) -> dict[str, str]:
    if not bucket.copies("object_lock"):
        return {}
    _require_rights(bucket, *READ_LOCKS, attribute="object_lock")
    headers = {}
    until = head.get(_LOCKED_UNTIL, "")
    if head.get(_LOCK_MODE) and until and _is_ahead(bucket, until):
        headers = {_LOCK_MODE: head[_LOCK_MODE], _LOCKED_UNTIL: until}
    if head.get(_LEGAL_HOLD) == "ON":
        headers[_LEGAL_HOLD] = "ON"
    return headers


def _is_ahead(bucket: Bucket, until: str) -> bool:
    try:
        return parse_time(until) > datetime.fromtimestamp(bucket.transport.clock.read().store, UTC)
    except ResponseParserError:
        return True  # The store will say what is wrong with it.


def _copies_acls(bucket: Bucket) -> bool:
    return bucket.features.has_acls and bucket.copies("acl")


def _acl(bucket: Bucket, source: ObjectRow, target: str) -> dict[str, str]:
    if not _copies_acls(bucket):
        return bucket.new.acl_headers(target)
    content = _sub_resource(bucket, source, "GetObjectAcl", "acl", READ_ACL, "acl")
    with translated(source.key):
        return grant_headers(content, bucket.features.owner)


def _tags(bucket: Bucket, source: ObjectRow) -> dict[str, str]:
    if not (bucket.features.has_tags and bucket.copies("tags")):
        return {}
    try:
        content = _sub_resource(bucket, source, "GetObjectTagging", "tagging", READ_TAGS, "tags")
    except NotFoundError as error:
        if is_code(error.__cause__, "NoSuchTagSet"):
            return {}
        raise
    with translated(source.key):
        return tag_headers(content)


def _sub_resource(
    bucket: Bucket,
    source: ObjectRow,
    operation: str,
    name: str,
    right: str,
    attribute: CopiedAttribute,
) -> bytes:
    """A sub-resource of an object. Raises MissingRightError."""
    _require_rights(bucket, right, attribute=attribute)
    try:
        with translated(source.key):
            return bucket.transport.send(sub_resource(operation, source.key, name)).content
    except AccessDeniedError as error:
        raise _missing([right], attribute) from error


def _require_rights(bucket: Bucket, *rights: str, attribute: CopiedAttribute) -> None:
    if missing := [right for right in rights if right in bucket.features.missing_rights]:
        raise _missing(missing, attribute)


def _missing(rights: Sequence[str], attribute: CopiedAttribute) -> MissingRightError:
    return MissingRightError(
        f"the store's credentials lack the right {' and '.join(rights)}: grant it, or let copies "
        f'go without, by s3.copy_without = ["{attribute}"]'
    )
