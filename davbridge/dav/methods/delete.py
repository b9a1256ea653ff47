"""DELETE (RFC 4918 §9.6).

Invariant: a lock inside, whose token isn't submitted, stops it before anything is deleted.
"""

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.methods.failures import failed_members, multi_status
from davbridge.dav.response import Response, empty
from davbridge.tree.operations.preconditions import Preconditions


def delete(context: Context) -> Response:
    """204; 207 naming the members that could not be deleted, or the locks that stopped it all."""
    resource = context.require()
    if not context.path:
        raise RefusalError(403, "the root can't be deleted")
    if resource.is_collection and context.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is deleted with Depth: infinity")
    context.check_conditions()
    if locked := resource.removal_refusals():
        return multi_status(locked)
    failures = resource.delete_tree(
        Preconditions(context.if_match), recheck=context.check_conditions
    )
    if failures:
        return multi_status(failed_members(failures, context.request.site))
    return empty(204)
