"""What WsgiDAV's own request server leaves in a request's environment, for our resources.

Owns the reading of headers there, and the questions to WsgiDAV's lock manager. Our own request
server needs none of this: it has Request and LockEnforcement.
"""

import re
from typing import Any

from wsgidav import util
from wsgidav.dav_error import DAVError
from wsgidav.lock_man.lock_manager import LockManager, normalize_lock_root

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
    """The bytes that WsgiDAV will read in answer to this GET, unless If-Range is against it."""
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
    """What the store has to hold a PUT to. ``etag``: the present version's, empty for none."""
    if (header(environ, "IF_NONE_MATCH") or "").strip() == "*":
        return Condition(if_absent=True)
    return Condition(if_match=etag if etag and is_for_version(environ) else None)


def allows_overwrite(environ: Environ) -> bool:
    return (header(environ, "OVERWRITE") or "T").upper() != "F"


def has_ambiguous_destination(environ: Environ) -> bool:
    """Whether the Destination has an encoded ``;`` or ``?``: WsgiDAV decodes it before it splits
    off parameters and a query, and so takes another resource for it."""
    return _AMBIGUOUS.search(header(environ, "DESTINATION") or "") is not None


class Locks:
    """The locks of a provider whose lock manager is WsgiDAV's, or that has none, as one request
    has to keep them. Resources are named by their ``ref_url``."""

    def __init__(self, manager: LockManager | None, environ: Environ) -> None:
        self._manager = manager
        self._environ = environ

    def require(self, ref_url: str) -> None:
        """That the resource isn't locked by anyone else. Raises DAVError 423."""
        if self._manager is not None:
            tokens, principal = self._shown()
            self._manager.check_write_permission(
                url=ref_url, depth="0", token_list=tokens, principal=principal
            )

    def blocking_inside(self, ref_url: str) -> list[str]:
        """The roots of the locks inside a collection that keep it from being replaced or removed.

        WsgiDAV's own check takes a lock for an obstacle whose token was shown.
        """
        tokens, principal = self._shown()
        locks = self._below(ref_url)
        opened = {
            lock["root"]
            for lock in locks
            if lock["principal"] == principal and lock["token"] in tokens
        }
        return list(dict.fromkeys(lock["root"] for lock in locks if lock["root"] not in opened))

    def require_tree(self, ref_url: str) -> None:
        """That neither the resource nor anything inside it is locked by anyone else. Raises
        DAVError 423."""
        self.require(ref_url)
        if self.blocking_inside(ref_url):
            raise DAVError(423)

    def release(self, ref_url: str) -> None:
        """Removes the locks on a resource and inside it."""
        if self._manager is not None:
            self.release_inside(ref_url)
            self._manager.remove_all_locks_from_url(ref_url)

    def release_inside(self, ref_url: str) -> None:
        """Removes the locks inside a collection."""
        if self._manager is not None:
            for lock in self._below(ref_url):
                self._manager.release(lock["token"])

    def _below(self, ref_url: str) -> list[dict[str, Any]]:
        if self._manager is None:
            return []
        while True:
            try:
                locks = self._manager.get_url_lock_list(ref_url, recursive=True)
            except RuntimeError:
                # It has removed an expired lock from the dict that it goes through (WsgiDAV
                # 4.4.0). There is one less now.
                continue
            root = normalize_lock_root(ref_url)
            return [lock for lock in locks if lock["root"] != root]

    def _shown(self) -> tuple[list[str], str]:
        """The tokens that the request shows, and who sent it."""
        if "wsgidav.conditions.if" not in self._environ:
            util.parse_if_header_dict(self._environ)
        principal = self._environ.get("wsgidav.user_name", "anonymous")
        return self._environ["wsgidav.ifLockTokenList"], principal
