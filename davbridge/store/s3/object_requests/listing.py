"""Listings, and look-ups that are listings.

Invariants: a key outside of the requested prefix is never listed; an endless listing is broken off
with an error; a page costs one request; a look-up costs one, and a second one only if more than
LOOKUP_ROWS names begin with the key and sort before ``key/``.
"""

from collections.abc import Iterator
from itertools import chain

from botocore.parsers import ResponseParserError

from davbridge.paths import DELIMITER, MAX_KEY_BYTES
from davbridge.store.base import PAGE_SIZE, Lookup, Page
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.messages.errors import translated
from davbridge.store.s3.messages.listing_page import ListingPage, PaginationGuard, parse_page
from davbridge.store.s3.transport.transport import S3Request

LOOKUP_ROWS = 50

LONGEST_KEY = 4 * MAX_KEY_BYTES
"""Characters. Some stores allow longer keys than S3, but none of any length."""


def pages(bucket: Bucket, prefix: str, delimiter: str, page_size: int) -> Iterator[Page]:
    token = ""
    guard = PaginationGuard()
    while True:
        page, token = _list(bucket, prefix, delimiter, page_size, token)
        if not page.is_last:
            with translated(prefix):
                guard.require(token, shown=(*page.rows[-1:], *page.prefixes[-1:]))
        yield page
        if page.is_last:
            return


def look_up(bucket: Bucket, key: str) -> Lookup:
    """What is at ``key``.

    The page begins with ``key`` itself. ``key/`` comes after ``key-1``, ``key 2`` and ``key.txt``,
    or before them if a store sorts folder by folder. In either order it comes before all names that
    are greater. So its absence is certain if the page is the last one, or has a greater name.
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


def _list(bucket: Bucket, prefix: str, delimiter: str, size: int, token: str = "") -> ListingPage:
    query = {
        "list-type": "2",
        "prefix": prefix,
        "max-keys": str(min(size, PAGE_SIZE)),
        "encoding-type": "url",
    }
    if delimiter:
        query["delimiter"] = delimiter
    if token:
        query["continuation-token"] = token
    request = S3Request("ListObjectsV2", "GET", None, query=query, has_xml_response=True)
    with translated(prefix):
        answer = parse_page(bucket.transport.send(request).content)
        if not all(name.endswith(delimiter) for name in answer.page.prefixes):
            raise ResponseParserError("a common prefix that doesn't end in the delimiter")
        for name in chain(answer.page.prefixes, (row.key for row in answer.page.rows)):
            if not name.startswith(prefix) or len(name) > LONGEST_KEY:
                raise ResponseParserError(f"a key that wasn't asked for: {name[:80]!r}")
        return answer
