"""One DAV:response of a PROPFIND (RFC 4918 §9.1), from a resource and its properties.

Invariant: a response depends on the query, the property context, the href, the resource and its
dead properties alone. Equal ones have equal responses.
"""

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from davbridge.dav import multistatus
from davbridge.dav.multistatus import PropStat
from davbridge.dav.propfind.live_properties import (
    ALLPROP,
    LIVE_PROPERTIES,
    LiveProperty,
    PropertyContext,
)
from davbridge.dav.propfind.query import PropertyQuery
from davbridge.dav.xml_elements import empty_element
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.resource import Resource

NO_PROPERTIES: Properties = {}


class Renderer:
    """Renders resources for one query."""

    def __init__(self, query: PropertyQuery, context: PropertyContext) -> None:
        self.query = query
        self.context = context
        self.needs_dead_properties = query.needs_dead_properties
        self._columns = (_columns_cached if query.is_small else _columns)(query)

    def fingerprint(self, href: str) -> bytes:
        """Identifies what is rendered below ``href``: query, property context and href. It is a
        hash, because a query with many names would take more memory than the responses."""
        return sha256(repr((self.query, self.context, href)).encode()).digest()

    def response(self, href: str, resource: Resource, dead: Properties = NO_PROPERTIES) -> str:
        """The response of a resource, with the properties that the query asks for."""
        if self.query.kind == "propname":
            return multistatus.response(href, [PropStat(200, self._names(resource, dead))])
        found, missing = [], []
        for name, live, missing_element in self._columns:
            element = live(resource, self.context) if live else dead.get(name)
            if element is not None:
                found.append(element)
            elif missing_element:
                missing.append(missing_element)
        if dead and self.query.kind == "allprop":
            asked = frozenset(self.query.names).union(LIVE_PROPERTIES)
            found += [element for name, element in dead.items() if name not in asked]
        return multistatus.response(href, [PropStat(200, found), PropStat(404, missing)])

    def _names(self, resource: Resource, dead: Properties) -> list[str]:
        present = [
            name
            for name in LIVE_PROPERTIES
            if LIVE_PROPERTIES[name](resource, self.context) is not None
        ]
        return [empty_element(name) for name in (*present, *dead)]


class _Column(NamedTuple):
    """A property that is in every response, if only as missing."""

    name: str
    live: LiveProperty | None
    missing: str
    """The element where the resource doesn't have it; empty where the query doesn't name it."""


def _columns(query: PropertyQuery) -> tuple[_Column, ...]:
    always = ALLPROP if query.kind == "allprop" else ()
    return tuple(
        _Column(name, LIVE_PROPERTIES.get(name), empty_element(name) if name in query.names else "")
        for name in dict.fromkeys((*always, *query.names))
    )


_columns_cached = lru_cache(maxsize=64)(_columns)
