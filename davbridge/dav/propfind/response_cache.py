"""The response cache: the responses of a page of members are rendered once.

A response depends on the query, the property context, the collection's href, the member and its
properties, and on nothing else. A RenderedPage has the responses of a page as one text, and the
members that they were rendered from. A member that is equal to one of those has the same response.
So when one member changes, one response is rendered; nothing has to be invalidated.

Invariant: no RenderedPage has anything that changes by itself, such as the seconds that a lock has
left.
"""

from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, pairwise
from sys import getsizeof
from typing import NamedTuple

from davbridge.store.derived import DerivedKind, DerivedValues
from davbridge.tree.listing.members import Member

MAX_QUERIES = 3
"""A page caches its responses for so many queries. Clients use one to three."""

_RENDERED_PAGE_BYTES = 500
"""The memory of an empty RenderedPage and its key."""


class MemberWithProperties(NamedTuple):
    """A member with its dead properties, and the metadata that clients sent with it."""

    member: Member
    properties: bytes
    """Encoded."""


MemberEntry = Member | MemberWithProperties
"""What a response is rendered from."""


class RenderedPage(NamedTuple):
    """The responses of a page, one after the other."""

    entries: tuple[MemberEntry, ...]
    ends: "array[int]"
    """Where each response ends in the text."""
    text: bytes

    @property
    def nbytes(self) -> int:
        """Memory, without the rows and names, which belong to the page."""
        encoded = (e.properties for e in self.entries if isinstance(e, MemberWithProperties))
        own = _RENDERED_PAGE_BYTES + len(self.text) + 16 * len(self.entries)
        return own + sum(map(getsizeof, encoded))

    def responses(self) -> Iterator[bytes]:
        """Each response."""
        return (self.text[start:end] for start, end in pairwise(chain((0,), self.ends)))


def render_page(
    entries: tuple[MemberEntry, ...],
    render: Callable[[MemberEntry], bytes],
    before: RenderedPage | None = None,
) -> RenderedPage:
    """The responses of ``entries``. Those that ``before`` has aren't rendered again."""
    if before is not None and before.entries == entries:
        return before
    known = dict(zip(before.entries, before.responses(), strict=True)) if before else {}
    responses = [known.get(entry) or render(entry) for entry in entries]
    return RenderedPage(entries, array("L", accumulate(map(len, responses))), b"".join(responses))


def render_cached_page(
    derived: DerivedValues,
    key: bytes,
    entries: tuple[MemberEntry, ...],
    render: Callable[[MemberEntry], bytes],
) -> RenderedPage:
    """As `render_page`, with the responses that are cached under ``key``, and caches the result.

    Under equal keys, equal entries must have equal responses.
    """
    cached = derived.get(_RENDERED_PAGES) or ()
    before = next((each.page for each in cached if each.key == key), None)
    page = render_page(entries, render, before)
    if page is not before:
        others = [each for each in cached if each.key != key]
        cached = (_CacheEntry(key, page), *others[: MAX_QUERIES - 1])
        derived.set(_RENDERED_PAGES, cached, sum(each.page.nbytes for each in cached))
    return page


class _CacheEntry(NamedTuple):
    key: bytes
    page: RenderedPage


_RENDERED_PAGES: DerivedKind[tuple[_CacheEntry, ...]] = DerivedKind()
