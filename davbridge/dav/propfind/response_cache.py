"""The responses of a page of members: rendered once, kept with the page, joined from then on.

Owns which of the responses that were rendered before still hold. Must not know what they say.

A response follows from the query, what is around, the collection's href and the member, with
what is kept beside it. A block keeps the responses of a page in one text, with the members that
they were rendered from; those that are equal now have the same response. So after the change of one
member one response is rendered, and nothing has to be invalidated.

Invariant: what changes without the renderer knowing (the seconds that a lock has left) is
never in a block.
"""

from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, pairwise
from sys import getsizeof
from typing import NamedTuple

from davbridge.store.notes import Kind, Notes
from davbridge.tree.members import Member

MAX_QUERIES = 3
"""Blocks that a page keeps at the most: clients ask for one to three selections."""

_RENDERED_PAGE_BYTES = 500
"""An empty block, with the key that it is kept under."""


class MemberWithProperties(NamedTuple):
    """A member with what is kept beside it: dead properties, and facts."""

    member: Member
    properties: tuple[tuple[str, str], ...]


RenderedMember = Member | MemberWithProperties
"""What a response is rendered from."""


class RenderedPage(NamedTuple):
    """Responses, one after the other."""

    entries: tuple[RenderedMember, ...]
    ends: "array[int]"
    """Where each response ends in the text."""
    text: bytes

    @property
    def nbytes(self) -> int:
        """The memory that it takes; rows and names are the page's."""
        kept = (
            entry.properties for entry in self.entries if isinstance(entry, MemberWithProperties)
        )
        texts = chain.from_iterable(chain.from_iterable(kept))
        return (
            _RENDERED_PAGE_BYTES
            + len(self.text)
            + 16 * len(self.entries)
            + sum(map(getsizeof, texts))
        )

    def responses(self) -> Iterator[bytes]:
        """They, apart."""
        return (self.text[start:end] for start, end in pairwise(chain((0,), self.ends)))


def render_page(
    entries: tuple[RenderedMember, ...],
    render: Callable[[RenderedMember], bytes],
    before: RenderedPage | None = None,
) -> RenderedPage:
    """The responses of ``entries``: those of ``before``, as far as it has them."""
    if before is not None and before.entries == entries:
        return before
    known = dict(zip(before.entries, before.responses(), strict=True)) if before else {}
    responses = [known.get(entry) or render(entry) for entry in entries]
    return RenderedPage(entries, array("L", accumulate(map(len, responses))), b"".join(responses))


def render_cached_page(
    notes: Notes,
    key: bytes,
    entries: tuple[RenderedMember, ...],
    render: Callable[[RenderedMember], bytes],
) -> RenderedPage:
    """As `render_page`, with what was kept beside the page for ``key``; it is kept from now on. Where
    the key is the same, equal entries have equal responses."""
    kept = notes.get(_RENDERED_PAGES) or ()
    before = next((each.block for each in kept if each.key == key), None)
    block = render_page(entries, render, before)
    if block is not before:
        others = [each for each in kept if each.key != key]
        kept = (_CacheEntry(key, block), *others[: MAX_QUERIES - 1])
        notes.keep(_RENDERED_PAGES, kept, sum(each.block.nbytes for each in kept))
    return block


class _CacheEntry(NamedTuple):
    key: bytes
    block: RenderedPage


_RENDERED_PAGES: Kind[tuple[_CacheEntry, ...]] = Kind()
