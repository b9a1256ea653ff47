"""OPTIONS (RFC 9110 §9.3.7, RFC 4918 §10.1).

Invariant: the answer is the same for every URL of the drive, and costs no request to the store.
"""

from davbridge.dav.context import Context
from davbridge.dav.response import Headers, Response, empty

READING = ("OPTIONS", "GET", "HEAD", "PROPFIND")
WRITING = ("PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "UNLOCK")


def allow_header(*, read_only: bool) -> tuple[str, str]:
    """The same for every URL, mapped or not: clients look for LOCK and PUT on folders, and on URLs
    that they are about to create."""
    return "Allow", ", ".join(READING if read_only else READING + WRITING)


def class_headers(*, read_only: bool) -> Headers:
    """Finder mounts a drive of class 2 as writable. A read-only drive has class 1, so that Finder
    mounts it read-only instead of failing at each write."""
    return [("DAV", "1" if read_only else "1, 2"), ("MS-Author-Via", "DAV")]


def options(context: Context) -> Response:
    """200, with what can be done here."""
    read_only = context.provider.is_readonly()
    allowed = [allow_header(read_only=read_only), ("Accept-Ranges", "bytes")]
    return empty(200, [*class_headers(read_only=read_only), *allowed])
