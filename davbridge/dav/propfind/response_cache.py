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

SELECTIONS = 3
"""Blocks that a page keeps at the most: clients ask for one to three selections."""

_BLOCK_BYTES = 500
"""An empty block, with the key that it is kept under."""


class Annotated(NamedTuple):
    """A member with what is kept beside it: dead properties, and facts."""

    member: Member
    properties: tuple[tuple[str, str], ...]


Entry = Member | Annotated
"""What a response is rendered from."""


class Block(NamedTuple):
    """Responses, one after the other."""

    entries: tuple[Entry, ...]
    ends: "array[int]"
    """Where each response ends in the text."""
    text: bytes

    @property
    def nbytes(self) -> int:
        """The memory that it takes; rows and names are the page's."""
        kept = (entry.properties for entry in self.entries if isinstance(entry, Annotated))
        texts = chain.from_iterable(chain.from_iterable(kept))
        return _BLOCK_BYTES + len(self.text) + 16 * len(self.entries) + sum(map(getsizeof, texts))

    def responses(self) -> Iterator[bytes]:
        """They, apart."""
        return (self.text[start:end] for start, end in pairwise(chain((0,), self.ends)))


def block_of(
    entries: tuple[Entry, ...], render: Callable[[Entry], bytes], before: Block | None = None
) -> Block:
    """The responses of ``entries``: those of ``before``, as far as it has them."""
    if before is not None and before.entries == entries:
        return before
    known = dict(zip(before.entries, before.responses(), strict=True)) if before else {}
    responses = [known.get(entry) or render(entry) for entry in entries]
    return Block(entries, array("L", accumulate(map(len, responses))), b"".join(responses))


def kept_block(
    notes: Notes, key: bytes, entries: tuple[Entry, ...], render: Callable[[Entry], bytes]
) -> Block:
    """As `block_of`, with what was kept beside the page for ``key``; it is kept from now on. Where
    the key is the same, equal entries have equal responses."""
    kept = notes.get(_KEPT) or ()
    before = next((each.block for each in kept if each.key == key), None)
    block = block_of(entries, render, before)
    if block is not before:
        others = [each for each in kept if each.key != key]
        kept = (_Kept(key, block), *others[: SELECTIONS - 1])
        notes.keep(_KEPT, kept, sum(each.block.nbytes for each in kept))
    return block


class _Kept(NamedTuple):
    key: bytes
    block: Block


_KEPT: Kind[tuple[_Kept, ...]] = Kind()
