"""Listings, and look-ups that are listings.

Owns ListObjectsV2. botocore asks for ``EncodingType=url`` and decodes the keys, so that those with
characters that XML can't hold come through.

Invariants: a page costs one request; a look-up costs one, and a second only where more than
LOOKUP_ROWS names begin with the key and sort before ``key/``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from davbridge.errors import UnavailableError
from davbridge.paths import DELIMITER
from davbridge.store.base import PAGE_SIZE, Lookup, Page
from davbridge.store.s3_answers import Bucket, row_of
from davbridge.store.s3_errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2RequestTypeDef

LOOKUP_ROWS = 50


class _Answer(NamedTuple):
    page: Page
    token: str


def pages(bucket: Bucket, prefix: str, delimiter: str, page_size: int) -> Iterator[Page]:
    token = ""
    while True:
        page, token = _list(bucket, prefix, delimiter, page_size, token)
        yield page
        if page.is_last:
            return


def look_up(bucket: Bucket, key: str) -> Lookup:
    """What is at ``key``.

    The page begins with ``key`` itself. ``key/`` comes after ``key-1``, ``key 2`` and ``key.txt``,
    or, where a store sorts folder by folder, before them; in either order it comes before all
    names that are greater. So its absence is certain once the page is the last or has passed it.
    """
    directory = key + DELIMITER
    page, _ = _list(bucket, key, DELIMITER, LOOKUP_ROWS)
    row = next((row for row in page.rows if row.key == key), None)
    if directory in page.prefixes:
        return Lookup(row, is_prefix=True)
    if page.is_last or _last_name(page).encode() > directory.encode():
        return Lookup(row, is_prefix=False)
    below, _ = _list(bucket, directory, "", 1)
    return Lookup(row, is_prefix=bool(below.rows))


def _last_name(page: Page) -> str:
    last_row = page.rows[-1].key if page.rows else ""
    last_prefix = page.prefixes[-1] if page.prefixes else ""
    return max(last_row, last_prefix, key=str.encode)


def _list(bucket: Bucket, prefix: str, delimiter: str, size: int, token: str = "") -> _Answer:
    request: ListObjectsV2RequestTypeDef = {
        "Bucket": bucket.name,
        "Prefix": prefix,
        "MaxKeys": min(size, PAGE_SIZE),
    }
    if delimiter:
        request["Delimiter"] = delimiter
    if token:
        request["ContinuationToken"] = token
    with translated(prefix):
        answer = bucket.client.list_objects_v2(**request)
    token = answer.get("NextContinuationToken", "") if answer.get("IsTruncated") else ""
    if answer.get("IsTruncated") and not token:
        raise UnavailableError(f"{prefix!r}: the store broke off a listing without a way on")
    page = Page(
        rows=tuple(map(row_of, answer.get("Contents", ()))),
        prefixes=tuple(entry["Prefix"] for entry in answer.get("CommonPrefixes", ())),
        is_last=not token,
    )
    return _Answer(page, token)
