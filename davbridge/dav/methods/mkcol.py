"""MKCOL (RFC 4918 §9.3).

Invariant: what is there already is neither replaced nor changed.
"""

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.response import Response, empty


def mkcol(context: Context) -> Response:
    """201. A body is refused with 415: none is defined. 405 where something is there already,
    409 where the parent isn't."""
    if context.request.length != 0:
        raise RefusalError(415, "MKCOL takes no body")
    if context.resource is not None:
        raise RefusalError(405, "something is here already")
    _admit(context)
    context.namespace.make_collection(context.path, lambda _: _admit(context))
    return empty(201)


def _admit(context: Context) -> None:
    """Before, and once more right before it is made. Raises RefusalError 412, 423."""
    context.check_conditions()
    context.enforcement.require_write(context.path)
    context.enforcement.require_membership(context.path)
