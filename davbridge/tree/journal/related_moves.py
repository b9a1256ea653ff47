"""Operations on the same trees that aren't finished, or have left something at their source.

Owns which operations are kin, and which overlap. Must not know how one is gone on with.

While a MOVE stands in the middle of its deletions, its source has only a part of what its target
has. Whoever then copies or moves the one over the other, under whatever name (another verb, another
spelling, a folder around both or inside both), would take what has been moved already for members
that the source hasn't, and delete them. So that MOVE ends first; and where it left something,
nothing is taken away from the target.

A journal of a later davbridge can't be read here: it may be of any trees. While its bridge is
alive, it overlaps everything. Once its bridge has died, only a later davbridge can finish it, and
there may be none any more. So it keeps nobody waiting then, but counts as one that has left
something.
"""

from threading import Lock
from typing import NamedTuple
from unicodedata import normalize

from cachetools import LRUCache

from davbridge.errors import NotFoundError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import LEFT, LaterFormatError, OperationRequest
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.leases import JournalFiles

_MAX_KNOWN = 10_000


class Other(NamedTuple):
    """Another operation that has a journal."""

    name: str
    """The journal's."""
    request: OperationRequest | None
    """None: of a later davbridge, which can't be read here."""

    def __str__(self) -> str:
        return str(self.request) if self.request else f"a later davbridge's journal {self.name!r}"


class Found(NamedTuple):
    """What there is of an operation's kin."""

    is_known: bool = False
    """Whether there is anything of the very same operation."""
    unfinished: Other | None = None
    """A related MOVE that has a journal."""
    has_note: bool = False
    """Whether it is noted that kin have left something."""
    overlapping: Other | None = None
    """One that isn't kin, and has a journal."""


class RelatedMoves:
    """Of the operations of one mount."""

    def __init__(self, others: "JournaledOperations") -> None:
        self._others = others

    def of(self, request: OperationRequest) -> Found:
        """One listing, and a look at what is new in it. Raises StoreError."""
        found = Found()
        for name, files in self._others.all_files().items():
            if name == request.name:
                found = found._replace(is_known=True)
                continue
            other = self._others.operation(files.plan, name) if files.plan else None
            if other and other.request and _are_related(request, other.request):
                return found._replace(unfinished=other)
            if other and self._others.is_in_the_way(other, request):
                found = found._replace(overlapping=other)
            elif other and other.request is None:
                found = found._replace(has_note=True)
            if files.left and self._has_left(files.left, name, request):
                found = found._replace(has_note=True)
        return found

    def _has_left(self, row: ObjectRow, name: str, request: OperationRequest) -> bool:
        other = self._others.operation(row, name)
        return (
            other is not None and other.request is not None and _are_related(request, other.request)
        )


class Overlaps:
    """Which journaled operations get in each other's way.

    Two bridges that move trees onto one another, or one into what the other deletes, each carry out
    a plan that the other makes untrue. In one bridge such operations take turns.
    """

    def __init__(self, others: "JournaledOperations") -> None:
        self._others = others

    def of(self, request: OperationRequest) -> Other | None:
        """One that has a journal beside that of ``request``, if there is any. One listing, and a
        look at what is new in it. Raises StoreError."""
        for name, files in self._others.all_files().items():
            if name == request.name or files.plan is None:
                continue
            other = self._others.operation(files.plan, name)
            if other and self._others.is_in_the_way(other, request):
                return other
        return None


class JournaledOperations:
    """What the objects under journals' names are of, as far as it can be read."""

    def __init__(self, journals: Journals) -> None:
        self._journals = journals
        self._lock = Lock()
        self._known: LRUCache[tuple[str, str], Other | None] = LRUCache(_MAX_KNOWN)

    def all_files(self) -> dict[str, JournalFiles]:
        """All there are. One request for 1,000. Raises StoreError."""
        return self._journals.all_files()

    def is_in_the_way(self, other: Other, request: OperationRequest) -> bool:
        """Whether it has to end before ``request`` begins."""
        if other.request is None:
            return not self._journals.lease_monitor.is_dead(other.name)
        return _overlap(request, other.request)

    def operation(self, row: ObjectRow, name: str) -> Other | None:
        """The operation that an object under a journal's name is of; None where nobody can read
        that."""
        question = row.key, row.etag
        with self._lock:
            is_known, other = question in self._known, self._known.get(question)
        if not is_known:
            other = self._read(row, name)
            with self._lock:
                self._known[question] = other
        return other

    def _read(self, row: ObjectRow, name: str) -> Other | None:
        try:
            if row.key == self._journals.key(name, LEFT):
                return Other(name, self._journals.left_by(name))
            return Other(name, self._journals.read(name).request)
        except LaterFormatError:
            return Other(name, None)
        except (NotFoundError, ValueError):
            return None


def _overlap(one: OperationRequest, other: OperationRequest) -> bool:
    """Whether one of them changes what the other reads or changes. A COPY only reads its source."""
    return any(
        _is_inside(_normal(changed), _normal(path)) or _is_inside(_normal(path), _normal(changed))
        for first, second in ((one, other), (other, one))
        for changed in _changed(first)
        for path in (second.source, *([second.target] if second.target else []))
    )


def _changed(request: OperationRequest) -> list[ResourcePath]:
    paths = [request.target] if request.target else []
    return paths if request.verb == "COPY" else [request.source, *paths]


def _is_inside(path: ResourcePath, tree: ResourcePath) -> bool:
    return path[: len(tree)] == tree


def _are_related(one: OperationRequest, other: OperationRequest) -> bool:
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
