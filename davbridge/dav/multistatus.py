"""207 Multi-Status (RFC 4918 §13), written as text.

Pure. Invariants: ``D`` is the DAV: prefix, declared once at the root; every value handed in is
XML already; hrefs are ASCII.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from davbridge.dav.errors import RefusalError, status_line

CONTENT_TYPE = "application/xml; charset=utf-8"

OPENING = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n'
CLOSING = "</D:multistatus>\n"


class PropStat(NamedTuple):
    """Properties, as elements, that share a status."""

    status: int
    elements: list[str]
    error: str = ""
    """A DAV:error element."""


def response(href: str, propstats: Iterable[PropStat]) -> str:
    """One resource with its properties. Empty propstats are left out, unless all are."""
    filled = [each for each in propstats if each.elements] or [PropStat(200, [])]
    body = "".join(map(_propstat, filled))
    return f"<D:response><D:href>{escape(href)}</D:href>{body}</D:response>\n"


def status_response(href: str, refusal: RefusalError) -> str:
    """One resource that the method failed on as a whole."""
    return (
        f"<D:response><D:href>{escape(href)}</D:href>"
        f"<D:status>HTTP/1.1 {status_line(refusal.status)}</D:status>"
        f"{refusal.error_element()}</D:response>\n"
    )


def document(responses: Iterable[str], *, batch: int = 500) -> Iterator[bytes]:
    """The multistatus in blocks of ``batch`` responses."""
    parts = [OPENING]
    for each in responses:
        parts.append(each)
        if len(parts) >= batch:
            yield "".join(parts).encode()
            parts.clear()
    yield "".join([*parts, CLOSING]).encode()


def _propstat(each: PropStat) -> str:
    return (
        f"<D:propstat><D:prop>{''.join(each.elements)}</D:prop>"
        f"<D:status>HTTP/1.1 {status_line(each.status)}</D:status>{each.error}</D:propstat>"
    )
