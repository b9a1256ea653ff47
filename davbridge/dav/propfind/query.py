"""The body of a PROPFIND (RFC 4918 §14.20): which properties it asks for."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from xml.etree.ElementTree import Element

from davbridge.dav.propfind.live_properties import LIVE_PROPERTIES
from davbridge.dav.xml_elements import DAV, MAX_NAMES, parse_document, refuse

_QUOTA = frozenset((DAV + "quota-available-bytes", DAV + "quota-used-bytes"))

_OLD_QUOTA = DAV + "quotaused"
"""Only Finder asks for it, when it mounts. From macOS 15.4 on it then waits for 90 seconds if the
answer has the quota."""

MAX_NAMES_LENGTH = 8 * 1024
"""Characters of all names together: the response of each member has them."""

SMALL_QUERY_SIZE = 4096
"""Bytes of a body, and characters of names, up to which a query is small. The largest of a known
client has a third of it."""


@dataclass(frozen=True, slots=True)
class PropertyQuery:
    """Which properties a client wants; with ``allprop``, ``names`` are those of DAV:include."""

    kind: Literal["allprop", "propname", "prop"]
    names: tuple[str, ...] = ()

    @property
    def is_small(self) -> bool:
        """Whether what is derived from it may be cached: clients' own queries are small."""
        return sum(map(len, self.names)) <= SMALL_QUERY_SIZE

    @property
    def needs_dead_properties(self) -> bool:
        """Whether the answer can have dead properties: reading them costs a request."""
        return self.kind != "prop" or any(name not in LIVE_PROPERTIES for name in self.names)

    @property
    def shows_locks(self) -> bool:
        """Whether the answer has DAV:lockdiscovery."""
        return self.kind == "allprop" or DAV + "lockdiscovery" in self.names

    @property
    def shows_quota(self) -> bool:
        """Whether the answer has the quota, or whether there is one."""
        if _OLD_QUOTA in self.names:
            return False
        return self.kind == "propname" or not _QUOTA.isdisjoint(self.names)


def parse_query(body: bytes) -> PropertyQuery:
    """What a PROPFIND body asks for; an empty one asks for allprop (§9.1)."""
    return _parse_cached(body) if len(body) <= SMALL_QUERY_SIZE else _parse(body)


def _parse(body: bytes) -> PropertyQuery:
    if not body.strip():
        return PropertyQuery("allprop")
    document = parse_document(body, "propfind")
    kinds = [child for child in document if child.tag in _KINDS]
    if len(kinds) != 1:
        refuse("propfind must hold one of prop, allprop and propname")
    kind = kinds[0].tag
    if kind == DAV + "propname":
        return PropertyQuery("propname")
    if kind == DAV + "prop":
        return PropertyQuery("prop", _names(kinds[0]))
    include = document.find(DAV + "include")
    return PropertyQuery("allprop", _names(include) if include is not None else ())


_KINDS = (DAV + "prop", DAV + "allprop", DAV + "propname")


_parse_cached = lru_cache(maxsize=64)(_parse)
"""Clients send the same few bodies again and again."""


def _names(element: Element) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(child.tag for child in element))
    if len(names) > MAX_NAMES:
        refuse(f"at most {MAX_NAMES} properties can be asked for at once")
    if sum(map(len, names)) > MAX_NAMES_LENGTH:
        refuse(f"the names of properties may have {MAX_NAMES_LENGTH} characters together")
    return names
