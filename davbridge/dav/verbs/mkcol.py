"""MKCOL (RFC 4918 §9.3)."""

from davbridge.dav.errors import RefusalError
from davbridge.dav.exchange import Exchange, Response, empty


def mkcol(exchange: Exchange) -> Response:
    """201. A body is refused with 415: none is defined. 405 where something is there already,
    409 where the parent isn't."""
    if exchange.request.length != 0:
        raise RefusalError(415, "MKCOL takes no body")
    if exchange.node is not None:
        raise RefusalError(405, "something is here already")
    exchange.check_conditions()
    exchange.guard.require_write(exchange.path)
    exchange.guard.require_membership(exchange.path)
    exchange.namespace.make_collection(exchange.path)
    return empty(201)
