"""COPY and MOVE (RFC 4918 §9.8, §9.9)."""

from davbridge.dav.errors import RefusalError
from davbridge.dav.exchange import Exchange, Response, empty
from davbridge.dav.failures import failed_members, multi_status, refused_members
from davbridge.paths import ResourcePath, is_reserved
from davbridge.tree.resource import Resource


def copy(exchange: Exchange) -> Response:
    """201 where the destination is new, 204 where it was replaced, 207 where members failed."""
    node = _source(exchange)
    depth = exchange.request.depth
    if node.is_collection and depth == "1":
        raise RefusalError(400, "a collection is copied with Depth: 0 or infinity")
    exchange.check_conditions()
    target = _admit(exchange, node)
    failures = exchange.namespace.copy(
        exchange.path, exchange.request.destination, recursive=depth != "0"
    )
    if failures:
        return multi_status(failed_members(failures, exchange.request.site))
    return _done(exchange, target)


def move(exchange: Exchange) -> Response:
    """As COPY, and the source is gone afterwards. Its locks don't move along (§7.6)."""
    node = _source(exchange)
    path = exchange.path
    if not path:
        raise RefusalError(403, "the root can't be moved")
    if node.is_collection and exchange.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is moved with Depth: infinity")
    exchange.check_conditions()
    exchange.guard.require_write(path)
    exchange.guard.require_membership(path)
    blocking = exchange.guard.blocking_below(path)
    if blocking:
        return multi_status(refused_members(blocking, exchange.request.site))
    target = _admit(exchange, node)
    failures = exchange.namespace.move(path, exchange.request.destination)
    if failures:
        return multi_status(failed_members(failures, exchange.request.site))
    exchange.locks.release_tree(path)
    return _done(exchange, target)


def _source(exchange: Exchange) -> Resource:
    """What is copied or moved. A name of davbridge's own is refused as such, as litmus 0.18
    (`protected`) asks, and not as one that is missing."""
    if any(map(is_reserved, exchange.path)):
        raise RefusalError(403, "the name is davbridge's own")
    return exchange.require().node


def _done(exchange: Exchange, target: Resource | None) -> Response:
    """A lock on the destination itself stays; those on what was replaced inside it go (§7.6)."""
    if target is None:
        return empty(201)
    for lock in exchange.locks.rooted_below(target.path):
        exchange.locks.release(lock.token)
    return empty(204)


def _admit(exchange: Exchange, node: Resource) -> Resource | None:
    """All that is asked of a destination before anything is written; what is there now."""
    destination = exchange.request.destination
    _refuse_overlap(exchange.path, destination, node)
    target = exchange.namespace.find(destination)
    if target is not None and not exchange.request.overwrite:
        raise RefusalError(412, "the destination exists, and Overwrite is F")
    exchange.guard.require_tree(destination)
    if target is None:
        exchange.guard.require_membership(destination)
        parent = exchange.namespace.find(destination[:-1])
        if parent is None or not parent.is_collection:
            raise RefusalError(409, "the destination's parent collection doesn't exist")
    return target


def _refuse_overlap(source: ResourcePath, destination: ResourcePath, node: Resource) -> None:
    """A collection inside itself has no end, and a resource onto itself nothing to do; an
    ancestor as the destination would be emptied of the source (§9.8.5, §9.9.4: 403)."""
    if source == destination:
        raise RefusalError(403, "source and destination are the same")
    if node.is_collection and destination[: len(source)] == source:
        raise RefusalError(403, "the destination is inside the source")
    if source[: len(destination)] == destination:
        raise RefusalError(403, "the source is inside the destination")
