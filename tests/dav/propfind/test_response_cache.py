"""What was rendered before isn't rendered again, and nothing that has changed is taken from it."""

from array import array
from datetime import UTC, datetime

import pytest

from davbridge.dav.propfind.response_cache import (
    MAX_QUERIES,
    MemberEntry,
    MemberWithProperties,
    RenderedPage,
    render_cached_page,
    render_page,
)
from davbridge.store.base import ObjectRow
from davbridge.store.derived import DerivedValues

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(key: str, etag: str = "1") -> ObjectRow:
    return ObjectRow(key, 1, NOW, etag)


class Rendered:
    """Renders an entry as its text, and remembers which ones."""

    def __init__(self) -> None:
        self.entries: list[MemberEntry] = []

    def __call__(self, entry: MemberEntry) -> bytes:
        self.entries.append(entry)
        return f"<{entry!r}>".encode()

    def taken(self) -> list[MemberEntry]:
        entries, self.entries = self.entries, []
        return entries


@pytest.fixture
def rendered() -> Rendered:
    return Rendered()


ENTRIES: tuple[MemberEntry, ...] = (
    "folder",
    row("a"),
    MemberWithProperties(row("ü"), b'{"{urn:p}q": "<q/>"}'),
    row("z"),
)


def text_of(entries: tuple[MemberEntry, ...]) -> bytes:
    return b"".join(map(Rendered(), entries))


def test_a_rendered_page_has_the_responses_in_order(rendered: Rendered) -> None:
    page = render_page(ENTRIES, rendered)
    assert page.text == text_of(ENTRIES)
    assert list(page.responses()) == [text_of((entry,)) for entry in ENTRIES]


def test_the_same_entries_are_not_rendered_again(rendered: Rendered) -> None:
    page = render_page(ENTRIES, rendered)
    rendered.taken()
    again = render_page((*ENTRIES[:2], *ENTRIES[2:]), rendered, page)
    assert again.text == page.text
    assert rendered.taken() == []


A, FOLDER, TOLD, Z = (
    row("a"),
    "folder",
    MemberWithProperties(row("ü"), b'{"{urn:p}q": "<q/>"}'),
    row("z"),
)

CHANGED: list[tuple[tuple[MemberEntry, ...], list[MemberEntry]]] = [
    ((FOLDER, row("A"), A, TOLD, Z), [row("A")]),
    ((FOLDER, A, TOLD, Z, row("zz")), [row("zz")]),
    ((FOLDER, row("a", "2"), TOLD, Z), [row("a", "2")]),
    (
        (FOLDER, MemberWithProperties(A, b'{"p": "1"}'), TOLD, Z),
        [MemberWithProperties(A, b'{"p": "1"}')],
    ),
    ((FOLDER, A, row("ü"), Z), [row("ü")]),
    (
        (FOLDER, A, MemberWithProperties(row("ü"), b"{}"), Z),
        [MemberWithProperties(row("ü"), b"{}")],
    ),
    ((FOLDER, A, TOLD, "z"), ["z"]),
    ((A, TOLD, Z), []),
    ((), []),
]


@pytest.mark.parametrize(("entries", "new"), CHANGED)
def test_only_changed_entries_are_rendered(
    entries: tuple[MemberEntry, ...], new: list[MemberEntry], rendered: Rendered
) -> None:
    before = render_page((FOLDER, A, TOLD, Z), rendered)
    rendered.taken()
    page = render_page(entries, rendered, before)
    assert page.text == text_of(entries)
    assert rendered.taken() == new


def test_a_page_caches_responses_for_as_many_queries_as_clients_use(rendered: Rendered) -> None:
    notes = DerivedValues()
    keys = [bytes([number]) for number in range(MAX_QUERIES + 1)]
    for key in keys:
        render_cached_page(notes, key, ENTRIES, rendered)
    rendered.taken()
    for key in keys[1:]:
        render_cached_page(notes, key, ENTRIES, rendered)
    assert rendered.taken() == []
    render_cached_page(notes, keys[0], ENTRIES, rendered)
    assert rendered.taken() == list(ENTRIES)


def test_an_empty_page_is_rendered_as_nothing(rendered: Rendered) -> None:
    assert render_page((), rendered) == RenderedPage((), array("Q"), b"")
