"""Live properties (RFC 4918 §15, RFC 4331): each name with the element that a resource has.

Owns the table of names. Must not know requests. A property that a resource hasn't got is None.
"""

from collections.abc import Callable
from typing import Protocol
from xml.sax.saxutils import escape

from davbridge.dav.conditions import entity_tag, http_date
from davbridge.dav.locks import LockStore
from davbridge.dav.lockxml import SUPPORTED_LOCK, lock_discovery
from davbridge.dav.resources import BucketCollection, BucketMember, BucketObject
from davbridge.dav.xml import can_hold
from davbridge.tree.facts import FACTS

OWNCLOUD = "http://owncloud.org/ns"


class LiveProperty(Protocol):
    """The element of one property; None where ``resource`` doesn't have it."""

    def __call__(self, resource: BucketMember, locks: LockStore, /) -> str | None: ...


def _creation_date(resource: BucketMember, _: LockStore) -> str:
    """RFC 3339, in UTC."""
    return f"<D:creationdate>{resource.node.modified:%Y-%m-%dT%H:%M:%SZ}</D:creationdate>"


def _display_name(resource: BucketMember, _: LockStore) -> str | None:
    """Left out for a name that XML can't hold; its href still tells it."""
    name = resource.get_display_name()
    return f"<D:displayname>{escape(name)}</D:displayname>" if can_hold(name) else None


def _content_length(resource: BucketMember, _: LockStore) -> str | None:
    if isinstance(resource, BucketCollection):
        return None
    return f"<D:getcontentlength>{resource.get_content_length()}</D:getcontentlength>"


def _content_type(resource: BucketMember, _: LockStore) -> str | None:
    if isinstance(resource, BucketCollection):
        return None
    return f"<D:getcontenttype>{escape(resource.get_content_type())}</D:getcontenttype>"


def _etag(resource: BucketMember, _: LockStore) -> str | None:
    """The very text of the ETag header."""
    if isinstance(resource, BucketCollection):
        return None
    return f"<D:getetag>{escape(entity_tag(resource.node))}</D:getetag>"


def _last_modified(resource: BucketMember, _: LockStore) -> str:
    return f"<D:getlastmodified>{http_date(resource.node.modified)}</D:getlastmodified>"


def _lock_discovery(resource: BucketMember, locks: LockStore) -> str:
    return lock_discovery(locks.covering(resource.node.path), locks.now(), resource.provider.site)


def _resource_type(resource: BucketMember, _: LockStore) -> str:
    if isinstance(resource, BucketObject):
        return "<D:resourcetype/>"
    return "<D:resourcetype><D:collection/></D:resourcetype>"


def _supported_lock(resource: BucketMember, _: LockStore) -> str | None:
    return None if resource.provider.is_readonly() else SUPPORTED_LOCK


def _checksums(resource: BucketMember, _: LockStore) -> str | None:
    """ownCloud's, of the version that is there, where its writer told one."""
    facts = resource.node.facts
    if facts is None or not facts.checksums:
        return None
    checksum = f"<oc:checksum>{escape(facts.checksums)}</oc:checksum>"
    return f'<oc:checksums xmlns:oc="{OWNCLOUD}">{checksum}</oc:checksums>'


def _quota(
    name: str, of: Callable[[BucketCollection], int | None]
) -> Callable[[BucketMember, LockStore], str | None]:
    def quota(resource: BucketMember, _: LockStore) -> str | None:
        value = of(resource) if isinstance(resource, BucketCollection) else None
        return None if value is None else f"<D:{name}>{value}</D:{name}>"

    return quota


LIVE: dict[str, LiveProperty] = {
    "{DAV:}creationdate": _creation_date,
    "{DAV:}displayname": _display_name,
    "{DAV:}getcontentlength": _content_length,
    "{DAV:}getcontenttype": _content_type,
    "{DAV:}getetag": _etag,
    "{DAV:}getlastmodified": _last_modified,
    "{DAV:}lockdiscovery": _lock_discovery,
    "{DAV:}resourcetype": _resource_type,
    "{DAV:}supportedlock": _supported_lock,
    f"{{{OWNCLOUD}}}checksums": _checksums,
    "{DAV:}quota-available-bytes": _quota(
        "quota-available-bytes", BucketCollection.get_available_bytes
    ),
    "{DAV:}quota-used-bytes": _quota("quota-used-bytes", BucketCollection.get_used_bytes),
}
"""Every live property. None of them can be changed by PROPPATCH."""

PROTECTED = frozenset(LIVE) | {"{DAV:}getcontentlanguage", FACTS}
"""Names that PROPPATCH refuses."""

ALLPROP = tuple(
    name
    for name in LIVE
    if name.startswith("{DAV:}") and "quota" not in name and name != "{DAV:}supportedlock"
)
"""What RFC 4918 §15 defines (RFC 4331 §5 keeps the quota out), but for supportedlock: the same for
every resource, it would be a third of each entry, and Windows takes a megabyte at the most. Who
wants it names it, or includes it."""
