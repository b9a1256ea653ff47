"""URLs ↔ resource paths: the request target, the Destination header, resource tags, hrefs.

Invariants: a URL is split before it is decoded, so that an encoded ``?``, ``#``, ``;`` or ``/``
never changes which resource is named. Only a dot segment that is not encoded is one, and none leads
out of the drive. An href is ASCII and parses back to its path.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urlsplit

from davbridge import paths
from davbridge.dav.errors import RefusalError
from davbridge.errors import InvalidNameError
from davbridge.paths import ResourcePath

MAX_PATH = 4 * paths.MAX_KEY_BYTES
"""Bytes of a URL's path: the longest key with each of its bytes encoded, and a mount path."""

_ABSOLUTE = re.compile(r"https?://([^/?#\\]*)([/?#].*)?", re.IGNORECASE | re.DOTALL)
"""A query may follow the authority at once. Browsers end a host at a backslash; here none may hold
one."""

_HREF_SAFE = "!*'(),$@"
"""Not escaped, in addition to the unreserved characters. Neither ``+`` (some clients read a space)
nor XML's special characters are among them."""

_IS_SAFE = re.compile(rf"[A-Za-z0-9_.~{_HREF_SAFE}-]*").fullmatch


@dataclass(frozen=True, slots=True)
class Site:
    """The URLs of the drive: its root's path, and its hosts."""

    mount: ResourcePath = paths.ROOT
    """The path of the drive's root."""
    hosts: frozenset[str] = frozenset()
    """Host names that clients use for the drive while the Host header has another one, because a
    proxy has changed it."""

    @classmethod
    def of(cls, mount_path: str, public_origins: Iterable[str]) -> "Site":
        """The site of a mount path such as ``/dav``, and origins such as ``https://example.com``."""
        hosts = (_split_absolute(origin)[0] for origin in public_origins)
        return cls(paths.parse(mount_path), frozenset(hosts))

    def href(self, path: ResourcePath, *, is_collection: bool) -> str:
        """The absolute path that names a resource, percent-encoded; collections end in ``/``."""
        segments = self.mount + path
        encoded = "/" + "/".join(map(encode_segment, segments))
        return encoded + "/" if is_collection and segments else encoded

    def resolve(self, url_path: ResourcePath) -> ResourcePath | None:
        """The resource path of a URL's path; None outside of the mount."""
        depth = len(self.mount)
        return url_path[depth:] if url_path[:depth] == self.mount else None

    def parse_destination(self, value: str, *, host: str) -> ResourcePath:
        """The path that a Destination header names: an absolute URI of this site, or a path.

        Only the host's name is compared: behind a proxy, the scheme and the port that the client
        uses may be others than ours, and the Host header may lack its port. Raises RefusalError
        400, or 502 for another server's resource (RFC 4918 §9.8.5).
        """
        raw = value.strip()
        if not raw.startswith("/"):
            name, raw = _split_absolute(raw)
            if not name or name not in self.hosts | {_host_name(host)}:
                raise RefusalError(502, "the destination is on another server")
        if "?" in raw or "#" in raw:
            raise RefusalError(400, "a URL with a query or a fragment names no resource here")
        path = self.resolve(_decode(raw, self.mount))
        if path is None:
            raise RefusalError(502, "the destination is outside of the drive")
        return path

    def parse_tag(self, value: str) -> ResourcePath | None:
        """The path that a resource tag of an If header names, whatever its scheme and host.

        A tag compared by path alone survives a proxy; for one that names nothing here, this returns
        None, and its lists don't hold.
        """
        try:
            raw = value if value[:1] == "/" else _split_absolute(value)[1]
            return None if "?" in raw or "#" in raw else self.resolve(_decode(raw, self.mount))
        except RefusalError:
            return None


def encode_segment(segment: str) -> str:
    """A segment of a path, percent-encoded; it holds nothing then that XML would have to escape."""
    return segment if _IS_SAFE(segment) else quote(segment, safe=_HREF_SAFE)


def parse_request_target(target: str, mount: ResourcePath = paths.ROOT) -> ResourcePath:
    """The URL path of a raw request target (RFC 9112 §3.2: origin or absolute form; ``*``, which
    OPTIONS may ask about, counts as the root).

    ``target`` holds the bytes of the request line as latin-1. Raises RefusalError 400, also for one
    that leads out of ``mount``.
    """
    if target == "*":
        return paths.ROOT
    raw = target if target.startswith("/") else _split_absolute(target)[1]
    return _decode(raw.split("?", 1)[0], mount)


def names_collection(target: str) -> bool:
    """Whether a raw request target ends in a slash, once dot segments are removed."""
    return target.split("?", 1)[0].endswith(("/", "/.", "/.."))


def _split_absolute(uri: str) -> tuple[str, str]:
    """The host's name and the raw path of an absolute URI."""
    match = _ABSOLUTE.fullmatch(uri)
    if match is None:
        raise RefusalError(400, "not a URL of a resource")
    authority, path = match[1], match[2] or ""
    return _host_name(authority), path if path[:1] == "/" else "/" + path


def _host_name(authority: str) -> str:
    """In lower case, without user info and port."""
    try:
        parts = urlsplit("//" + authority)
        _ = parts.port  # Raises ValueError where it is no port.
        return parts.hostname or ""
    except ValueError as error:
        raise RefusalError(400, "not a URL of a resource") from error


def _decode(raw: str, mount: ResourcePath) -> ResourcePath:
    """The path that a still encoded absolute path names; empty segments don't count."""
    if len(raw) > MAX_PATH:
        raise RefusalError(414, f"a URL's path may have {MAX_PATH} bytes")
    if "/." in raw:
        raw = _without_dot_segments(raw, mount)
    if "%" in raw or not raw.isascii():
        raw = "/".join([_decode_segment(segment) for segment in raw.split("/") if segment])
    try:
        return paths.parse(raw)
    except InvalidNameError as error:
        raise RefusalError(400, str(error)) from error


def _without_dot_segments(raw: str, mount: ResourcePath) -> str:
    """RFC 3986 §5.2.4. Clients make such URLs of relative ones, as apt does of a repository made by
    ``dpkg-scanpackages .``. Raises RefusalError 400 where it leads out of the drive."""
    kept: list[str] = []
    names = 0
    """How many of those that are kept aren't empty."""
    for segment in raw.split("/")[1:]:
        if segment == "..":
            removed = kept.pop() if kept else None
            names -= bool(removed)
            if removed is None or (removed and names < len(mount)):
                raise RefusalError(400, "the URL leads out of the drive")
        elif segment != ".":
            kept.append(segment)
            names += bool(segment)
    return "/" + "/".join(kept)


def _decode_segment(raw: str) -> str:
    try:
        segment = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeError as error:
        raise RefusalError(400, "the URL is not UTF-8") from error
    if "/" in segment:
        raise RefusalError(400, "a name can't hold a slash")
    return segment
