"""COPY and MOVE (RFC 4918 §9.8, §9.9).

Invariant: what can be refused is refused before anything is written.

A bridge may have died in the middle of a COPY or MOVE. When the client sends that again, the source
is gone or the target exists, and the request would be refused. It resumes the operation instead.
"""

from functools import partial

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.methods.failures import failed_members, multi_status
from davbridge.dav.resources.collection import Collection
from davbridge.dav.resources.file import File
from davbridge.dav.response import Response, empty
from davbridge.paths import ResourcePath, is_reserved
from davbridge.tree.journal.entry import OperationRequest, Verb
from davbridge.tree.operations.planner import is_respelled, require_no_overlap
from davbridge.tree.resource import Failure, Resource


def copy(context: Context) -> Response:
    """201 where the destination is new, 204 where it was replaced, 207 where members failed."""
    _refuse_reserved(context)
    source = context.require()
    depth = context.request.depth
    if source.is_collection and depth == "1":
        raise RefusalError(400, "a collection is copied with Depth: 0 or infinity")
    context.check_conditions()
    require_no_overlap(
        context.path, context.request.destination, is_collection=source.is_collection
    )
    target = context.provider.find(context.request.destination)
    if answer := _resume_or_refuse(context, "COPY", source, target):
        return answer
    _check_destination(context, source, target)
    failures = source.copy_to(
        context.request.destination,
        context.preconditions,
        recursive=depth != "0",
        recheck=context.check_conditions,
    )
    return _answer(context, failures, target)


def move(context: Context) -> Response:
    """As COPY, and the source is gone afterwards."""
    _refuse_reserved(context)
    if not context.path:
        raise RefusalError(403, "the root can't be moved")
    if context.resource is None and (answer := _resume(context, "MOVE")):
        return answer
    source = context.require()
    if source.is_collection and context.request.depth not in (None, "infinity"):
        raise RefusalError(400, "a collection is moved with Depth: infinity")
    context.check_conditions()
    if locked := source.removal_refusals():
        return multi_status(locked)
    require_no_overlap(
        context.path, context.request.destination, is_collection=source.is_collection
    )
    target = context.provider.find(context.request.destination)
    if target and is_respelled(source.resource, target, context.request.destination):
        target = None
    if answer := _resume_or_refuse(context, "MOVE", source, target):
        return answer
    _check_destination(context, source, target)
    failures = source.move_to(
        context.request.destination,
        context.preconditions,
        user=context.request.user,
        recheck=context.check_conditions,
    )
    return _answer(context, failures, target)


def _refuse_reserved(context: Context) -> None:
    """A name of davbridge's own is refused as such, as litmus 0.18 (`protected`) asks, and not as
    one that is missing."""
    if any(map(is_reserved, context.path)):
        raise RefusalError(403, "the name is davbridge's own")


def _resume_or_refuse(
    context: Context, method: Verb, source: Collection | File, target: Resource | None
) -> Response | None:
    """The answer where ``target`` exists and must not be replaced, but this very request has put it
    there before. Raises RefusalError 412 where it must not be replaced otherwise."""
    if context.request.overwrite or target is None:
        return None
    if source.is_collection and (answer := _resume(context, method)):
        return answer
    raise RefusalError(412, "the destination exists, and Overwrite is F")


def _resume(context: Context, method: Verb) -> Response | None:
    """The answer to the same operation, begun before; None where none was, or where locks forbid
    it now."""
    source, destination = context.path, context.request.destination
    request = OperationRequest(method, source, destination, context.request.user)
    try:
        outcome = context.provider.resume(request, partial(_require_unlocked, context, method))
    except RefusalError:
        return None
    if outcome is None:
        return None
    if outcome.failures:
        return _failed(context, outcome.failures)
    if method == "MOVE":
        context.locks.release_tree(source)
    return empty(201 if outcome.is_new else 204)


def _require_unlocked(context: Context, method: Verb) -> None:
    """Raises RefusalError 423."""
    source, destination = context.path, context.request.destination
    for path in (destination,) if method == "COPY" else (destination, source):
        context.enforcement.require_tree(path)


def _check_destination(
    context: Context, source: Collection | File, target: Resource | None
) -> None:
    """Raises RefusalError 423 where a lock forbids the destination, 409 where its parent is
    missing."""
    destination = context.request.destination
    source.require_writable_target(destination, is_new=target is None)
    if target is None and not _is_collection(context, destination[:-1]):
        raise RefusalError(409, "the destination's parent collection doesn't exist")


def _is_collection(context: Context, path: ResourcePath) -> bool:
    found = context.provider.find(path)
    return found is not None and found.is_collection


def _answer(context: Context, failures: list[Failure], target: Resource | None) -> Response:
    return _failed(context, failures) if failures else empty(204 if target else 201)


def _failed(context: Context, failures: list[Failure]) -> Response:
    return multi_status(failed_members(failures, context.request.site))
