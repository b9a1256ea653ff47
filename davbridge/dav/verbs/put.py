"""PUT (RFC 9110 §9.3.4, RFC 4918 §9.7).

Invariants: the object changes only once every byte that was promised has come in, and then at
once; a refusal that can be known is given before the body is read.
"""

import logging

from davbridge.dav.conditions import entity_tag
from davbridge.dav.contenttype import DEFAULT_TYPE, guess_type
from davbridge.dav.context import Context
from davbridge.dav.dates import http_date
from davbridge.dav.errors import RefusalError
from davbridge.dav.facts import Checksum, parse_mtime
from davbridge.dav.request import Request
from davbridge.dav.response import Headers, Response, empty
from davbridge.errors import StoreError
from davbridge.store.base import DIRECTORY_TYPE, Attributes, Condition, ObjectRow
from davbridge.tree.facts import Facts
from davbridge.tree.resource import Resource

logger = logging.getLogger(__name__)

_MEANINGLESS_TYPES = ("", DEFAULT_TYPE, "application/x-www-form-urlencoded", DIRECTORY_TYPE)
"""Types that clients send of any file (curl, for one), and the one that would make the object a
directory to every tool that knows the convention."""

MAX_TYPE = 255
"""Characters of a type with its parameters: with a longer one some stores refuse the object, and
some clients the answer that tells of it."""


def put(context: Context) -> Response:
    """201 for a new object, 204 for a new version; with the ETag and time that the store gave."""
    _refuse_unfit(context.request, context.resource)
    context.check_conditions()
    resource = context.resource
    _require_unlocked(context, resource)
    checksum = Checksum.announced(context.request.header("OC_CHECKSUM"))
    row = _store_body(context, resource, checksum)
    stored, headers = _keep_facts(context, row, checksum)
    headers += [("ETag", entity_tag(stored)), ("Last-Modified", http_date(stored.modified))]
    return empty(204 if resource else 201, headers)


def _keep_facts(
    context: Context, row: ObjectRow, checksum: Checksum | None
) -> tuple[Resource, Headers]:
    """Keeps what the client told of the bytes. They are stored by now, so that a failure here
    only leaves out the header by which the client knows that its time was taken."""
    modified = parse_mtime(context.request.header("X_OC_MTIME"))
    facts = Facts(row.etag, modified, str(checksum or ""))
    try:
        context.namespace.tell(context.path, facts)
    except StoreError as error:
        logger.warning("the facts of %s are not kept: %s", "/".join(context.path), error)
        return Resource(context.path, row), []
    accepted = [("X-OC-Mtime", "accepted")] if modified else []
    return Resource(context.path, row, facts), accepted


def _refuse_unfit(request: Request, resource: Resource | None) -> None:
    if request.names_collection or (resource and resource.is_collection):
        raise RefusalError(405, "PUT is for files; MKCOL makes a collection")
    if request.header("CONTENT_RANGE") is not None:
        # RFC 9110 §14.5: taking a part for the whole would lose data.
        raise RefusalError(400, "a part of a file can't be written")
    if request.header("CONTENT_ENCODING") not in (None, "", "identity"):
        raise RefusalError(415, "Content-Encoding is not supported")


def _require_unlocked(context: Context, resource: Resource | None) -> None:
    context.guard.require_write(context.path)
    if resource is None:
        context.guard.require_membership(context.path)


def _store_body(
    context: Context, resource: Resource | None, checksum: Checksum | None
) -> ObjectRow:
    request = context.request
    writer = context.namespace.open_writer(
        context.path, _attributes(request), _condition(context), length=request.length
    )
    try:
        for block in request.blocks():
            writer.write(block)
            if checksum:
                checksum.update(block)
        if checksum and not checksum.holds():
            raise RefusalError(400, f"the body's checksum is not {checksum}")
        # A body takes its time: another client may have locked the file, or made a folder.
        # Or another bridge may have changed what a condition is about.
        context.check_conditions()
        _require_unlocked(context, resource)
        _refuse_unfit(context.request, context.namespace.find(context.path))
        return writer.commit()
    except BaseException:
        writer.abort()  # Nothing more to undo where commit has failed: it has aborted already.
        raise


def _attributes(request: Request) -> Attributes:
    """The client's content type where it says something, else the name's."""
    sent = str(request.environ.get("CONTENT_TYPE") or "").strip()
    kind = sent.partition(";")[0].strip().lower()
    is_usable = sent.isascii() and sent.isprintable() and len(sent) <= MAX_TYPE
    if kind in _MEANINGLESS_TYPES or not is_usable:
        sent = guess_type(request.path[-1])
    modified = parse_mtime(request.header("X_OC_MTIME"))
    # Seconds, under the key that rclone, s3fs and Cyberduck read and write.
    return Attributes(sent, {"mtime": f"{modified.timestamp():.6f}"} if modified else {})


def _condition(context: Context) -> Condition:
    """What the client made its write depend on, for the store to settle races by."""
    if (context.request.header("IF_NONE_MATCH") or "").strip() == "*":
        return Condition(if_absent=True)
    return Condition(if_match=context.if_match)
