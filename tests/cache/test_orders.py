"""Stores that list in another order than S3: SeaweedFS goes folder by folder, where ``a/`` sorts as
``a``, and so comes before ``a-``. A page may end between them."""

from collections.abc import Iterator

import hypothesis.strategies as st
from hypothesis import given

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.store.base import PAGE_SIZE, Page
from davbridge.store.memory import MemoryStore
from tests.support.objects import names, put
from tests.support.orders import FolderByFolder

SEGMENTS = st.text("a-/", min_size=1, max_size=4).filter(lambda key: "//" not in f"/{key}")


@given(
    keys=st.sets(SEGMENTS, min_size=1, max_size=12),
    new=SEGMENTS,
    size=st.integers(1, 4),
    read=st.integers(0, 3),
)
def test_names_are_found_whatever_the_order_and_however_far_it_was_read(
    keys: set[str], new: str, size: int, read: int
) -> None:
    inner = FolderByFolder(size)
    put(inner, *keys)
    cached = CachedStore(inner, CacheSettings())
    pages = cached.list_objects("", delimiter="/")
    for _ in range(read):
        next(pages, None)
    for key in (*keys, new):
        name = key.partition("/")[0]
        assert cached.lookup(name) == inner.lookup(name)
    assert sorted(names(cached)) == sorted(names(inner))
    put(cached, new)
    cached.delete_object(min(keys))
    for key in (*keys, new):
        name = key.partition("/")[0]
        assert cached.lookup(name) == inner.lookup(name)
    assert sorted(names(cached)) == sorted(names(inner))
    cached.close()


def test_a_kept_listing_is_in_the_order_of_s3() -> None:
    inner = FolderByFolder(2)
    put(inner, "a/x", "a-", "a", "b", "b/x", "b-")
    cached = CachedStore(inner, CacheSettings())
    assert names(cached) != sorted(names(cached))
    (page,) = cached.list_objects("", delimiter="/")
    assert [row.key for row in page.rows] == ["a", "a-", "b", "b-"]
    assert page.prefixes == ("a/", "b/")
    cached.close()


class Repeating(MemoryStore):
    """Begins a page with the common prefix that the one before it ended with."""

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        (page,) = super().list_objects(prefix, delimiter=delimiter)
        yield Page(page.rows, page.prefixes[:2], is_last=False)
        yield Page((), page.prefixes[1:], is_last=True)


def test_a_folder_that_is_listed_twice_is_gone_when_it_is_deleted() -> None:
    inner = Repeating()
    put(inner, "a/x", "b/x", "c/x")
    cached = CachedStore(inner, CacheSettings())
    names(cached, "b/")
    names(cached)
    assert names(cached) == ["a/", "b/", "c/"]
    cached.delete_object("b/x")
    assert not cached.lookup("b").is_prefix
    assert names(cached) == ["a/", "c/"]
    cached.close()
