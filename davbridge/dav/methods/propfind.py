"""PROPFIND (RFC 4918 §9.1).

Invariants: the members come from one listing, none is asked for on its own; the answer's first
bytes leave when the first page of the listing is there; what was rendered before, for an equal
member, isn't rendered again; an answer that can't be completed breaks the connection.
"""

from collections.abc import Iterator

from davbridge.dav import multistatus
from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.locking.xml import lock_discovery
from davbridge.dav.propfind.live_properties import PropertyContext
from davbridge.dav.propfind.member_list import MemberList
from davbridge.dav.propfind.query import PropertyQuery, parse_query
from davbridge.dav.propfind.renderer import NO_PROPERTIES, Renderer
from davbridge.dav.response import XML, Response, complete, streamed
from davbridge.errors import NotACollectionError
from davbridge.tree.listing.members import MemberPage, Members
from davbridge.tree.resource import Resource


def propfind(context: Context) -> Response:
    """207, streamed where it is long. A missing Depth counts as 1: what RFC 4918 has it count
    as, infinity, is refused with propfind-finite-depth, and some clients just leave it out."""
    query = parse_query(context.request.xml_body())
    if context.request.depth == "infinity":
        raise RefusalError(403, "Depth: infinity is not offered", condition="propfind-finite-depth")
    members = _listed(context)
    resource = Resource(members.path, None) if members else context.require()
    context.check_conditions()
    renderer = Renderer(query, _property_context(context, query))
    opening = (multistatus.OPENING + _own_response(context, renderer, resource)).encode()
    if members is None:
        return _complete(opening)
    responses = MemberList(members, renderer, context.provider.site, context.locks)
    return _answer(opening, members.pages, responses)


def _listed(context: Context) -> Members | None:
    """The members, where they are wanted and there can be any. The listing is asked for first:
    where it has anything, it also proves that the collection exists."""
    if context.request.depth == "0":
        return None
    try:
        return context.namespace.listed(context.path)
    except NotACollectionError:
        return None


def _property_context(context: Context, query: PropertyQuery) -> PropertyContext:
    """What all responses depend on; no more of it than they show, since it is compared."""
    return context.provider.property_context(with_quota=query.shows_quota)


def _own_response(context: Context, renderer: Renderer, resource: Resource) -> str:
    """The response of the resource that was asked for, with the locks that cover it."""
    locks, site, query = context.locks, context.provider.site, renderer.query
    if query.shows_locks:
        discovery = lock_discovery(locks.covering(resource.path), locks.now(), site)
        renderer = Renderer(query, renderer.context._replace(lock_discovery=discovery))
    dead = (
        context.namespace.properties(resource.path)
        if query.needs_dead_properties
        else NO_PROPERTIES
    )
    href = site.href(resource.path, is_collection=resource.is_collection)
    return renderer.response(href, resource, dead)


def _answer(opening: bytes, pages: Iterator[MemberPage], members: MemberList) -> Response:
    """With its length where the listing has one page; else it is streamed, as the pages come."""
    first = next(pages, None)
    if first is None:
        return _complete(opening)
    block = opening + members.responses(first)
    if first.is_last:
        return _complete(block)
    headers = [("Content-Type", XML)]
    return Response(207, headers, streamed(_blocks(block, pages, members)))


def _blocks(first: bytes, pages: Iterator[MemberPage], members: MemberList) -> Iterator[bytes]:
    yield first
    for page in pages:
        yield members.responses(page)
    yield multistatus.CLOSING.encode()


def _complete(block: bytes) -> Response:
    body = block + multistatus.CLOSING.encode()
    return complete(207, XML, body)
