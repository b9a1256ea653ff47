"""PUT (RFC 9110 §9.3.4, RFC 4918 §9.7).

Invariants: the object changes only once every byte that was promised has come in, and then at
once; a refusal that can be known is given before the body is read.
"""

from functools import partial

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.upload_headers import Checksum, upload_attributes, upload_facts
from davbridge.dav.headers.validators import entity_tag, http_date
from davbridge.dav.request import DavRequest
from davbridge.dav.response import Response, empty
from davbridge.store.base import Condition
from davbridge.tree.resource import Resource


def put(context: Context) -> Response:
    """201 for a new object, 204 for a new version; with the ETag and time that the store gave."""
    _refuse_unfit(context.request, context.resource)
    context.check_conditions()
    resource = context.resource
    _require_unlocked(context, resource)
    stored = _store_body(context, Checksum.announced(context.request.header("OC_CHECKSUM")))
    headers = [("ETag", entity_tag(stored)), ("Last-Modified", http_date(stored.modified))]
    if stored.facts and stored.facts.modified:
        headers.append(("X-OC-Mtime", "accepted"))
    return empty(204 if resource else 201, headers)


def _refuse_unfit(request: DavRequest, resource: Resource | None) -> None:
    if request.names_collection or (resource and resource.is_collection):
        raise RefusalError(405, "PUT is for files; MKCOL makes a collection")
    if request.header("CONTENT_RANGE") is not None:
        # RFC 9110 §14.5: taking a part for the whole would lose data.
        raise RefusalError(400, "a part of a file can't be written")
    if request.header("CONTENT_ENCODING") not in (None, "", "identity"):
        raise RefusalError(415, "Content-Encoding is not supported")


def _require_unlocked(context: Context, resource: Resource | None) -> None:
    context.enforcement.require_write(context.path)
    if resource is None:
        context.enforcement.require_membership(context.path)


def _admit(context: Context, resource: Resource | None) -> None:
    """Right before the bytes become the file's. Raises RefusalError 412, 423."""
    context.check_conditions()
    _require_unlocked(context, resource)


def _store_body(context: Context, checksum: Checksum | None) -> Resource:
    request = context.request
    writer = context.namespace.open_writer(
        context.path,
        upload_attributes(
            request.path[-1],
            str(request.environ.get("CONTENT_TYPE") or ""),
            request.header("X_OC_MTIME"),
        ),
        _condition(context),
        length=request.length,
        # A body takes its time: another client may have locked the file, another bridge may have
        # changed what a condition is about.
        admit=partial(_admit, context),
    )
    try:
        for block in request.blocks():
            writer.write(block)
            if checksum:
                checksum.update(block)
        if checksum and not checksum.holds():
            raise RefusalError(400, f"the body's checksum is not {checksum}")
        return writer.commit(upload_facts(request.header("X_OC_MTIME"), checksum))
    except BaseException:
        writer.abort()  # Nothing more to undo where commit has failed: it has aborted already.
        raise


def _condition(context: Context) -> Condition:
    """What the client made its write depend on, for the store to settle races by."""
    if (context.request.header("IF_NONE_MATCH") or "").strip() == "*":
        return Condition(if_absent=True)
    return Condition(if_match=context.if_match)
