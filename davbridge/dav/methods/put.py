"""PUT (RFC 9110 §9.3.4, RFC 4918 §9.7).

Invariants: the object changes only when the whole body has arrived, and then in one step. What can
be refused is refused before the body is read.
"""

from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.upload_headers import UploadHeaders
from davbridge.dav.headers.validators import entity_tag, http_date
from davbridge.dav.request import DavRequest
from davbridge.dav.resources.file import File
from davbridge.dav.response import Response, empty
from davbridge.store.base import Condition
from davbridge.tree.resource import Resource


def put(context: Context) -> Response:
    """201 for a new object, 204 for a new version; with the ETag and time that the store gave."""
    _refuse_unfit(context.request, context.resource)
    context.check_conditions()
    resource = context.resource
    file = context.file()
    file.require_writable(is_new=resource is None)
    stored = _store_body(context, file)
    headers = [("ETag", entity_tag(stored)), ("Last-Modified", http_date(stored.modified))]
    if stored.client_metadata and stored.client_metadata.modified:
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


def _store_body(context: Context, file: File) -> Resource:
    request = context.request
    headers = UploadHeaders(
        str(request.environ.get("CONTENT_TYPE") or ""),
        request.header("X_OC_MTIME"),
        request.header("OC_CHECKSUM"),
    )
    # While the body arrives, another client may lock the file, and another bridge may change what
    # a condition depends on: therefore the second check.
    upload = file.begin_upload(
        headers, _condition(context), length=request.length, recheck=context.check_conditions
    )
    try:
        for block in request.blocks():
            upload.write(block)
        return upload.finish()
    except BaseException:
        upload.abort()
        raise


def _condition(context: Context) -> Condition:
    """The client's own condition, which the store evaluates when it commits."""
    if (context.request.header("IF_NONE_MATCH") or "").strip() == "*":
        return Condition(if_absent=True)
    return Condition(if_match=context.if_match)
