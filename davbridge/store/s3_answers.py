"""S3's answers → the vocabulary of base, and the little that goes the other way.

Owns how rows, attributes and times are read from what botocore parsed. Makes no request.

Invariants: ETags leave unquoted and go back quoted; times are to the second, which is all that
HEAD tells, so that a listing and a HEAD of one version agree; davbridge's own transaction id never
shows among an object's metadata.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from davbridge.store.base import Attributes, Condition, ObjectInfo, ObjectRow
from davbridge.store.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        HeadObjectOutputTypeDef,
        ObjectTypeDef,
        ResponseMetadataTypeDef,
    )

TRANSACTION = "dav-txn"
"""The user metadata that tells one's own write from another's (see s3_commits)."""

DEFAULT_TYPE = "application/octet-stream"


class Bucket(NamedTuple):
    """A client and the bucket it is for."""

    client: "S3Client"
    name: str
    clock: Clock


def row_of(entry: "ObjectTypeDef") -> ObjectRow:
    """A row of a listing."""
    modified = to_the_second(entry["LastModified"])
    return ObjectRow(entry["Key"], entry["Size"], modified, etag_of(entry.get("ETag", "")))


def info_of(
    key: str, size: int, answer: "HeadObjectOutputTypeDef | GetObjectOutputTypeDef"
) -> ObjectInfo:
    """An object as the answer to a HEAD or GET describes it; a GET of a range knows the size."""
    modified = to_the_second(answer["LastModified"])
    row = ObjectRow(key, size, modified, etag_of(answer.get("ETag", "")))
    return ObjectInfo(row, attributes_of(answer))


def attributes_of(answer: "HeadObjectOutputTypeDef | GetObjectOutputTypeDef") -> Attributes:
    metadata = lower_case(answer.get("Metadata", {}))
    metadata.pop(TRANSACTION, None)
    return Attributes(answer.get("ContentType", DEFAULT_TYPE), metadata)


def lower_case(metadata: Mapping[str, str]) -> dict[str, str]:
    """Header names have no case, and stores answer in different ones."""
    return {name.lower(): value for name, value in metadata.items()}


def date_of(metadata: "ResponseMetadataTypeDef", clock: Clock) -> datetime:
    """When the store answered, by its own clock; by ours where it doesn't say."""
    return parse_date(metadata["HTTPHeaders"].get("date")) or to_the_second(clock())


def parse_date(header: str | None) -> datetime | None:
    """The time that an HTTP Date header tells."""
    try:
        date = parsedate_to_datetime(header) if header else None
    except ValueError:
        return None
    # A date without a zone is GMT (RFC 9110 §5.6.7), not this machine's time.
    return date and date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)


def to_the_second(time: datetime) -> datetime:
    if time.microsecond == 0 and time.tzinfo is UTC:
        return time
    return time.astimezone(UTC).replace(microsecond=0)


def etag_of(header: str) -> str:
    return header.strip('"')


def quoted(etag: str) -> str:
    return f'"{etag}"'


class ConditionHeaders(TypedDict, total=False):
    """A Condition as S3's two parameters."""

    IfMatch: str
    IfNoneMatch: str


def headers_of(condition: Condition) -> ConditionHeaders:
    headers: ConditionHeaders = {}
    if condition.if_match is not None:
        headers["IfMatch"] = quoted(condition.if_match)
    if condition.if_absent:
        headers["IfNoneMatch"] = "*"
    return headers


class ContentHeaders(TypedDict, total=False):
    """What is stored beside the bytes, as S3's parameters."""

    ContentType: str
    Metadata: Mapping[str, str]
    CacheControl: str
    ContentDisposition: str
    ContentEncoding: str
    ContentLanguage: str


def content_headers(attributes: Attributes) -> ContentHeaders:
    return {"ContentType": attributes.content_type, "Metadata": dict(attributes.metadata)}


def tagged(headers: ContentHeaders, transaction: str) -> ContentHeaders:
    """The same, with the transaction in the metadata where there is one."""
    if not transaction:
        return headers
    return {**headers, "Metadata": {**headers.get("Metadata", {}), TRANSACTION: transaction}}
