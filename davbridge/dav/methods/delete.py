"""DELETE (RFC 4918 §9.6).

Invariants: a lock inside, whose token isn't shown, stops it before anything goes; locks go with
what they were on, once it is gone.
"""

from functools import partial

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.locking.locks import LocksToRelease
from davbridge.dav.methods.failures import failed_members, multi_status, refused_removal
from davbridge.dav.response import Response, empty
from davbridge.tree.operations.preconditions import Terms


def delete(context: Context) -> Response:
    """204; 207 naming the members that could not go, or whose locks stopped it all."""
    resource = context.require()
    path = context.path
    if not path:
        raise RefusalError(403, "the root can't be deleted")
    if resource.is_collection and context.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is deleted with Depth: infinity")
    context.check_conditions()
    if refused := refused_removal(context.enforcement, path, context.request.site):
        return refused
    to_release = LocksToRelease(context.locks)
    terms = Terms(context.if_match, admit=partial(_admit, context, to_release))
    failures = context.namespace.delete(path, terms)
    if failures:
        return multi_status(failed_members(failures, context.request.site))
    to_release.release()
    return empty(204)


def _admit(context: Context, to_release: LocksToRelease) -> None:
    """What has been written and locked since counts as well. Raises RefusalError 412, 423."""
    context.check_conditions()
    context.enforcement.require_removal(context.path)
    context.enforcement.require_tree(context.path)
    to_release.collect(context.path)
