"""A request: its headers as values, its body as blocks or as XML bytes (RFC 4918 §10).

Invariants: what can't be understood is refused with 400 and never guessed. Reading a body ends
without an exception only when all of it has been read. An OSError is taken for the client's fault
only if reading the body raises it.
"""

import logging
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Generic, Literal, TypeVar

from davbridge.addresses import network_of
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.if_header import IfCondition, IfList, parse_if
from davbridge.dav.headers.urls import Site, names_collection, parse_request_target
from davbridge.dav.xml_encodings import in_charset
from davbridge.paths import ResourcePath

logger = logging.getLogger(__name__)

READ_SIZE = 256 * 1024
"""Bytes read from the client at a time."""

MAX_XML = 1024 * 1024
"""Bytes that an XML body may have: a PROPPATCH of large dead properties fits."""

Depth = Literal["0", "1", "infinity"]
Environ = dict[str, Any]

_CONDITIONAL = frozenset(
    (
        "HTTP_IF",
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_UNMODIFIED_SINCE",
    )
)

_LENGTH = re.compile(r"[0-9]{1,18}")
_NO_ROOT = re.compile(r"(?:1|infinity)\s*,\s*noroot\s*$", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,10}")
_TOKEN = re.compile(r"<?([A-Za-z][A-Za-z0-9+.\-]*:[^\s<>]+)>?")


T = TypeVar("T")


