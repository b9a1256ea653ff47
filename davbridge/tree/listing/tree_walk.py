"""All resources inside a collection, from one flat listing of its keys.

A key shows every collection around it. An object of a collection's name is hidden by it, and an
``x_$folder$`` shows a collection only if nothing else is at ``x``. All these keys begin with ``x``.
So an object is pending until a name follows in its collection that doesn't begin with its name. S3
lists ``x``, ``x-1``, ``x/a``, ``x_$folder$``; SeaweedFS lists ``x/a`` before ``x-1``. In both, what
is inside a collection comes in one run.

Invariant: memory is needed for one page, and for the collections around its last key.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from davbridge.paths import DELIMITER, ResourcePath, is_visible
from davbridge.store.base import ObjectRow, Page
from davbridge.tree.listing.markers import folder_stem
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME


class OpenCollection:
    """A collection, as far as its keys have been listed."""

    def __init__(self, path: ResourcePath, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self.sidecar: ObjectRow | None = None
        """The object with the properties of its members, once it was listed."""
        self.pending: dict[str, ObjectRow] = {}
        """Objects that a later key may turn out to be hidden, by name."""
        self.names: set[str] = set()
        """Names of members with which the latest name begins."""
        self._latest = ""
        self._is_complete = False

    @property
    def has_listed_sidecar(self) -> bool:
        """Whether `sidecar` would be known by now."""
        return self._is_complete or self._latest >= SIDECAR_NAME

    def advance(self, name: str) -> Iterator["TreeMember"]:
        """Takes the name of the next key inside. Yields the objects that it decides."""
        self._latest = name
        for other in [each for each in self.pending if not name.startswith(each)]:
            yield TreeMember(self, other, self.pending.pop(other))
        self.names = {each for each in self.names if name.startswith(each)}

    def complete(self) -> Iterator["TreeMember"]:
        """Call it after the last key inside. Yields the objects that were pending."""
        self._is_complete = True
        for name, row in self.pending.items():
            yield TreeMember(self, name, row)
        self.pending = {}


class TreeMember(NamedTuple):
    """A resource inside the tree."""

    parent: OpenCollection
    name: str
    row: ObjectRow | None
    """None for a collection."""

    @property
    def path(self) -> ResourcePath:
        return (*self.parent.path, self.name)


class TreePage(NamedTuple):
    """What a page of the listing shows: collections before their members."""

    members: list[TreeMember]
    is_last: bool


def walk(path: ResourcePath, prefix: str, pages: Iterable[Page]) -> Iterator[TreePage]:
    """The resources inside the collection at ``path``, a page of its flat listing at a time."""
    tree = _Tree(OpenCollection(path, prefix))
    for page in pages:
        members = [member for row in page.rows for member in tree.members_shown_by(row)]
        if page.is_last:
            members += tree.close_below(0)
        yield TreePage(members, page.is_last)


class _Tree:
    """The collections around the latest key: the first one is that which is listed."""

    def __init__(self, root: OpenCollection) -> None:
        self._root = root
        self._open = [root]

    def members_shown_by(self, row: ObjectRow) -> Iterator[TreeMember]:
        """The members that are known to exist from this key on."""
        *around, name = row.key[len(self._root.prefix) :].split(DELIMITER)
        shown = list(takewhile(is_visible, around))
        yield from self._enter(shown)
        if len(shown) < len(around):
            return  # It is inside something that has no path.
        collection = self._open[-1]
        if row.key == collection.prefix + SIDECAR_NAME:
            collection.sidecar = row
        elif is_visible(name):
            yield from self._take_object(collection, name, row)

    def close_below(self, depth: int) -> Iterator[TreeMember]:
        """Completes the open collections but the outer ``depth`` ones."""
        while len(self._open) > depth:
            yield from self._open.pop().complete()

    def _enter(self, segments: list[str]) -> Iterator[TreeMember]:
        """Makes these the open collections."""
        common = 1
        for segment, collection in zip(segments, self._open[1:], strict=False):
            if collection.path[-1] != segment:
                break
            common += 1
        yield from self.close_below(common)
        for segment in segments[common - 1 :]:
            parent = self._open[-1]
            yield from parent.advance(segment)
            parent.pending.pop(segment, None)  # The collection hides it.
            parent.names.add(segment)
            yield TreeMember(parent, segment, None)
            prefix = f"{parent.prefix}{segment}{DELIMITER}"
            self._open.append(OpenCollection((*parent.path, segment), prefix))

    def _take_object(
        self, collection: OpenCollection, name: str, row: ObjectRow
    ) -> Iterator[TreeMember]:
        yield from collection.advance(name)
        stem = None if row.size else folder_stem(name)
        if stem is None:
            collection.pending[name] = row
            collection.names.add(name)
        elif stem not in collection.names:
            collection.names.add(stem)
            yield TreeMember(collection, stem, None)
