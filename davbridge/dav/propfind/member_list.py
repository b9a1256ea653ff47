"""The responses of a collection's members, a page at a time.

Invariant: a page shows whatever was changed before it is rendered. Members and their properties are
compared with what was rendered before. Locks are never cached, because their time runs.
"""

from collections.abc import Mapping
from functools import partial

from davbridge.dav.headers.urls import Site, encode_segment
from davbridge.dav.locking.locks import LockStore
from davbridge.dav.locking.xml import lock_discovery
from davbridge.dav.propfind.renderer import NO_PROPERTIES, Renderer
from davbridge.dav.propfind.response_cache import (
    MemberEntry,
    MemberWithProperties,
    render_cached_page,
    render_page,
)
from davbridge.paths import canonical_name
from davbridge.tree.listing.members import Member, MemberListing, MemberPage
from davbridge.tree.properties.client_metadata import Properties, without_client_metadata
from davbridge.tree.properties.entries import Members, decode_properties, has_client_metadata
from davbridge.tree.resource import add_client_metadata


class MemberList:
    """The members of one collection, rendered for one query."""

    def __init__(
        self, members: MemberListing, renderer: Renderer, site: Site, locks: LockStore
    ) -> None:
        self._path = members.path
        self._renderer = renderer
        self._site = site
        self._locks = locks
        self._href = site.href(members.path, is_collection=True)
        self._fingerprint = renderer.fingerprint(self._href)
        self._properties = _visible_properties(
            members.properties, needs_dead_properties=renderer.needs_dead_properties
        )

    def responses(self, page: MemberPage) -> bytes:
        """The responses of a page. Members that haven't changed aren't rendered again."""
        entries, render = self._entries(page), partial(self._render, page, self._renderer)
        if self._renderer.query.is_small:
            rendered = render_cached_page(page.derived, self._fingerprint, entries, render)
        else:
            rendered = render_page(entries, render)
        locked = self._locked(page)
        if not locked:
            return rendered.text
        responses = list(rendered.responses())
        for place in locked:
            responses[place] = self._render_locked(page, entries[place])
        return b"".join(responses)

    def _entries(self, page: MemberPage) -> tuple[MemberEntry, ...]:
        if not self._properties:
            return page.members
        found = (self._properties.get(page.name_of(member)) for member in page.members)
        return tuple(
            MemberWithProperties(member, properties) if properties else member
            for member, properties in zip(page.members, found, strict=True)
        )

    def _render(self, page: MemberPage, renderer: Renderer, entry: MemberEntry) -> bytes:
        member, properties = _parts(entry)
        resource, dead = page.resource(member), NO_PROPERTIES
        if properties:
            resource = add_client_metadata(resource, properties)
            dead = (
                without_client_metadata(properties)
                if renderer.needs_dead_properties
                else NO_PROPERTIES
            )
        href = self._href + encode_segment(resource.path[-1]) + "/" * resource.is_collection
        return renderer.response(href, resource, dead).encode()

    def _render_locked(self, page: MemberPage, entry: MemberEntry) -> bytes:
        member, _ = _parts(entry)
        locks = self._locks.covering((*self._path, page.name_of(member)))
        discovery = lock_discovery(locks, self._locks.now(), self._site)
        context = self._renderer.context._replace(lock_discovery=discovery)
        return self._render(page, Renderer(self._renderer.query, context), entry)

    def _locked(self, page: MemberPage) -> list[int]:
        """The indexes of the members that have locks to show."""
        if not self._renderer.query.shows_locks:
            return []
        if any(lock.is_deep for lock in self._locks.covering(self._path)):
            return list(range(len(page.members)))
        below, depth = self._locks.rooted_below(self._path), len(self._path)
        names = {canonical_name(lock.root[depth]) for lock in below if len(lock.root) == depth + 1}
        if not names:
            return []
        shown = enumerate(map(page.name_of, page.members))
        return [place for place, name in shown if canonical_name(name) in names]


def _parts(entry: MemberEntry) -> tuple[Member, Properties]:
    if isinstance(entry, MemberWithProperties):
        return entry.member, decode_properties(entry.properties)
    return entry, NO_PROPERTIES


def _visible_properties(members: Members, *, needs_dead_properties: bool) -> Mapping[str, bytes]:
    """The properties that can be in an answer, encoded. Where no dead properties are wanted, these
    are those of members that have client metadata."""
    if needs_dead_properties:
        return members.encoded
    return {
        name: encoded for name, encoded in members.encoded.items() if has_client_metadata(encoded)
    }
