"""S3's XML bodies, and the errors that some of them are.

The parser is expat by way of ElementTree, whose C half reads a listing page in a fifth of the time
that handlers in Python take.

Invariants: a document type is refused, so that no entity is expanded; a document with more elements
than any answer of S3 is refused; a document that isn't well-formed to its end raises
ResponseParserError.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http.client import responses
from typing import Any
from xml.etree import ElementTree

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

Element = ElementTree.Element

MOST_MARKUP = 100_000
"""Tags and attributes: a listing of 1,000 rows has 30,000. An element takes 20 times the memory of
its text."""

_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error\b")


def parsed(content: bytes) -> Element:
    """The root. Raises ResponseParserError."""
    # The encoding is fixed, so that no other one can hide the bytes of a document type.
    parser = ElementTree.XMLParser(encoding="utf-8")
    try:
        if b"<!DOCTYPE" in content:
            raise ResponseParserError("the answer has a document type")
        if content.count(b"<") + content.count(b"=") > MOST_MARKUP:
            raise ResponseParserError("the answer has more elements than any of S3's")
        parser.feed(content.lstrip())
        return parser.close()
    except ElementTree.ParseError as error:
        raise ResponseParserError(f"the answer is no XML: {error}") from error


def name_of(element: Element) -> str:
    """The tag without its namespace: stores use different ones, or none."""
    return element.tag.rpartition("}")[2]


def texts_of(element: Element) -> dict[str, str]:
    """The texts of the children, by name."""
    return {name_of(child): child.text or "" for child in element}


def required(element: Element, name: str) -> str:
    """The text of the child of this name. Raises ResponseParserError where there is none."""
    text = texts_of(element).get(name)
    if not text:
        raise ResponseParserError(f"the answer has no {name}: {name_of(element)[:80]}")
    return text


@lru_cache(maxsize=4096)
def parse_time(text: str) -> datetime:
    """A time as S3 writes it in XML, to the second, as in its headers."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(microsecond=0, tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ResponseParserError(f"the answer has no time: {text[:80]!r}") from error


def time_or_none(text: str | None) -> datetime | None:
    """The same, of an answer that may have none that can be read."""
    try:
        return parse_time(text or "")
    except ResponseParserError:
        return None


def client_error(
    operation: str, status: int, headers: Mapping[str, str], content: bytes, retries: int
) -> ClientError:
    """The refusal of a request as botocore raises it."""
    metadata = {
        "HTTPStatusCode": status,
        "HTTPHeaders": dict(headers),
        "RetryAttempts": retries,
    }
    response: Any = {"Error": _error(status, content), "ResponseMetadata": metadata}
    return ClientError(response, operation)


def is_error(content: bytes) -> bool:
    """Whether this is an error, though the status was 200: a store may fail after it has begun to
    answer (AWS on CopyObject: it sends blanks meanwhile)."""
    return not content or content.isspace() or _ERROR.match(content) is not None


def _error(status: int, content: bytes) -> dict[str, str]:
    try:
        details = texts_of(parsed(content))
    except ResponseParserError:
        details = {}  # an answer to HEAD, or not from a store
    if "Code" not in details:
        phrase = responses.get(status, "")
        return {"Code": str(status), "Message": phrase}
    return details
