"""Members' responses are kept with the listing: what was not changed is rendered once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.dav.propfind.live_properties import PropertyContext
from davbridge.dav.propfind.member_list import MemberList
from davbridge.dav.propfind.query import PropertyQuery
from davbridge.dav.propfind.renderer import NO_PROPERTIES, Renderer
from davbridge.paths import parse
from davbridge.store.base import PAGE_SIZE, Attributes
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.resource import Resource
from tests.support.intercepted import CountingStore
from tests.support.memory import bytes_taken_by

ALLPROP = PropertyQuery("allprop")
SIZES = PropertyQuery("prop", ("{DAV:}getcontentlength",))


class CountingRenderer(Renderer):
    """Remembers what it was asked to render."""

    def __init__(self, query: PropertyQuery, context: PropertyContext) -> None:
        super().__init__(query, context)
        self.rendered: list[str] = []

    def response(self, href: str, resource: Resource, dead: Properties = NO_PROPERTIES) -> str:
        self.rendered.append(href)
        return super().response(href, resource, dead)


@dataclass
class Folder:
    """The folder /d of a bucket behind the cache."""

    store: CountingStore = field(default_factory=lambda: CountingStore(MemoryStore()))

    def __post_init__(self) -> None:
        self.cached = CachedStore(self.store, CacheSettings())
        self.tree = Namespace(self.cached)
        self.locks = MemoryLockStore()

    def fill(self, count: int) -> None:
        for number in range(count):
            self.store.put_object(f"d/{number:05}", b"x", Attributes())

    def put(self, path: str) -> None:
        writer = self.tree.open_writer(parse(path), Attributes(), length=3)
        writer.write(b"new")
        writer.commit()

    def shown(self, query: PropertyQuery = ALLPROP, mount: str = "/", **context: int) -> list[str]:
        """Asks for all members. Returns the hrefs of those that were rendered for it."""
        renderer = CountingRenderer(query, PropertyContext(used_bytes=context.get("used")))
        members = self.tree.listing(("d",))
        responses = MemberList(members, renderer, Site.of(mount, ()), self.locks)
        for page in members.pages:
            responses.responses(page)
        return renderer.rendered


@pytest.fixture
def folder() -> Iterator[Folder]:
    folder = Folder()
    yield folder
    folder.tree.close()
    folder.cached.close()


LARGE = 2 * PAGE_SIZE + 10


def test_a_known_listing_is_answered_without_rendering_or_asking(folder: Folder) -> None:
    folder.fill(LARGE)
    assert len(folder.shown()) == LARGE
    with folder.store.expect():
        assert folder.shown() == []


def test_after_one_put_one_member_is_rendered(folder: Folder) -> None:
    folder.fill(LARGE)
    folder.shown()
    folder.put("/d/01500")
    with folder.store.expect():
        assert folder.shown() == ["/d/01500"]
        assert folder.shown() == []


@pytest.mark.parametrize("name", ["00000-", "zzz", "01500-"])
def test_after_one_new_file_it_alone_is_rendered(folder: Folder, name: str) -> None:
    """Even where a page has grown over the size of a page."""
    folder.fill(LARGE)
    folder.shown()
    folder.put(f"/d/{name}")
    assert folder.shown() == [f"/d/{name}"]
    assert folder.shown() == []


def test_after_a_deletion_nothing_is_rendered(folder: Folder) -> None:
    folder.fill(LARGE)
    folder.shown()
    folder.tree.delete(("d", "01500"))
    assert folder.shown() == []


def test_after_a_new_folder_it_alone_is_rendered(folder: Folder) -> None:
    folder.fill(10)
    folder.shown()
    folder.tree.make_collection(("d", "sub"))
    assert folder.shown() == ["/d/sub/"]


def test_after_properties_of_one_member_it_alone_is_rendered(folder: Folder) -> None:
    folder.fill(10)
    folder.shown()
    for text in ('<q xmlns="urn:p">1</q>', '<q xmlns="urn:p">2</q>', None):
        folder.tree.update_properties(("d", "00003"), {"{urn:p}q": text})
        assert folder.shown() == ["/d/00003"]
        assert folder.shown() == []


def test_properties_that_are_not_asked_for_change_nothing(folder: Folder) -> None:
    folder.fill(10)
    folder.shown(SIZES)
    folder.tree.update_properties(("d", "00003"), {"{urn:p}q": '<q xmlns="urn:p">1</q>'})
    assert folder.shown(SIZES) == []


def test_responses_to_different_queries_are_cached_apart(folder: Folder) -> None:
    folder.fill(10)
    assert len(folder.shown(ALLPROP)) == 10
    assert len(folder.shown(SIZES)) == 10
    assert len(folder.shown(SIZES, mount="/dav")) == 10
    assert folder.shown(ALLPROP) == folder.shown(SIZES) == folder.shown(SIZES, mount="/dav") == []


def test_a_change_of_the_property_context_renders_all_members_again(folder: Folder) -> None:
    folder.fill(10)
    quota = PropertyQuery("prop", ("{DAV:}quota-used-bytes",))
    assert len(folder.shown(quota, used=1)) == 10
    assert len(folder.shown(quota, used=2)) == 10
    assert folder.shown(quota, used=2) == []


def test_empty_files_are_cached_once_their_kind_is_known(folder: Folder) -> None:
    for name in ("empty", "marked", "plain"):
        kind = "application/x-directory" if name == "marked" else "text/plain"
        folder.store.put_object(f"d/{name}", b"x" * (name == "plain"), Attributes(kind))
    assert sorted(folder.shown()) == ["/d/empty", "/d/marked/", "/d/plain"]
    assert folder.shown() == []


def test_responses_to_a_query_of_unusual_length_are_not_cached(folder: Folder) -> None:
    """A megabyte of names is allowed; it mustn't stay in memory."""
    folder.fill(10)
    names = tuple(f"{{urn:p}}{number:0100}" for number in range(100))
    for _ in range(2):
        assert len(folder.shown(PropertyQuery("prop", names))) == 10


def test_the_cache_stays_within_its_bytes_whatever_properties_are_asked_for() -> None:
    """Texts are short where no member has what was asked for by a long list of names."""
    max_bytes = 1024 * 1024
    store = MemoryStore()
    for number in range(150):
        store.put_object(f"d{number}/file", b"x", Attributes())
    cached = CachedStore(store, CacheSettings(max_bytes=max_bytes))
    tree = Namespace(cached)

    def ask() -> None:
        for number in range(450):
            names = tuple(f"{{DAV:}}p{number}-{place}" for place in range(40))
            members = tree.listing((f"d{number // 3}",))
            renderer = Renderer(PropertyQuery("prop", names), PropertyContext())
            for page in members.pages:
                MemberList(members, renderer, Site(), MemoryLockStore()).responses(page)

    assert max_bytes / 2 < bytes_taken_by(ask) < max_bytes * 2
    tree.close()
    cached.close()
