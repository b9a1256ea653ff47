"""The headers of a request that WsgiDAV's own request server handles.

Our own request server has DavRequest instead.
"""

import re
from typing import Any

from wsgidav import util

from davbridge.dav.headers.ranges import ByteRange
from davbridge.store.base import Condition

Environ = dict[str, Any]

_AMBIGUOUS = re.compile("%3[bf]", re.IGNORECASE)
"""An encoded ``;`` or ``?``."""


def header(environ: Environ, name: str) -> str | None:
    """A request header, by its name in WSGI."""
    value: str | None = environ.get("HTTP_" + name)
    return value


def announced_length(environ: Environ) -> int | None:
    """The body's length in bytes; None where it is chunked."""
    if header(environ, "TRANSFER_ENCODING"):
        return None
    return int(util.get_content_length(environ))


def expected_range(environ: Environ, size: int) -> ByteRange:
    """The bytes that WsgiDAV will read in answer to this GET, unless If-Range rules that out."""
    value = header(environ, "RANGE")
    if value is None or size == 0:
        return ByteRange(0, size)
    ranges, _ = util.obtain_content_ranges(value, size)
    if not ranges:
        return ByteRange(0, size)
    start, last, _ = ranges[0]
    return ByteRange(start, last + 1)


def is_for_version(environ: Environ) -> bool:
    """Whether a condition of the request holds for the version of the resource that was found."""
    if_match = header(environ, "IF_MATCH")
    if if_match is not None:
        return if_match.strip() != "*"
    return header(environ, "IF_UNMODIFIED_SINCE") is not None or "[" in (
        header(environ, "IF") or ""
    )


def write_condition(environ: Environ, etag: str) -> Condition:
    """The condition under which the store carries out a PUT. ``etag``: the present version's, empty
    for none."""
    if (header(environ, "IF_NONE_MATCH") or "").strip() == "*":
        return Condition(if_absent=True)
    return Condition(if_match=etag if etag and is_for_version(environ) else None)


def allows_overwrite(environ: Environ) -> bool:
    return (header(environ, "OVERWRITE") or "T").upper() != "F"


def has_ambiguous_destination(environ: Environ) -> bool:
    """Whether the Destination has an encoded ``;`` or ``?``: WsgiDAV decodes it before it splits
    off parameters and a query, and so takes another resource for it."""
    return _AMBIGUOUS.search(header(environ, "DESTINATION") or "") is not None
