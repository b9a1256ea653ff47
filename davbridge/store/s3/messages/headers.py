"""Headers of S3 ↔ ObjectRow, ObjectInfo, Attributes and Condition.

Invariants: ETags are unquoted here, and quoted in headers. Times are in whole seconds, as in the
answer to a HEAD, so that a listing and a HEAD of one version agree. davbridge's own transaction id
never appears in an object's metadata.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from sys import intern

from botocore.parsers import ResponseParserError

from davbridge.clock import Clock
from davbridge.errors import InvalidNameError, UnavailableError
from davbridge.store.base import NO_TIME, Attributes, Condition, ObjectInfo, ObjectRow

TRANSACTION = "dav-txn"
"""The user metadata that marks davbridge's own write (see conditional_writes)."""

DEFAULT_TYPE = "application/octet-stream"

MOST_DIGITS = 18
"""Digits of a size: an exabyte less one has as many. A Content-Length that we send may have as
many."""

_ETAG = re.compile(r"[\x21\x23-\x7e]+")
"""An entity-tag between its quotes (RFC 9110 §8.8.3), but for what isn't ASCII."""

_CLASS = re.compile(r"[\x21-\x7e]{1,64}")
"""A storage class: AWS has a dozen; Ceph and MinIO let their operators name others."""

META = "x-amz-meta-"

Headers = Mapping[str, str]
"""The headers of a response or a request. Names are in lower case."""


def info_of(key: str, size: int, headers: Headers) -> ObjectInfo:
    """An object as the answer to a HEAD or GET describes it; a GET of a range knows the size."""
    modified = parse_date_header(headers.get("last-modified"))
    if modified is None:
        if not any(name.startswith("x-amz") for name in headers):  # It comes from no S3 store.
            raise UnavailableError(f"{key!r}: the store doesn't say when it was modified")
        modified = NO_TIME
    try:
        row = ObjectRow(key, size, modified, etag_in(headers), storage_class_in(headers))
    except ResponseParserError as error:
        raise UnavailableError(f"{key!r}: {error}") from error
    return ObjectInfo(row, attributes_of(headers))


def size_of(key: str, headers: Headers) -> int:
    """The length of the body that ``headers`` announce."""
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(length) > MOST_DIGITS:
        raise UnavailableError(f"{key!r}: the store doesn't say how long it is")
    return int(length)


def attributes_of(headers: Headers) -> Attributes:
    metadata = metadata_of(headers)
    metadata.pop(TRANSACTION, None)
    return Attributes(headers.get("content-type", DEFAULT_TYPE), metadata)


def metadata_of(headers: Headers) -> dict[str, str]:
    return {
        name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)
    }


def date_of(headers: Headers, clock: Clock) -> datetime:
    """When the store answered, by its own clock; by ours if the response has no Date."""
    return parse_date_header(headers.get("date")) or to_the_second(clock())


def to_the_second(time: datetime) -> datetime:
    if time.microsecond == 0 and time.tzinfo is UTC:
        return time
    return time.astimezone(UTC).replace(microsecond=0)


def parse_etag(text: str) -> str:
    """Raises ResponseParserError for an ETag that can't be sent in a header, to the store or to a
    client."""
    etag = text.removeprefix("W/").strip('"')  # A proxy may have made the store's ETag a weak one.
    if not _ETAG.fullmatch(etag):
        raise ResponseParserError(f"the answer names no version: {text[:80]!r}")
    return etag


def etag_in(headers: Headers) -> str:
    """Raises ResponseParserError if there is none: then the response doesn't come from an S3 store,
    and nothing was stored or read."""
    return parse_etag(headers.get("etag", ""))


def parse_storage_class(text: str) -> str:
    """As ObjectRow has it. Equal ones are one text, as every row of a listing has its class."""
    return "" if text in ("", "STANDARD") or not _CLASS.fullmatch(text) else intern(text)


def storage_class_in(headers: Headers) -> str:
    """The storage class that an object has, or is to have. Stores don't say STANDARD."""
    return parse_storage_class(headers.get("x-amz-storage-class", ""))


def quoted(etag: str) -> str:
    return f'"{etag}"'


def headers_of(condition: Condition) -> dict[str, str]:
    """A Condition as HTTP's two headers."""
    headers = {}
    if condition.if_match is not None:
        headers["if-match"] = quoted(condition.if_match)
    if condition.if_absent:
        headers["if-none-match"] = "*"
    return headers


def attribute_headers(attributes: Attributes, transaction: str = "") -> dict[str, str]:
    """What is stored with the bytes, as headers. Raises InvalidNameError for metadata that isn't
    ASCII: no store keeps it unchanged."""
    headers = {"content-type": attributes.content_type}
    for name, value in attributes.metadata.items():
        if not (name.isascii() and value.isascii()):
            raise InvalidNameError(f"metadata that isn't ASCII can't be stored: {name!r}")
        headers[META + name] = value
    if transaction:
        headers[META + TRANSACTION] = transaction
    return headers


@lru_cache(maxsize=1024)
def parse_date_header(header: str | None) -> datetime | None:
    """The time in a Date or Last-Modified header; None if there is none."""
    try:
        date = parsedate_to_datetime(header) if header else None
        # A date without a zone is GMT (RFC 9110 §5.6.7), not this machine's time.
        return date and date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