class _CachedAttribute(Generic[T]):
    """What `cached_attribute` makes of a method."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


def cached_attribute(compute: Callable[[Any], T]) -> _CachedAttribute[T]:
    """As functools.cached_property, for objects of one thread.

    That of Python 3.11 computes under a lock that all instances share. Requests would wait for one
    another, and taking the lock alone costs a warm PROPFIND five percent.
    """
    return _CachedAttribute(compute)


class DavRequest:
    """One request. Header values are parsed when they are first used."""

    def __init__(self, environ: Environ, site: Site) -> None:
        self.environ = environ
        self.site = site
        self.method: str = environ["REQUEST_METHOD"]

    def header(self, name: str) -> str | None:
        """A header's value, by its name in WSGI's form without ``HTTP_``; None if absent."""
        value: str | None = self.environ.get(f"HTTP_{name}")
        return value

    @cached_attribute
    def path(self) -> ResourcePath:
        """The resource of the request target. Raises RefusalError 400, or 404 outside the mount."""
        path = self.site.resolve(self.url_path)
        if path is None:
            raise RefusalError(404, "the drive is elsewhere")
        return path

    @cached_attribute
    def url_path(self) -> ResourcePath:
        """The path of the request's URL, whether or not it is in the mount. Raises as `path`."""
        return parse_request_target(self.environ["REQUEST_URI"], self.site.mount)

    @property
    def names_collection(self) -> bool:
        """Whether the target ends in a slash, as collections' URLs do."""
        return names_collection(self.environ["REQUEST_URI"])

    @property
    def user(self) -> str:
        """Who is logged in; empty for anonymous."""
        return str(self.environ.get("REMOTE_USER") or "")

    @property
    def network(self) -> str:
        """The network of the client's address, which counts as one client."""
        return network_of(self.environ.get("REMOTE_ADDR") or "")

    @property
    def agent(self) -> str:
        return self.header("USER_AGENT") or ""

    @property
    def is_chunked(self) -> bool:
        return "HTTP_TRANSFER_ENCODING" in self.environ

    @cached_attribute
    def length(self) -> int | None:
        """Bytes of the body; None for a chunked one."""
        if self.is_chunked:
            return None
        text = self.environ.get("CONTENT_LENGTH") or "0"
        if not _LENGTH.fullmatch(text):
            raise RefusalError(400, "Content-Length is not a number")
        return int(text)

    @cached_attribute
    def depth(self) -> Depth | None:
        """RFC 4918 §10.2; None where the header is missing."""
        value = self.header("DEPTH")
        if value is not None and self.excludes_root:
            value = value.rpartition(",")[0]
        match value and value.strip().lower():
            case None:
                return None
            case "0":
                return "0"
            case "1":
                return "1"
            case "infinity":
                return "infinity"
        raise RefusalError(400, "Depth must be 0, 1 or infinity")

    @property
    def excludes_root(self) -> bool:
        """Whether a PROPFIND is only about what is inside: ``Depth: 1,noroot``, as older Office and
        Windows have it. Of other methods, such a depth is refused."""
        return self.method == "PROPFIND" and bool(_NO_ROOT.search(self.header("DEPTH") or ""))

    @cached_attribute
    def overwrite(self) -> bool:
        """RFC 4918 §10.6: true where the header is missing."""
        value = (self.header("OVERWRITE") or "T").strip().upper()
        if value not in ("T", "F"):
            raise RefusalError(400, "Overwrite must be T or F")
        return value == "T"

    @cached_attribute
    def destination(self) -> ResourcePath:
        """RFC 4918 §10.3. Raises RefusalError 400, or 502 where it is on another server."""
        value = self.header("DESTINATION")
        if not value:
            raise RefusalError(400, "a Destination header is needed")
        return self.site.parse_destination(value, host=self.header("HOST") or "")

    @property
    def timeout(self) -> float | None:
        """Seconds: the first valid timeout of the Timeout header (§10.7), math.inf for Infinite."""
        for wish in (self.header("TIMEOUT") or "").lower().split(","):
            kind, _, seconds = wish.strip().partition("-")
            if kind == "infinite":
                return math.inf
            if kind == "second" and _SECONDS.fullmatch(seconds):
                return int(seconds)
        return None

    @property
    def is_conditional(self) -> bool:
        """Whether any conditional header was sent."""
        return not _CONDITIONAL.isdisjoint(self.environ)

    @property
    def conditions(self) -> tuple[str | None, ...]:
        """The values of all conditional headers."""
        return tuple(map(self.environ.get, _CONDITIONAL))

    @cached_attribute
    def if_lists(self) -> tuple[IfList, ...]:
        """The If header (§10.4), empty where there is none. Raises RefusalError 400."""
        value = self.header("IF")
        if self.refreshed_token is not None:
            return (IfList(None, (IfCondition(self.refreshed_token, None, negated=False),)),)
        return parse_if(value) if value is not None else ()

    @cached_attribute
    def refreshed_token(self) -> str | None:
        """The token of a LOCK whose If header is a bare token: npm's webdav refreshes a lock like
        this, with a lockinfo as the body (its operations/lock.js)."""
        match = _TOKEN.fullmatch((self.header("IF") or "").strip())
        return match[1] if match and self.method == "LOCK" else None

    @cached_attribute
    def lock_token(self) -> str | None:
        """The Lock-Token header (§10.5), with or without its angle brackets."""
        value = self.header("LOCK_TOKEN")
        if value is None:
            return None
        match = _TOKEN.fullmatch(value.strip())
        if match is None:
            raise RefusalError(400, "Lock-Token holds no lock token")
        return match[1]

    @cached_attribute
    def submitted_tokens(self) -> frozenset[str]:
        """The lock tokens that the client submits, anywhere in If (§10.4.1) or in Lock-Token, which
        Word sends with a PUT."""
        tokens = {token for each in self.if_lists for token in each.tokens}
        if self.method != "UNLOCK" and self.lock_token:
            tokens.add(self.lock_token)
        return frozenset(tokens)

    def has_body(self) -> bool:
        """Whether the body has a byte. Reads the first one if the length isn't known: proxies that
        speak HTTP/2 or HTTP/3 with the client send even an empty body in chunks. Raises
        RefusalError 400 where it ends too early."""
        return self.length > 0 if self.length is not None else bool(self._read(1))

    def blocks(self) -> Iterator[bytes]:
        """The body in blocks. Raises RefusalError 400 where it ends too early; the wire closes that
        connection after the answer."""
        promised, seen = self.length, 0
        while promised is None or seen < promised:
            block = self._read(READ_SIZE if promised is None else min(READ_SIZE, promised - seen))
            if not block:
                break
            seen += len(block)
            yield block
        if promised is not None and seen != promised:
            raise self._incomplete(f"the body ended after {seen} of {promised} bytes")

    def _read(self, size: int) -> bytes:
        try:
            block: bytes = self.environ["wsgi.input"].read(size)
        except OSError as error:
            raise self._incomplete(error) from error
        return block

    def _incomplete(self, cause: OSError | str) -> RefusalError:
        logger.info("%s %s: %s", self.method, self.environ["REQUEST_URI"], cause)
        return RefusalError(400, "the body is not complete")

    def xml_body(self) -> bytes:
        """The whole body, in UTF-8 if its Content-Type alone tells that it is in another encoding.
        Raises as `blocks`, and RefusalError 413 over MAX_XML, 400 where it isn't in its charset."""
        body = bytearray()
        for block in self.blocks():
            body += block
            if len(body) > MAX_XML:
                raise RefusalError(413, f"an XML body may have {MAX_XML} bytes")
        return in_charset(bytes(body), self.environ.get("CONTENT_TYPE") or "")
