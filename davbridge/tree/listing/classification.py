"""Which of the rows of a listing are members, and of which kind, page by page.

Owns the decision table of a listing. Must not know what the members are shown to, nor ask a store.

``x`` comes before ``x/``, and both before ``x_$folder$``, but other keys may lie between them and
a page may end there. All of those begin with ``x``. So a row that the page's last key begins with
is held back, and a name that it begins with is remembered. The last key is the last row or the last
prefix, whichever a store has later: SeaweedFS lists ``x/`` where ``x`` would be, and never both.

Invariant: nothing that was settled with one page is changed by a later one.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from davbridge.paths import DELIMITER, is_visible
from davbridge.store.base import ObjectRow, Page
from davbridge.store.derived import DerivedKind
from davbridge.tree.listing.markers import folder_stem
from davbridge.tree.listing.members import Member


class Carried(NamedTuple):
    """What a page leaves to the next one to decide."""

    held: tuple[ObjectRow, ...] = ()
    seen: frozenset[str] = frozenset()
    """Names that can still turn out to be marked as folders, and are something already."""


class Settled(NamedTuple):
    """What is certain with a page."""

    members: tuple[Member, ...]
    """Collections first."""
    empty: tuple[ObjectRow, ...]
    """Those of them that may be directories nevertheless: a listing shows no content types."""
    hidden: tuple[ObjectRow, ...]
    """Objects of a collection's name."""
    carried: Carried


NOTHING = Carried()


def settled(prefix: str, pages: Iterable[Page]) -> Iterator[tuple[Page, Settled]]:
    """What is certain with each page of the listing of a prefix, as they come."""
    carried = NOTHING
    for page in pages:
        note = page.derived.get(_NOTED)
        if note is None or not note.is_of(page, carried):
            result = settle(prefix, page, carried)
            note = _Note(page.rows, page.prefixes, page.is_last, carried, result)
            page.derived.set(_NOTED, note, _NOTE_BYTES + 8 * len(note.settled.members))
        carried = note.settled.carried
        yield page, note.settled


def settle(prefix: str, page: Page, before: Carried) -> Settled:
    """What is certain with one page, given what those before it left."""
    ends = (*(row.key for row in page.rows[-1:]), *page.prefixes[-1:])
    last = max(ends, default="")
    rows = {row.key[len(prefix) :]: row for row in chain(before.held, page.rows)}
    inside = [prefixed[len(prefix) : -1] for prefixed in page.prefixes]
    collections = list(filter(is_visible, inside))
    shadowing = set(collections)
    held, objects, hidden = [], [], []
    for name, row in rows.items():
        if not row.size and (stem := folder_stem(name)) is not None:
            if stem not in before.seen and stem not in shadowing and stem not in rows:
                collections.append(stem)
        elif name in shadowing:
            hidden.append(row)
        elif not page.is_last and last < row.key + DELIMITER:
            held.append(row)
        elif is_visible(name):
            objects.append(row)
    known = (*before.seen, *shadowing, *rows)
    seen = frozenset(name for end in ends for name in known if end.startswith(prefix + name))
    empty = tuple(row for row in objects if not row.size)
    return Settled((*collections, *objects), empty, tuple(hidden), Carried(tuple(held), seen))


class _Note(NamedTuple):
    """What was settled, and of what."""

    rows: tuple[ObjectRow, ...]
    prefixes: tuple[str, ...]
    is_last: bool
    before: Carried
    settled: Settled

    def is_of(self, page: Page, before: Carried) -> bool:
        return (
            self.rows is page.rows
            and self.prefixes is page.prefixes
            and self.is_last is page.is_last
            and self.before == before
        )


_NOTED: DerivedKind[_Note] = DerivedKind()

_NOTE_BYTES = 1000
"""All but the places of the objects."""
