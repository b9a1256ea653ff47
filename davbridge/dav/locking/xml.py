"""Locks as XML: DAV:lockdiscovery and DAV:supportedlock (RFC 4918 §15.8, §15.10)."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.locks import Lock


def _entry(scope: str) -> str:
    return (
        f"<D:lockentry><D:lockscope><D:{scope}/></D:lockscope>"
        "<D:locktype><D:write/></D:locktype></D:lockentry>"
    )


SUPPORTED_LOCK = f"<D:supportedlock>{_entry('exclusive')}{_entry('shared')}</D:supportedlock>"


NO_LOCKS = "<D:lockdiscovery/>"


def lock_discovery(locks: Iterable[Lock], now: float, site: Site) -> str:
    """The locks that cover a resource, with the seconds that each has left at ``now``."""
    active = "".join(_active_lock(lock, now, site) for lock in locks)
    return f"<D:lockdiscovery>{active}</D:lockdiscovery>" if active else NO_LOCKS


def _active_lock(lock: Lock, now: float, site: Site) -> str:
    scope = "exclusive" if lock.is_exclusive else "shared"
    depth = "infinity" if lock.is_deep else "0"
    root = site.href(lock.root, is_collection=lock.is_collection)
    return (
        "<D:activelock>"
        "<D:locktype><D:write/></D:locktype>"
        f"<D:lockscope><D:{scope}/></D:lockscope>"
        f"<D:depth>{depth}</D:depth>"
        f"{lock.owner}"
        f"<D:timeout>Second-{max(0, round(lock.expires - now))}</D:timeout>"
        f"<D:locktoken><D:href>{escape(lock.token)}</D:href></D:locktoken>"
        f"<D:lockroot><D:href>{root}</D:href></D:lockroot>"
        "</D:activelock>"
    )
