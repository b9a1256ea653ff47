"""MOVEs of the same trees that aren't finished, or have left something at their source.

Owns which operations are kin. Must not know how one is gone on with.

While a MOVE stands in the middle of its deletions, its source has only a part of what its target
has. Whoever then copies or moves the one over the other, under whatever name (another verb, another
spelling, a folder around both or inside both), would take what has been moved already for members
that the source hasn't, and delete them. So that MOVE ends first; and where it left something,
nothing is taken away from the target.
"""

from threading import Lock
from typing import NamedTuple
from unicodedata import normalize

from cachetools import LRUCache

from davbridge.errors import NotFoundError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.tree.journal import LEFT, Request
from davbridge.tree.journals import Journals

_MAX_KNOWN = 10_000


class Found(NamedTuple):
    """What there is of an operation's kin."""

    is_known: bool = False
    """Whether there is anything of the very same operation."""
    unfinished: Request | None = None
    has_note: bool = False
    """Whether it is noted that kin have left something."""


class Kin:
    """Of the operations of one mount."""

    def __init__(self, journals: Journals) -> None:
        self._journals = journals
        self._lock = Lock()
        self._known: LRUCache[tuple[str, str], Request | None] = LRUCache(_MAX_KNOWN)

    def of(self, request: Request) -> Found:
        """One listing, and a look at what is new in it. Raises StoreError."""
        found = Found()
        for name, trace in self._journals.traces().items():
            if name == request.name:
                found = found._replace(is_known=True)
                continue
            if trace.plan and (other := self._kin_in(trace.plan, name, request)):
                return found._replace(unfinished=other)
            if trace.left and self._kin_in(trace.left, name, request):
                found = found._replace(has_note=True)
        return found

    def _kin_in(self, row: ObjectRow, name: str, request: Request) -> Request | None:
        """The operation that an object under a journal's name is of, if it is kin."""
        question = row.key, row.etag
        with self._lock:
            is_known, other = question in self._known, self._known.get(question)
        if not is_known:
            other = self._read(row, name)
            with self._lock:
                self._known[question] = other
        return other if other and _are_kin(request, other) else None

    def _read(self, row: ObjectRow, name: str) -> Request | None:
        try:
            if row.key == self._journals.key(name, LEFT):
                return self._journals.left_by(name)
            return self._journals.read(name).request
        except (NotFoundError, ValueError):
            return None


def _are_kin(one: Request, other: Request) -> bool:
    """Whether ``other``, a MOVE, has taken anything to where ``one`` would bring it."""
    if other.verb != "MOVE":
        return False
    ways = [(_normal(each.source), _normal(each.target)) for each in (one, other)]
    return _is_part(*ways) or _is_part(*reversed(ways))


def _is_part(inner: tuple[ResourcePath, ResourcePath], outer: tuple[ResourcePath, ...]) -> bool:
    (source, target), (around, to) = inner, outer
    rest = source[len(around) :]
    return (source, target) == (around + rest, to + rest)


def _normal(path: ResourcePath) -> ResourcePath:
    return tuple(normalize("NFC", segment) for segment in path)
