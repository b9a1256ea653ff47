"""A method's answer: a value, which the wire frames and closes.

Invariant: what fails before an answer's first byte has a status; what fails later breaks the
connection, and is one line in the log.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from davbridge.errors import StoreError

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Response:
    """A status with its headers and body. A body with a ``close`` is closed by the server."""

    status: int
    headers: Headers = field(default_factory=list)
    body: Iterable[bytes] = ()

    def close(self) -> None:
        """Closes a body that won't be sent. The server closes the others (PEP 3333)."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


XML = "application/xml; charset=utf-8"

XML_PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>\n'


def complete(
    status: int, content_type: str, body: bytes, headers: Headers | None = None
) -> Response:
    """A response whose whole body is known."""
    own = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Response(status, own + (headers or []), [body])


def document(status: int, root: str, headers: Headers | None = None) -> Response:
    """A response that is an XML document, by its root element."""
    return complete(status, XML, (XML_PROLOGUE + root).encode(), headers)


def empty(status: int, headers: Headers | None = None) -> Response:
    """A response without a body. A 204 has no Content-Length (RFC 9110 §8.6)."""
    own = [] if status in (204, 304) else [("Content-Length", "0")]
    return Response(status, own + (headers or []))


def streamed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of a body whose headers have been sent. Raises ConnectionError where the store
    fails: the wire then breaks the connection."""
    try:
        yield from blocks
    except StoreError as error:
        logger.warning("an answer can't be sent to its end: %s", error)
        raise ConnectionError(str(error)) from error
