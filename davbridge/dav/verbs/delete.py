"""DELETE (RFC 4918 §9.6)."""

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.failures import failed_members, multi_status, refused_members
from davbridge.dav.response import Response, empty
from davbridge.tree.terms import Terms


def delete(context: Context) -> Response:
    """204; 207 naming the members that could not go, or whose locks stopped it all."""
    resource = context.require()
    path = context.path
    if not path:
        raise RefusalError(403, "the root can't be deleted")
    if resource.node.is_collection and context.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is deleted with Depth: infinity")
    context.check_conditions()
    context.guard.require_write(path)
    context.guard.require_membership(path)
    blocking = context.guard.blocking_below(path)
    if blocking:
        return multi_status(refused_members(blocking, context.request.site))
    failures = context.namespace.delete(path, Terms(context.if_match))
    if failures:
        return multi_status(failed_members(failures, context.request.site))
    context.locks.release_tree(path)
    return empty(204)
