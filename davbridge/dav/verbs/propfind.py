"""PROPFIND (RFC 4918 §9.1).

Invariants: the members come from one listing, none is asked for on its own; the answer's first
bytes leave when the first page of the listing is there; an answer that can't be completed breaks
the connection.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal
from xml.etree.ElementTree import Element

from davbridge.dav import multistatus
from davbridge.dav.errors import RefusalError
from davbridge.dav.exchange import Exchange, Response, complete
from davbridge.dav.live import ALLPROP, LIVE
from davbridge.dav.locks import LockStore
from davbridge.dav.multistatus import PropStat
from davbridge.dav.resources import BucketCollection, BucketMember
from davbridge.dav.xml import DAV, empty_element, parse_document, refuse
from davbridge.errors import NotACollectionError
from davbridge.tree.facts import Properties
from davbridge.tree.resource import Resource

MAX_NAMES = 500
"""Property names in one request at the most. The costliest known client sends 11."""

NO_PROPERTIES: Properties = {}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which properties are asked for; with ``allprop``, ``names`` are those of DAV:include."""

    kind: Literal["allprop", "propname", "prop"]
    names: tuple[str, ...] = ()

    @property
    def needs_dead(self) -> bool:
        """Whether dead properties can be in the answer at all: reading them costs a request."""
        return self.kind != "prop" or any(name not in LIVE for name in self.names)


def propfind(exchange: Exchange) -> Response:
    """207, streamed where it is long. A missing Depth counts as 1: what RFC 4918 has it count
    as, infinity, is refused with propfind-finite-depth, and some clients just leave it out."""
    selection = parse_selection(exchange.request.xml_body())
    if exchange.request.depth == "infinity":
        raise RefusalError(403, "Depth: infinity is not offered", condition="propfind-finite-depth")
    resource, members = _listed(exchange)
    exchange.check_conditions()
    return _answer(multistatus.document(_responses(exchange, resource, selection, members)))


def _listed(exchange: Exchange) -> tuple[BucketMember, Iterator[BucketMember] | None]:
    """The resource, with its members where they are wanted. The listing is asked for first: where
    it has anything, it also proves that the collection exists, and no other request is needed."""
    if exchange.request.depth == "0":
        return exchange.require(), None
    path = exchange.path
    if not all(map(str.isascii, path)):
        path = exchange.require().node.path  # The bucket's spelling, as its members have it.
    collection = BucketCollection(Resource(path, None), exchange.request.environ)
    try:
        return collection, collection.iter_members()
    except NotACollectionError:
        return exchange.require(), None


def parse_selection(body: bytes) -> Selection:
    """What a PROPFIND body asks for; an empty one asks for allprop (§9.1)."""
    if not body.strip():
        return Selection("allprop")
    document = parse_document(body, "propfind")
    kinds = [child for child in document if child.tag in _KINDS]
    if len(kinds) != 1:
        refuse("propfind must hold one of prop, allprop and propname")
    kind = kinds[0].tag
    if kind == DAV + "propname":
        return Selection("propname")
    if kind == DAV + "prop":
        return Selection("prop", _names(kinds[0]))
    include = document.find(DAV + "include")
    return Selection("allprop", _names(include) if include is not None else ())


_KINDS = (DAV + "prop", DAV + "allprop", DAV + "propname")


def _names(element: Element) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(child.tag for child in element))
    if len(names) > MAX_NAMES:
        refuse(f"at most {MAX_NAMES} properties can be asked for at once")
    return names


def _answer(blocks: Iterator[bytes]) -> Response:
    """With its length where it is short; else the store's first page is here, and the rest is
    streamed as it comes."""
    head = list(islice(blocks, 2))
    if len(head) < 2:
        return complete(207, multistatus.CONTENT_TYPE, b"".join(head))
    headers = [("Content-Type", multistatus.CONTENT_TYPE)]
    return Response(207, headers, chain(head, blocks))


def _responses(
    exchange: Exchange,
    resource: BucketMember,
    selection: Selection,
    members: Iterator[BucketMember] | None,
) -> Iterator[str]:
    namespace, locks = exchange.namespace, exchange.locks
    own, inside = NO_PROPERTIES, {}
    if selection.needs_dead:
        own = namespace.properties(exchange.path)
        inside = dict(namespace.member_properties(exchange.path)) if members else {}
    yield render(resource, selection, own, locks)
    for member in members or ():
        dead = inside.get(member.node.name, NO_PROPERTIES)
        yield render(member, selection, dead, locks)


def render(resource: BucketMember, selection: Selection, dead: Properties, locks: LockStore) -> str:
    """One DAV:response."""
    if selection.kind == "propname":
        present = [name for name in LIVE if LIVE[name](resource, locks) is not None]
        elements = [empty_element(name) for name in (*present, *dead)]
        return multistatus.response(resource.href, [PropStat(200, elements)])
    names = selection.names
    if selection.kind == "allprop":
        names = (*ALLPROP, *names, *dead)
    found, missing, requested = [], [], frozenset(selection.names)
    for name in dict.fromkeys(names):
        live = LIVE.get(name)
        element = live(resource, locks) if live else dead.get(name)
        if element is not None:
            found.append(element)
        elif name in requested:
            missing.append(empty_element(name))
    return multistatus.response(resource.href, [PropStat(200, found), PropStat(404, missing)])
