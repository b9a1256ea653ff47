"""Other operations that have to end before one begins, and MOVEs that have left something at their
source.

While a MOVE deletes its source, the source has only a part of what the target has. A COPY or MOVE
of the one over the other would then delete what was moved already, as members of the target that
the source doesn't have. It may come under another name: another verb, another spelling, a folder
around both trees or inside both. Such an operation is related to the MOVE, which ends first. Where
the MOVE has left something, nothing is deleted from the target.

A journal of a later davbridge can't be read here, and may concern any trees. While its bridge is
alive, it conflicts with everything. Once its bridge is dead, only a later davbridge can finish it,
and there may be none any more. So nothing waits for it any longer, but it counts as a MOVE that has
left something.
"""

from threading import Lock
from typing import NamedTuple
from unicodedata import normalize

from cachetools import LRUCache

from davbridge.errors import NotFoundError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import INCOMPLETE, LaterFormatError, OperationRequest
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.lease_monitor import JournalFiles

_MAX_KNOWN = 10_000


class Other(NamedTuple):
    """Another operation with a journal."""

    name: str
    """Of the journal."""
    request: OperationRequest | None
    """None: it can't be read here, because a later davbridge has begun it, or, of a record, because
    it is damaged."""

    def __str__(self) -> str:
        return str(self.request) if self.request else f"a later davbridge's journal {self.name!r}"


class RelatedJournals(NamedTuple):
    """The journals and records that matter for an operation."""

    has_same: bool = False
    """Whether there is a journal or a record of the very same operation."""
    unfinished: Other | None = None
    """A related MOVE that has a journal."""
    was_incomplete: bool = False
    """Whether there is a record that a related MOVE has left something."""
    overlapping: Other | None = None
    """An operation with a journal that isn't related, and overlaps."""


class RelatedMoves:
    """Finds the journals that matter for an operation, in one mount."""

    def __init__(self, others: "JournaledOperations") -> None:
        self._others = others

    def of(self, request: OperationRequest) -> RelatedJournals:
        """One listing, and a GET for each file in it that is new. Raises StoreError."""
        found = RelatedJournals()
        for name, files in self._others.list_files().items():
            if name == request.name:
                found = found._replace(has_same=True)
                continue
            other = self._others.operation(files.plan, name) if files.plan else None
            if other and other.request and _are_related(request, other.request):
                return found._replace(unfinished=other)
            if other and self._others.conflicts(other, request):
                found = found._replace(overlapping=other)
            elif other and other.request is None:
                found = found._replace(was_incomplete=True)
            if files.incomplete and self._has_left(files.incomplete, name, request):
                found = found._replace(was_incomplete=True)
        return found

    def _has_left(self, row: ObjectRow, name: str, request: OperationRequest) -> bool:
        other = self._others.operation(row, name)
        return other is not None and (other.request is None or _are_related(request, other.request))


class Overlaps:
    """Finds operations of other bridges that overlap.

    Two bridges that move trees onto one another, or one into what the other deletes, each carry out
    a plan that the other one invalidates. In one bridge the path locks prevent this.
    """

    def __init__(self, others: "JournaledOperations") -> None:
        self._others = others

    def of(self, request: OperationRequest) -> Other | None:
        """Another operation that has a journal and overlaps; None if there is none. One listing,
        and a GET for each journal in it that is new. Raises StoreError."""
        for name, files in self._others.list_files().items():
            if name == request.name or files.plan is None:
                continue
            other = self._others.operation(files.plan, name)
            if other and self._others.conflicts(other, request):
                return other
        return None


class JournaledOperations:
    """The operations that have a journal or a record, as far as they can be read."""

    def __init__(self, journals: Journals) -> None:
        self._journals = journals
        self._lock = Lock()
        self._known: LRUCache[tuple[str, str], Other | None] = LRUCache(_MAX_KNOWN)

    def list_files(self) -> dict[str, JournalFiles]:
        """The files of all journals. One request for 1,000. Raises StoreError."""
        return self._journals.list_files()

    def conflicts(self, other: Other, request: OperationRequest) -> bool:
        """Whether ``other`` has to end before ``request`` begins."""
        if other.request is None:
            return not self._journals.lease_monitor.is_dead(other.name)
        return _overlap(request, other.request)

    def operation(self, row: ObjectRow, name: str) -> Other | None:
        """The operation of an object with a journal's name; None if that can't be read."""
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
            if row.key == self._journals.key(name, INCOMPLETE):
                return self._read_incomplete(name)
            return Other(name, self._journals.read(name).request)
        except LaterFormatError:
            return Other(name, None)
        except (NotFoundError, ValueError):
            return None

    def _read_incomplete(self, name: str) -> Other:
        try:
            return Other(name, self._journals.read_incomplete(name))
        except ValueError:
            return Other(name, None)


def _overlap(one: OperationRequest, other: OperationRequest) -> bool:
    """Whether one of them changes what the other one reads or changes."""
    return any(
        _is_inside(_normal(changed), _normal(path)) or _is_inside(_normal(path), _normal(changed))
        for first, second in ((one, other), (other, one))
        for changed in first.changed
        for path in second.paths
    )


def _is_inside(path: ResourcePath, tree: ResourcePath) -> bool:
    return path[: len(tree)] == tree


def _are_related(one: OperationRequest, other: OperationRequest) -> bool:
    """Whether ``other`` is a MOVE that may have moved anything to where ``one`` would put it."""
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
