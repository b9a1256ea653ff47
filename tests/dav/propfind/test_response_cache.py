"""What was rendered before isn't rendered again, and nothing that has changed is taken from it."""

from array import array
from datetime import UTC, datetime

import pytest

from davbridge.dav.propfind.response_cache import (
    SELECTIONS,
    Annotated,
    Block,
    Entry,
    block_of,
    kept_block,
)
from davbridge.store.base import ObjectRow
from davbridge.store.notes import Notes

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(key: str, etag: str = "1") -> ObjectRow:
    return ObjectRow(key, 1, NOW, etag)


class Rendered:
    """Renders an entry as its text, and remembers which ones."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __call__(self, entry: Entry) -> bytes:
        self.entries.append(entry)
        return f"<{entry!r}>".encode()

    def taken(self) -> list[Entry]:
        entries, self.entries = self.entries, []
        return entries


@pytest.fixture
def rendered() -> Rendered:
    return Rendered()


ENTRIES: tuple[Entry, ...] = (
    "folder",
    row("a"),
    Annotated(row("ü"), (("{urn:p}q", "<q/>"),)),
    row("z"),
)


def text_of(entries: tuple[Entry, ...]) -> bytes:
    return b"".join(map(Rendered(), entries))


def test_a_block_has_the_responses_in_order(rendered: Rendered) -> None:
    block = block_of(ENTRIES, rendered)
    assert block.text == text_of(ENTRIES)
    assert list(block.responses()) == [text_of((entry,)) for entry in ENTRIES]


def test_the_same_entries_are_not_rendered_again(rendered: Rendered) -> None:
    block = block_of(ENTRIES, rendered)
    rendered.taken()
    again = block_of((*ENTRIES[:2], *ENTRIES[2:]), rendered, block)
    assert again.text == block.text
    assert rendered.taken() == []


A, FOLDER, TOLD, Z = row("a"), "folder", Annotated(row("ü"), (("{urn:p}q", "<q/>"),)), row("z")

CHANGED: list[tuple[tuple[Entry, ...], list[Entry]]] = [
    ((FOLDER, row("A"), A, TOLD, Z), [row("A")]),
    ((FOLDER, A, TOLD, Z, row("zz")), [row("zz")]),
    ((FOLDER, row("a", "2"), TOLD, Z), [row("a", "2")]),
    ((FOLDER, Annotated(A, (("p", "1"),)), TOLD, Z), [Annotated(A, (("p", "1"),))]),
    ((FOLDER, A, row("ü"), Z), [row("ü")]),
    ((FOLDER, A, Annotated(row("ü"), ()), Z), [Annotated(row("ü"), ())]),
    ((FOLDER, A, TOLD, "z"), ["z"]),
    ((A, TOLD, Z), []),
    ((), []),
]


@pytest.mark.parametrize(("entries", "new"), CHANGED)
def test_what_has_changed_alone_is_rendered(
    entries: tuple[Entry, ...], new: list[Entry], rendered: Rendered
) -> None:
    before = block_of((FOLDER, A, TOLD, Z), rendered)
    rendered.taken()
    block = block_of(entries, rendered, before)
    assert block.text == text_of(entries)
    assert rendered.taken() == new


def test_a_page_keeps_blocks_for_as_many_selections_as_clients_ask(rendered: Rendered) -> None:
    notes = Notes()
    keys = [bytes([number]) for number in range(SELECTIONS + 1)]
    for key in keys:
        kept_block(notes, key, ENTRIES, rendered)
    rendered.taken()
    for key in keys[1:]:
        kept_block(notes, key, ENTRIES, rendered)
    assert rendered.taken() == []
    kept_block(notes, keys[0], ENTRIES, rendered)
    assert rendered.taken() == list(ENTRIES)


def test_an_empty_page_has_an_empty_block(rendered: Rendered) -> None:
    assert block_of((), rendered) == Block((), array("Q"), b"")
