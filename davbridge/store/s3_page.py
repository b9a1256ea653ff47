"""One page of a listing, read from its XML.

Owns the reading of ListBucketResult: rows are made at once, without a dictionary for each. Keys
were asked for with ``encoding-type=url``, so that those with characters that XML can't hold come
through, and are decoded here.

Invariants: what isn't all of a listing raises ResponseParserError, never looks like a shorter one;
a page holds on to nothing of the XML but the names, ETags and times in it.
"""

from typing import NamedTuple
from urllib.parse import unquote_plus

from botocore.parsers import ResponseParserError

from davbridge.store.base import ObjectRow, Page
from davbridge.store.s3_answers import etag_of
from davbridge.store.s3_xml import name_of, parse_time, parsed, texts_of


class PageAnswer(NamedTuple):
    """A page, and where the next one begins: empty after the last."""

    page: Page
    token: str


def read_page(content: bytes) -> PageAnswer:
    """Raises ResponseParserError."""
    root = parsed(content)
    if name_of(root) != "ListBucketResult":
        raise ResponseParserError(f"the answer is no listing: {name_of(root)}")
    told = texts_of(root)
    is_encoded = told.get("EncodingType") == "url"
    objects, prefixes = [], []
    try:
        for child in root:
            name = name_of(child)
            if name == "Contents":
                objects.append(_row(texts_of(child), is_encoded))
            elif name == "CommonPrefixes":
                prefixes.append(_decoded(texts_of(child)["Prefix"], is_encoded))
    except (KeyError, ValueError) as error:
        raise ResponseParserError(f"the answer is no listing: {error!r}") from error
    token = _token(told)
    return PageAnswer(Page(tuple(objects), tuple(prefixes), is_last=not token), token)


def _row(told: dict[str, str], is_encoded: bool) -> ObjectRow:
    return ObjectRow(
        _decoded(told["Key"], is_encoded),
        int(told["Size"]),
        parse_time(told["LastModified"]),
        etag_of(told.get("ETag", "")),
    )


def _decoded(name: str, is_encoded: bool) -> str:
    return unquote_plus(name, errors="strict") if is_encoded else name


def _token(told: dict[str, str]) -> str:
    token = told.get("NextContinuationToken", "")
    if told.get("IsTruncated") != "true":
        return ""
    if not token:
        raise ResponseParserError("the store broke off a listing without a way on")
    return token
