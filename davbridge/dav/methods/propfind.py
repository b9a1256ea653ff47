"""PROPFIND (RFC 4918 §9.1).

Invariants: the members come from one listing, without a request for any of them, except empty
objects that another tool has written. The answer begins when the first page of the listing is
there. With Depth: 1, a member that hasn't changed isn't rendered again. An answer that can't be
completed breaks the connection.
"""

from collections.abc import Iterator

from davbridge.dav import multistatus
from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.locking.xml import lock_discovery
from davbridge.dav.propfind.live_properties import PropertyContext
from davbridge.dav.propfind.query import PropertyQuery, parse_query
from davbridge.dav.propfind.renderer import NO_PROPERTIES, Renderer
from davbridge.dav.resources.collection import Collection, RenderedMembers, TooManyMembersError
from davbridge.dav.resources.file import File
from davbridge.dav.response import XML, Response, complete, streamed
from davbridge.errors import NotACollectionError


def propfind(context: Context) -> Response:
    """207, streamed where it is long. A missing Depth counts as 1, and not as infinity, as RFC 4918
    §9.1 has it: clients that leave it out want no tree. Infinity is refused with
    propfind-finite-depth if more is inside than `DriveSettings.infinity_limit`. If that is known
    only when the answer has begun, the connection is broken."""
    query = parse_query(context.request.xml_body())
    if context.request.depth == "infinity" and context.provider.infinity_limit:
        return _tree(context, query)
    if context.request.depth == "infinity":
        raise _too_deep("Depth: infinity is not offered")
    collection = _listed(context)
    resource = collection or context.require()
    context.check_conditions()
    renderer = Renderer(query, _property_context(context, query))
    opening = (multistatus.OPENING + _own_response(context, renderer, resource)).encode()
    if collection is None:
        return _complete(opening)
    site, locks = context.provider.site, context.locks
    return _answer(opening, collection.members_as_responses(renderer, site, locks))


def _tree(context: Context, query: PropertyQuery) -> Response:
    found = context.require()
    context.check_conditions()
    renderer = Renderer(query, _property_context(context, query))
    opening = (multistatus.OPENING + _own_response(context, renderer, found)).encode()
    if not isinstance(found, Collection):
        return _complete(opening)
    provider = context.provider
    pages = found.tree_as_responses(
        renderer, provider.site, context.locks, provider.infinity_limit - 1
    )
    try:
        return _answer(opening, pages)
    except TooManyMembersError as error:
        raise _too_deep(str(error)) from error


def _too_deep(message: str) -> RefusalError:
    return RefusalError(403, message, condition="propfind-finite-depth")


def _listed(context: Context) -> Collection | None:
    """The collection, where its members are wanted and it can have any. It is listed before it is
    looked up: a listing with anything in it also proves that the collection exists."""
    if context.request.depth == "0":
        return None
    try:
        return context.listed()
    except NotACollectionError:
        return None


def _property_context(context: Context, query: PropertyQuery) -> PropertyContext:
    """What all responses depend on. It is a part of their cache key, so it has only what they
    show."""
    return context.provider.property_context(with_quota=query.shows_quota)


def _own_response(context: Context, renderer: Renderer, asked: Collection | File) -> str:
    """The response of the resource that was asked for, with the locks that cover it; empty if the
    client doesn't want it."""
    if context.request.excludes_root:
        return ""
    resource = asked.resource
    locks, site, query = context.locks, context.provider.site, renderer.query
    if query.shows_locks:
        discovery = lock_discovery(locks.covering(resource.path), locks.now(), site)
        renderer = Renderer(query, renderer.context._replace(lock_discovery=discovery))
    dead = asked.dead_properties() if query.needs_dead_properties else NO_PROPERTIES
    href = site.href(resource.path, is_collection=resource.is_collection)
    return renderer.response(href, resource, dead)


def _answer(opening: bytes, pages: Iterator[RenderedMembers]) -> Response:
    """With its length if the listing has one page; else it is streamed, page by page."""
    first = next(pages, None)
    if first is None:
        return _complete(opening)
    block = opening + first.responses
    if first.is_last:
        return _complete(block)
    return Response(207, [("Content-Type", XML)], streamed(_blocks(block, pages)))


def _blocks(first: bytes, pages: Iterator[RenderedMembers]) -> Iterator[bytes]:
    yield first
    for page in pages:
        yield page.responses
    yield multistatus.CLOSING.encode()


def _complete(block: bytes) -> Response:
    body = block + multistatus.CLOSING.encode()
    return complete(207, XML, body)
