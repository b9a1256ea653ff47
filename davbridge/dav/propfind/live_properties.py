"""Live properties (RFC 4918 §15, RFC 4331): each name with the element that a resource has.

An element depends on the resource and on the PropertyContext, and on nothing else. It is None where
the resource doesn't have the property.
"""

from typing import NamedTuple, Protocol

from davbridge.dav.headers.content_type import guess_type
from davbridge.dav.headers.validators import entity_tag, http_date, internet_date
from davbridge.dav.locking.xml import NO_LOCKS, SUPPORTED_LOCK
from davbridge.tree.properties.client_metadata import CLIENT_METADATA
from davbridge.tree.resource import Resource
from davbridge.xmltext import escape_text, is_xml_text

OWNCLOUD = "http://owncloud.org/ns"


class PropertyContext(NamedTuple):
    """What an element depends on besides the resource."""

    lock_discovery: str = NO_LOCKS
    """The element for the locks that cover the resource."""
    is_read_only: bool = False
    used_bytes: int | None = None
    """Of the whole mount; None where it isn't known, or isn't published."""
    available_bytes: int | None = None
    """Likewise, and where there is no quota."""


class LiveProperty(Protocol):
    """The element of one property; None where ``resource`` doesn't have it."""

    def __call__(self, resource: Resource, context: PropertyContext, /) -> str | None: ...


def _creation_date(resource: Resource, _: PropertyContext) -> str:
    """S3 has no other time than the last write's."""
    return f"<D:creationdate>{internet_date(resource.modified)}</D:creationdate>"


def _display_name(resource: Resource, _: PropertyContext) -> str | None:
    """None for a name that XML can't hold; the href has it."""
    name = resource.name
    return f"<D:displayname>{escape_text(name)}</D:displayname>" if is_xml_text(name) else None


def _content_length(resource: Resource, _: PropertyContext) -> str | None:
    row = resource.row
    return row and f"<D:getcontentlength>{row.size}</D:getcontentlength>"


def _content_type(resource: Resource, _: PropertyContext) -> str | None:
    if resource.row is None:
        return None
    return f"<D:getcontenttype>{guess_type(resource.name)}</D:getcontenttype>"


def _etag(resource: Resource, _: PropertyContext) -> str | None:
    """The same text as in the ETag header."""
    return resource.row and f"<D:getetag>{escape_text(entity_tag(resource))}</D:getetag>"


def _last_modified(resource: Resource, _: PropertyContext) -> str:
    return f"<D:getlastmodified>{http_date(resource.modified)}</D:getlastmodified>"


def _lock_discovery(_: Resource, context: PropertyContext) -> str:
    return context.lock_discovery


def _resource_type(resource: Resource, _: PropertyContext) -> str:
    if resource.row is not None:
        return "<D:resourcetype/>"
    return "<D:resourcetype><D:collection/></D:resourcetype>"


def _supported_lock(_: Resource, context: PropertyContext) -> str | None:
    return None if context.is_read_only else SUPPORTED_LOCK


def _checksums(resource: Resource, _: PropertyContext) -> str | None:
    """ownCloud's property: the checksum that came with this version."""
    client_metadata = resource.client_metadata
    if client_metadata is None or not client_metadata.checksums:
        return None
    checksum = f"<oc:checksum>{escape_text(client_metadata.checksums)}</oc:checksum>"
    return f'<oc:checksums xmlns:oc="{OWNCLOUD}">{checksum}</oc:checksums>'


def _available_bytes(resource: Resource, context: PropertyContext) -> str | None:
    return _quota("quota-available-bytes", resource, context.available_bytes)


def _used_bytes(resource: Resource, context: PropertyContext) -> str | None:
    return _quota("quota-used-bytes", resource, context.used_bytes)


def _quota(name: str, resource: Resource, value: int | None) -> str | None:
    if resource.row is not None or value is None:
        return None
    return f"<D:{name}>{value}</D:{name}>"


LIVE_PROPERTIES: dict[str, LiveProperty] = {
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
    "{DAV:}quota-available-bytes": _available_bytes,
    "{DAV:}quota-used-bytes": _used_bytes,
}
"""Every live property. None of them can be changed by PROPPATCH."""

PROTECTED = frozenset(LIVE_PROPERTIES) | {"{DAV:}getcontentlanguage", CLIENT_METADATA}
"""Names that PROPPATCH refuses."""

ALLPROP = tuple(
    name
    for name in LIVE_PROPERTIES
    if name.startswith("{DAV:}") and "quota" not in name and name != "{DAV:}supportedlock"
)
"""What allprop gives: what RFC 4918 §15 defines, without supportedlock. That is the same for every
resource, and would be a third of each response; Windows takes a megabyte at the most. A client can
name it, or include it. RFC 4331 §5 excludes the quota."""
