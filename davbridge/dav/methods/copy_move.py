"""COPY and MOVE (RFC 4918 §9.8, §9.9).

Invariants: all that can be refused is refused before anything is written; locks don't move along,
and go from what is gone or was replaced.

A request that would be refused for what it has done itself, as far as a bridge got that died then
(the source is gone, the target is there), goes on with that.
"""

from functools import partial

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.locking.locks import LocksToRelease
from davbridge.dav.methods.failures import failed_members, multi_status, refused_removal
from davbridge.dav.response import Response, empty
from davbridge.paths import ResourcePath, is_reserved
from davbridge.tree.journal.entry import Request, Verb
from davbridge.tree.operations.preconditions import Terms
from davbridge.tree.resource import Failure, Resource


def copy(context: Context) -> Response:
    """201 where the destination is new, 204 where it was replaced, 207 where members failed."""
    _refuse_reserved(context)
    resource = context.require()
    depth = context.request.depth
    if resource.is_collection and depth == "1":
        raise RefusalError(400, "a collection is copied with Depth: 0 or infinity")
    context.check_conditions()
    _refuse_overlap(context.path, context.request.destination, resource)
    if answer := _where_taken(context, "COPY", resource):
        return answer
    target = _admit(context)
    to_release = LocksToRelease(context.locks)
    failures = context.namespace.copy(
        context.path,
        context.request.destination,
        _terms(context, "COPY", to_release),
        recursive=depth != "0",
    )
    return _ended(context, failures, target, to_release)


def move(context: Context) -> Response:
    """As COPY, and the source is gone afterwards. Its locks don't move along (§7.6)."""
    _refuse_reserved(context)
    path = context.path
    if not path:
        raise RefusalError(403, "the root can't be moved")
    if context.resource is None and (answer := _go_on(context, "MOVE")):
        return answer
    resource = context.require()
    if resource.is_collection and context.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is moved with Depth: infinity")
    context.check_conditions()
    if refused := refused_removal(context.enforcement, path, context.request.site):
        return refused
    destination = context.request.destination
    _refuse_overlap(path, destination, resource)
    if answer := _where_taken(context, "MOVE", resource):
        return answer
    target = _admit(context)
    to_release = LocksToRelease(context.locks)
    terms = _terms(context, "MOVE", to_release)
    failures = context.namespace.move(path, destination, terms, user=context.request.user)
    return _ended(context, failures, target, to_release)


def _refuse_reserved(context: Context) -> None:
    """A name of davbridge's own is refused as such, as litmus 0.18 (`protected`) asks, and not as
    one that is missing."""
    if any(map(is_reserved, context.path)):
        raise RefusalError(403, "the name is davbridge's own")


def _go_on(context: Context, verb: Verb) -> Response | None:
    """The answer to what was begun before; None where nothing was, or where locks forbid it now."""
    source, destination = context.path, context.request.destination
    request = Request(verb, source, destination, context.request.user)
    try:
        outcome = context.namespace.go_on(request, partial(_require_unlocked, context, verb))
    except RefusalError:
        return None
    if outcome is None:
        return None
    if outcome.failures:
        return _failed(context, outcome.failures)
    if verb == "MOVE":
        context.locks.release_tree(source)
    return empty(201 if outcome.is_new else 204)


def _terms(context: Context, verb: Verb, to_release: LocksToRelease) -> Terms:
    """What has been written and locked since it was admitted counts as what was before.

    A lock on the destination itself stays; those on what is replaced inside it go (§7.6), and the
    source's.
    """

    source, destination = context.path, context.request.destination

    def admit() -> None:
        context.check_conditions()
        _require_unlocked(context, verb)
        if context.namespace.find(destination) is None:
            context.enforcement.require_membership(destination)
        if verb == "MOVE":
            context.enforcement.require_membership(source)
            to_release.collect(source)
        to_release.collect(destination, inside_only=True)

    return context.terms._replace(admit=admit)


def _require_unlocked(context: Context, verb: Verb) -> None:
    """Raises RefusalError 423."""
    source, destination = context.path, context.request.destination
    for path in (destination,) if verb == "COPY" else (destination, source):
        context.enforcement.require_tree(path)


def _ended(
    context: Context, failures: list[Failure], target: Resource | None, to_release: LocksToRelease
) -> Response:
    if failures:
        return _failed(context, failures)
    to_release.release()
    return empty(204 if target else 201)


def _failed(context: Context, failures: list[Failure]) -> Response:
    return multi_status(failed_members(failures, context.request.site))


def _where_taken(context: Context, verb: Verb, resource: Resource) -> Response | None:
    """The answer where something is at the destination that must not be replaced, since this very
    request has put it there. Raises RefusalError 412 where somebody else has."""
    request = context.request
    if request.overwrite or context.namespace.find(request.destination) is None:
        return None
    if resource.is_collection and (answer := _go_on(context, verb)):
        return answer
    raise RefusalError(412, "the destination exists, and Overwrite is F")


def _admit(context: Context) -> Resource | None:
    """All that is asked of a destination before anything is written; what is there now."""
    destination = context.request.destination
    target = context.namespace.find(destination)
    context.enforcement.require_tree(destination)
    if target is None:
        context.enforcement.require_membership(destination)
        parent = context.namespace.find(destination[:-1])
        if parent is None or not parent.is_collection:
            raise RefusalError(409, "the destination's parent collection doesn't exist")
    return target


def _refuse_overlap(source: ResourcePath, destination: ResourcePath, resource: Resource) -> None:
    """A collection inside itself has no end, and a resource onto itself nothing to do; an
    ancestor as the destination would be emptied of the source (§9.8.5, §9.9.4: 403)."""
    if source == destination:
        raise RefusalError(403, "source and destination are the same")
    if resource.is_collection and destination[: len(source)] == source:
        raise RefusalError(403, "the destination is inside the source")
    if source[: len(destination)] == destination:
        raise RefusalError(403, "the source is inside the destination")
