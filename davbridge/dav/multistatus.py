"""207 Multi-Status (RFC 4918 §13) as text.

Invariants: ``D`` is the DAV: prefix, declared once at the root. Every argument is XML already. So
are hrefs: those that a Site makes have nothing to escape.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from davbridge.dav.errors import RefusalError, status_line
from davbridge.dav.response import XML, XML_PROLOGUE, Response, complete
from davbridge.xmltext import escape_text, replace_invalid

OPENING = XML_PROLOGUE + '<D:multistatus xmlns:D="DAV:">\n'
CLOSING = "</D:multistatus>\n"


class PropStat(NamedTuple):
    """Properties, as elements, that share a status."""

    status: int
    elements: list[str]
    error: str = ""
    """A DAV:error element."""


def response(href: str, propstats: Iterable[PropStat]) -> str:
    """One resource with its properties. Empty propstats are left out, unless all are empty."""
    body = "".join([_propstat(each) for each in propstats if each.elements])
    return f"<D:response><D:href>{href}</D:href>{body or _EMPTY}</D:response>\n"


def status_response(href: str, refusal: RefusalError) -> str:
    """One resource that the method failed on as a whole."""
    return (
        f"<D:response><D:href>{href}</D:href>{_status(refusal.status)}{refusal.error_element()}"
        f"<D:responsedescription>{escape_text(replace_invalid(refusal.message))}</D:responsedescription></D:response>\n"
    )


def answer(responses: Iterable[str]) -> Response:
    """207 with these responses."""
    return complete(207, XML, "".join([OPENING, *responses, CLOSING]).encode())


def _propstat(each: PropStat) -> str:
    elements, status = "".join(each.elements), _status(each.status)
    return f"<D:propstat><D:prop>{elements}</D:prop>{status}{each.error}</D:propstat>"


@cache
def _status(status: int) -> str:
    return f"<D:status>HTTP/1.1 {status_line(status)}</D:status>"


_EMPTY = _propstat(PropStat(200, []))
