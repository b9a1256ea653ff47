"""PUT (RFC 9110 §9.3.4, RFC 4918 §9.7).

Invariants: the object changes only once every byte that was promised has come in, and then at
once; a refusal that can be known is given before the body is read.
"""

from davbridge.dav.conditions import entity_tag, http_date
from davbridge.dav.errors import RefusalError
from davbridge.dav.exchange import Exchange, Response, empty
from davbridge.dav.request import Request
from davbridge.dav.resources import DEFAULT_TYPE, guess_type
from davbridge.store.base import DIRECTORY_TYPE, Attributes, Condition, ObjectRow
from davbridge.tree.resource import Resource

_MEANINGLESS_TYPES = ("", DEFAULT_TYPE, "application/x-www-form-urlencoded", DIRECTORY_TYPE)
"""Types that clients send of any file (curl, for one), and the one that would make the object a
directory to every tool that knows the convention."""


def put(exchange: Exchange) -> Response:
    """201 for a new object, 204 for a new version; with the ETag and time that the store gave."""
    node = exchange.node
    _refuse_unfit(exchange.request, node)
    exchange.check_conditions()
    exchange.guard.require_write(exchange.path)
    if node is None:
        exchange.guard.require_membership(exchange.path)
    row = _store_body(exchange, _condition(exchange.request, node))
    stored = Resource(exchange.path, row)
    headers = [("ETag", entity_tag(stored)), ("Last-Modified", http_date(row.modified))]
    return empty(204 if node else 201, headers)


def _refuse_unfit(request: Request, node: Resource | None) -> None:
    if request.names_collection or (node and node.is_collection):
        raise RefusalError(405, "PUT is for files; MKCOL makes a collection")
    if request.header("CONTENT_RANGE") is not None:
        # RFC 9110 §14.5: taking a part for the whole would lose data.
        raise RefusalError(400, "a part of a file can't be written")
    if request.header("CONTENT_ENCODING") not in (None, "", "identity"):
        raise RefusalError(415, "Content-Encoding is not supported")


def _store_body(exchange: Exchange, condition: Condition) -> ObjectRow:
    request = exchange.request
    writer = exchange.namespace.open_writer(
        exchange.path, _attributes(request), condition, length=request.length
    )
    try:
        for block in request.blocks():
            writer.write(block)
        return writer.commit()
    except BaseException:
        writer.abort()  # Nothing more to undo where commit has failed: it has aborted already.
        raise


def _attributes(request: Request) -> Attributes:
    """The client's content type where it says something, else the name's."""
    sent = str(request.environ.get("CONTENT_TYPE") or "").strip()
    kind = sent.partition(";")[0].strip().lower()
    if kind in _MEANINGLESS_TYPES or not (sent.isascii() and sent.isprintable()):
        return Attributes(guess_type(request.path[-1]))
    return Attributes(sent)


def _condition(request: Request, node: Resource | None) -> Condition:
    """What the client made its write depend on goes through to the store, which settles races
    that no look beforehand can."""
    if (request.header("IF_NONE_MATCH") or "").strip() == "*":
        return Condition(if_absent=True)
    if request.header("IF_MATCH") is not None and node is not None:
        return Condition(if_match=node.etag)
    return Condition()
