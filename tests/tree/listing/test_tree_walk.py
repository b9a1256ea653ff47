"""Everything inside a collection from one flat listing: what listing each collection shows."""

from collections.abc import Iterator

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from davbridge.errors import NotACollectionError, NotFoundError
from davbridge.paths import ROOT, ResourcePath, parse
from davbridge.store.base import PAGE_SIZE, Attributes, ObjectRow, Page
from davbridge.store.memory import MemoryStore
from davbridge.tree.listing.tree_walk import walk
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from tests.support.intercepted import InterceptedStore
from tests.tree.conftest import Drive

COLOUR = {"{n}p": "<p xmlns='n'>x</p>"}

KEYS = st.sets(
    st.lists(
        st.sampled_from(["a", "a-", "a_$folder$", "b", "", "..", ".davbridge-x", SIDECAR_NAME]),
        min_size=1,
        max_size=4,
    ).map("/".join),
    max_size=12,
)


def filled(keys: set[str]) -> MemoryStore:
    bucket = MemoryStore()
    for key in filter(None, keys):
        bucket.put_object(key, b"" if key.endswith(("/", "$")) else b"{}", Attributes())
    return bucket


def shown_by_recursion(tree: Namespace, path: ResourcePath) -> set[tuple[ResourcePath, bool]]:
    shown: set[tuple[ResourcePath, bool]] = set()
    for member in tree.members(path):
        shown.add((member.path, member.is_collection))
        if member.is_collection:
            shown |= shown_by_recursion(tree, member.path)
    return shown


def pages_of(rows: list[ObjectRow], size: int) -> Iterator[Page]:
    for start in range(0, len(rows) or 1, size):
        yield Page(tuple(rows[start : start + size]), (), is_last=start + size >= len(rows))


@given(keys=KEYS, size=st.integers(1, 5), is_by_folder=st.booleans())
@example(keys={"a", "a-", "a/a"}, size=1, is_by_folder=False)
@example(keys={"a_$folder$", "a-", "a"}, size=1, is_by_folder=False)
@example(keys={"a/b", "a-/b", "a_$folder$"}, size=1, is_by_folder=True)
def test_a_flat_listing_shows_what_the_listings_of_all_collections_show(
    keys: set[str], size: int, is_by_folder: bool
) -> None:
    """Whatever the size of its pages, and in S3's order or in SeaweedFS's."""
    bucket = filled(keys)
    rows = [row for page in bucket.list_objects("") for row in page.rows]
    if is_by_folder:
        files = {row.key for row in rows}
        # There, a name is a file or a folder.
        rows = [row for row in rows if not any(k.startswith(row.key + "/") for k in files)]
        bucket = filled({row.key for row in rows})
        rows.sort(key=lambda row: row.key.split("/"))
    members = [member for page in walk(ROOT, "", pages_of(rows, size)) for member in page.members]
    shown = [(member.path, member.row is None) for member in members]
    tree = Namespace(bucket)
    assert sorted(shown) == sorted(shown_by_recursion(tree, ROOT))
    tree.close()
    known = {ROOT}
    for path, is_collection in shown:
        assert path[:-1] in known  # A collection comes before its members.
        known |= {path} if is_collection else set()


def tree_of(tree: Namespace, path: str) -> dict[str, str]:
    """The paths of what is inside, with the dead property of each, or an empty text."""
    pages = list(tree.tree(parse(path)).pages)
    assert [page.is_last for page in pages[:-1]] == [False] * (len(pages) - 1)
    return {
        "/".join(resource.path) + "/" * resource.is_collection: "".join(properties.values())
        for page in pages
        for resource, properties in page.resources
    }


class SmallPages(InterceptedStore):
    """Flat listings have three keys a page."""

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        size = page_size if delimiter else min(page_size, 3)
        return super().list_objects(prefix, delimiter=delimiter, page_size=size)


@pytest.mark.parametrize("size", [3, PAGE_SIZE])
@pytest.mark.parametrize("first", ["!", "a"], ids=["before the sidecar", "after it"])
def test_each_resource_has_its_properties_wherever_the_sidecar_is_listed(
    drive: Drive, size: int, first: str
) -> None:
    names = [f"{first}{number}" for number in range(5)]
    for name in names:
        drive.outside(f"d/e/{name}", f"d/{name}")
    tree = Namespace(SmallPages(drive.bucket)) if size == 3 else Namespace(drive.bucket)
    for path in ("/d", "/d/e", f"/d/{first}1", f"/d/e/{first}4"):
        tree.update_properties(parse(path), COLOUR)
    found = tree_of(tree, "/")
    tree.close()
    coloured = {path for path, value in found.items() if value == COLOUR["{n}p"]}
    assert coloured == {"d/", "d/e/", f"d/{first}1", f"d/e/{first}4"}
    assert len(found) == 12


def test_a_tree_costs_one_listing_and_one_request_for_each_sidecar(drive: Drive) -> None:
    for number in range(20):
        drive.outside(f"d/{number}/a", f"d/{number}/b")
    drive.tree.update_properties(parse("/d/1/a"), COLOUR)
    drive.tree.update_properties(parse("/d/2/a"), COLOUR)
    drive.store.taken()
    with_cache = Namespace(drive.store)
    assert len(tree_of(with_cache, "/d")) == 60
    with_cache.close()
    assert drive.store.taken() == ["list", "get", "get"]


def test_directories_by_content_type_are_collections_in_a_tree(drive: Drive) -> None:
    drive.bucket.put_object("d/e", b"", Attributes("application/x-directory"))
    drive.bucket.put_object("d/f", b"", Attributes("text/plain"))
    assert set(tree_of(drive.tree, "/")) == {"d/", "d/e/", "d/f"}


def test_the_tree_of_what_is_no_collection_is_refused(drive: Drive) -> None:
    drive.outside("f", "e/")
    with pytest.raises(NotACollectionError):
        drive.tree.tree(parse("/f"))
    with pytest.raises(NotFoundError):
        drive.tree.tree(parse("/missing"))
    assert tree_of(drive.tree, "/e") == {}


def test_a_tree_is_found_under_another_unicode_form(drive: Drive) -> None:
    drive.outside("e\u0301/f")
    assert set(tree_of(drive.tree, "/\u00e9")) == {"e\u0301/f"}
