"""DELETE (RFC 4918 §9.6)."""

from davbridge.dav.errors import RefusalError
from davbridge.dav.exchange import Exchange, Response, empty
from davbridge.dav.failures import failed_members, multi_status, refused_members


def delete(exchange: Exchange) -> Response:
    """204; 207 naming the members that could not go, or whose locks stopped it all."""
    resource = exchange.require()
    path = exchange.path
    if not path:
        raise RefusalError(403, "the root can't be deleted")
    if resource.node.is_collection and exchange.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is deleted with Depth: infinity")
    exchange.check_conditions()
    exchange.guard.require_write(path)
    exchange.guard.require_membership(path)
    blocking = exchange.guard.blocking_below(path)
    if blocking:
        return multi_status(refused_members(blocking, exchange.request.site))
    failures = exchange.namespace.delete(path)
    if failures:
        return multi_status(failed_members(failures, exchange.request.site))
    exchange.locks.release_tree(path)
    return empty(204)
