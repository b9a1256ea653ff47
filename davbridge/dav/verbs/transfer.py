"""COPY and MOVE (RFC 4918 §9.8, §9.9)."""

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.failures import failed_members, multi_status, refused_members
from davbridge.dav.response import Response, empty
from davbridge.paths import ResourcePath, is_reserved
from davbridge.tree.resource import Resource


def copy(context: Context) -> Response:
    """201 where the destination is new, 204 where it was replaced, 207 where members failed."""
    node = _source(context)
    depth = context.request.depth
    if node.is_collection and depth == "1":
        raise RefusalError(400, "a collection is copied with Depth: 0 or infinity")
    context.check_conditions()
    target = _admit(context, node)
    failures = context.namespace.copy(
        context.path, context.request.destination, recursive=depth != "0"
    )
    if failures:
        return multi_status(failed_members(failures, context.request.site))
    return _done(context, target)


def move(context: Context) -> Response:
    """As COPY, and the source is gone afterwards. Its locks don't move along (§7.6)."""
    node = _source(context)
    path = context.path
    if not path:
        raise RefusalError(403, "the root can't be moved")
    if node.is_collection and context.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is moved with Depth: infinity")
    context.check_conditions()
    context.guard.require_write(path)
    context.guard.require_membership(path)
    blocking = context.guard.blocking_below(path)
    if blocking:
        return multi_status(refused_members(blocking, context.request.site))
    target = _admit(context, node)
    failures = context.namespace.move(path, context.request.destination)
    if failures:
        return multi_status(failed_members(failures, context.request.site))
    context.locks.release_tree(path)
    return _done(context, target)


def _source(context: Context) -> Resource:
    """What is copied or moved. A name of davbridge's own is refused as such, as litmus 0.18
    (`protected`) asks, and not as one that is missing."""
    if any(map(is_reserved, context.path)):
        raise RefusalError(403, "the name is davbridge's own")
    return context.require().node


def _done(context: Context, target: Resource | None) -> Response:
    """A lock on the destination itself stays; those on what was replaced inside it go (§7.6)."""
    if target is None:
        return empty(201)
    for lock in context.locks.rooted_below(target.path):
        context.locks.release(lock.token)
    return empty(204)


def _admit(context: Context, node: Resource) -> Resource | None:
    """All that is asked of a destination before anything is written; what is there now."""
    destination = context.request.destination
    _refuse_overlap(context.path, destination, node)
    target = context.namespace.find(destination)
    if target is not None and not context.request.overwrite:
        raise RefusalError(412, "the destination exists, and Overwrite is F")
    context.guard.require_tree(destination)
    if target is None:
        context.guard.require_membership(destination)
        parent = context.namespace.find(destination[:-1])
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
