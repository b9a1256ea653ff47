"""Which rows of a listing are members, and of which kind, page by page.

A name can be marked as a folder by keys that come later: ``x`` comes before ``x/``, and both before
``x_$folder$``. Other keys may lie between them, and a page may end there. All of these keys begin
with ``x``. So a row stays pending while the last key of its page begins with its key, and so does a
name that the last key begins with. The last key is the last row's or the last prefix: SeaweedFS
lists ``x/`` where ``x`` would be, and never both.

Invariant: a later page never changes what an earlier one has shown.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from davbridge.paths import DELIMITER, is_visible
from davbridge.store.base import ObjectRow, Page
from davbridge.store.derived import DerivedKind
from davbridge.tree.listing.markers import folder_stem
from davbridge.tree.listing.members import Member

NameFilter = Callable[[str], bool]
"""Whether files of this name are left out of listings. An empty object counts as a file, though its
content type may say that it is a directory."""


def lists_all(_name: str) -> bool:
    """The filter that leaves out no file."""
    return False


class Pending(NamedTuple):
    """The names that only the next page can decide."""

    rows: tuple[ObjectRow, ...] = ()
    """Objects that a later key may turn into hidden ones."""
    names: frozenset[str] = frozenset()
    """Names that are shown already, and after which an ``x_$folder$`` may still be listed."""


class Classification(NamedTuple):
    """The members that a page shows."""

    members: tuple[Member, ...]
    """Collections first."""
    empty: tuple[ObjectRow, ...]
    """The members that may be directories by content type, which no listing shows."""
    hidden: tuple[ObjectRow, ...]
    """Objects that a collection of the same name hides."""
    pending: Pending


NOTHING_PENDING = Pending()


def classify_pages(
    prefix: str, pages: Iterable[Page], is_unlisted: NameFilter = lists_all
) -> Iterator[tuple[Page, Classification]]:
    """Classifies each page of the listing of a prefix as it arrives. The filter is always the same
    for pages that are cached."""
    pending = NOTHING_PENDING
    for page in pages:
        cached = page.derived.get(_CACHED)
        if cached is None or not cached.is_for(page, pending):
            classification = classify_page(prefix, page, pending, is_unlisted)
            cached = _CachedClassification(
                page.rows, page.prefixes, page.is_last, pending, classification
            )
            page.derived.set(
                _CACHED, cached, _CACHED_BYTES + 8 * len(cached.classification.members)
            )
        pending = cached.classification.pending
        yield page, cached.classification


def classify_page(
    prefix: str, page: Page, before: Pending, is_unlisted: NameFilter
) -> Classification:
    """Classifies one page. ``before``: what the pages before it left pending."""
    ends = (*(row.key for row in page.rows[-1:]), *page.prefixes[-1:])
    last = max(ends, default="")
    rows = {row.key[len(prefix) :]: row for row in chain(before.rows, page.rows)}
    inside = [prefixed[len(prefix) : -1] for prefixed in page.prefixes]
    collections = list(filter(is_visible, inside))
    shadowing = set(collections)
    pending, objects, hidden = [], [], []
    for name, row in rows.items():
        if not row.size and (stem := folder_stem(name)) is not None:
            if stem not in before.names and stem not in shadowing and stem not in rows:
                collections.append(stem)
        elif name in shadowing:
            hidden.append(row)
        elif not page.is_last and last < row.key + DELIMITER:
            pending.append(row)
        elif is_visible(name) and not is_unlisted(name):
            objects.append(row)
    known = (*before.names, *shadowing, *rows)
    names = frozenset(name for end in ends for name in known if end.startswith(prefix + name))
    empty = tuple(row for row in objects if not row.size)
    return Classification(
        (*collections, *objects), empty, tuple(hidden), Pending(tuple(pending), names)
    )


class _CachedClassification(NamedTuple):
    """A classification, cached with its page, and the rows that it was made from."""

    rows: tuple[ObjectRow, ...]
    prefixes: tuple[str, ...]
    is_last: bool
    before: Pending
    classification: Classification

    def is_for(self, page: Page, before: Pending) -> bool:
        return (
            self.rows is page.rows
            and self.prefixes is page.prefixes
            and self.is_last is page.is_last
            and self.before == before
        )


_CACHED: DerivedKind[_CachedClassification] = DerivedKind()

_CACHED_BYTES = 1000
"""Bytes in memory, less the references to the members."""
