"""MKCOL (RFC 4918 §9.3).

Invariant: what is there already is neither replaced nor changed.
"""

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.response import Response, empty


def mkcol(context: Context) -> Response:
    """201. A body is refused with 415: none is defined. 405 where something is there already,
    409 where the parent isn't."""
    if context.request.has_body():
        raise RefusalError(415, "MKCOL takes no body")
    if context.resource is not None:
        raise RefusalError(405, "something is here already")
    parent, name = context.parent(), context.path[-1]
    context.check_conditions()
    parent.require_creatable(name)
    parent.make_collection(name, context.check_conditions)
    return empty(201)
