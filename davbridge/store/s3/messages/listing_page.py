"""One page of a listing, parsed from its XML.

Rows are made directly, without a dictionary for each. Requests ask for ``encoding-type=url``, so
that keys may have characters that XML can't contain; they are decoded here.

Invariants: an incomplete listing raises ResponseParserError, and never looks like a shorter one; a
page keeps no reference to the XML, only its names, ETags and times.
"""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from botocore.parsers import ResponseParserError

from davbridge.store.base import NO_TIME, ObjectRow, Page
from davbridge.store.s3.messages.headers import MOST_DIGITS, parse_etag, parse_storage_class
from davbridge.store.s3.messages.xml import Element, name_of, parsed, time_or_none

ROOT = "ListBucketResult"


class ListingPage(NamedTuple):
    """A page, and the continuation token of the next one: empty after the last."""

    page: Page
    token: str


MAX_EQUAL_PAGES = 100
"""How many pages in a row may have nothing new. A few empty ones are normal: a store may have
skipped a thousand deleted names."""


class PaginationGuard:
    """Breaks off an endless listing: one whose continuation tokens form a cycle (found by Brent's
    algorithm, which keeps one token), or one that returns new tokens for the same page again and
    again."""

    def __init__(self) -> None:
        self._marked: object = None
        self._steps, self._round = 0, 1
        self._shown: object = None
        self._equal_pages = 0

    def require(self, token: object, *, shown: object) -> None:
        """``shown``: the last name of the page. Raises ResponseParserError."""
        self._equal_pages = self._equal_pages + 1 if shown == self._shown else 0
        self._shown = shown
        if self._equal_pages > MAX_EQUAL_PAGES:
            raise ResponseParserError("the store's listing doesn't get on")
        if token == self._marked:
            raise ResponseParserError("the store's listing repeats its tokens")
        self._steps += 1
        if self._steps == self._round:
            self._marked, self._steps, self._round = token, 0, 2 * self._round


def parse_page(content: bytes) -> ListingPage:
    """Raises ResponseParserError."""
    root = parsed(content)
    if name_of(root) != ROOT:
        raise ResponseParserError(f"the answer is no listing: {name_of(root)}")
    # The names of all elements begin with the same namespace, which differs between stores.
    space = root.tag.removesuffix(ROOT)
    is_encoded = root.findtext(f"{space}EncodingType") == "url"
    try:
        page = Page(
            _rows(root, space, is_encoded),
            tuple(
                _decoded(_text(prefix, f"{space}Prefix"), is_encoded)
                for prefix in root.iterfind(f"{space}CommonPrefixes")
            ),
            is_last=not _has_next(root, space),
        )
    except ValueError as error:
        raise ResponseParserError(f"the answer is no listing: {error}") from error
    if page.is_last:
        return ListingPage(page, "")
    token = root.findtext(f"{space}NextContinuationToken")
    if not token:
        raise ResponseParserError("the store broke off a listing without a continuation token")
    return ListingPage(page, token)


def _has_next(root: Element, space: str) -> bool:
    is_truncated = (root.findtext(f"{space}IsTruncated") or "").strip().lower()
    if is_truncated not in ("true", "false", ""):
        raise ValueError(f"IsTruncated is {is_truncated[:80]!r}")
    return is_truncated == "true" or (
        not is_truncated and bool(root.findtext(f"{space}NextContinuationToken"))
    )


def _rows(root: Element, space: str, is_encoded: bool) -> tuple[ObjectRow, ...]:
    key, size, modified, etag, storage_class = (
        f"{space}{name}" for name in ("Key", "Size", "LastModified", "ETag", "StorageClass")
    )
    return tuple(
        [
            ObjectRow(
                _decoded(_text(entry, key), is_encoded),
                _size(_text(entry, size)),
                time_or_none(entry.findtext(modified)) or NO_TIME,
                _listed_etag(entry.findtext(etag) or ""),
                parse_storage_class(entry.findtext(storage_class) or ""),
            )
            for entry in root.iterfind(f"{space}Contents")
        ]
    )


def _listed_etag(text: str) -> str:
    """Empty where the listing has none: some stores list no ETags, and SeaweedFS lists a folder
    that it is about to remove without one."""
    return parse_etag(text) if text not in ("", '""') else ""


def _text(element: Element, name: str) -> str:
    text = element.findtext(name)
    if not text:
        raise ValueError(f"{name} is missing")
    return text


def _size(text: str) -> int:
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise ValueError(f"no size: {text[:80]!r}")
    return int(text)


def _decoded(name: str, is_encoded: bool) -> str:
    if is_encoded and ("%" in name or "+" in name):
        return unquote_to_bytes(name.replace("+", " ")).decode()
    return name
