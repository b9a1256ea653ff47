"""The decision table "which keys make a collection", row by row, in look-ups and in listings."""

import logging
from collections.abc import Iterator
from threading import Barrier

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    InvalidNameError,
    IsACollectionError,
    NotACollectionError,
    NotFoundError,
    ParentMissingError,
    RejectedError,
    StoreError,
)
from davbridge.paths import parse
from davbridge.store.base import DIRECTORY_TYPE, Attributes, ObjectRow, Page
from davbridge.store.memory import MemoryStore
from davbridge.tree.listing.classification import classify_pages
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from davbridge.tree.resource import COLLECTION_TIME
from tests.support.orders import FolderByFolder
from tests.tree.conftest import Drive

FOLDER_BY_FOLDER = [("",), ("/x",), ("_$folder$",), ("", "_$folder$"), ("/x", "_$folder$")]
"""What there can be of one name in a store that has either a file or a folder."""


def test_a_marker_is_a_collection_whose_listing_skips_the_marker(drive: Drive) -> None:
    drive.outside("a/")
    assert drive.kind("/a") == "collection"
    assert drive.names() == ["a/"]
    assert drive.names("/a") == []


def test_any_key_inside_makes_a_collection(drive: Drive) -> None:
    drive.outside("a/b/c")
    assert drive.names() == ["a/"]
    assert drive.names("/a") == ["b/"]
    assert drive.names("/a/b") == ["c"]


def test_a_collection_has_a_stable_time_and_no_size(drive: Drive) -> None:
    drive.outside("a/b")
    found = drive.tree.lookup(parse("/a"))
    assert (found.modified, found.size, found.etag) == (COLLECTION_TIME, 0, "")


@pytest.mark.parametrize("inside", ["a/", "a/b"])
def test_a_collection_hides_the_object_of_its_name(drive: Drive, inside: str) -> None:
    drive.outside("a", inside)
    assert drive.kind("/a") == "collection"
    assert drive.names() == ["a/"]
    with pytest.raises(IsACollectionError):
        drive.put("/a")


def test_a_hidden_object_is_logged_once(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    drive.outside("a", "a/b")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            drive.names()
            drive.kind("/a")
    assert [record.getMessage() for record in caplog.records] == [
        "hidden by a collection of the same name: object 'a'"
    ]


def test_delete_of_a_collection_leaves_the_object_that_it_hid_and_reports_it(drive: Drive) -> None:
    drive.outside("a", "a/b")
    failures = drive.tree.delete(parse("/a"))
    assert [failure.path for failure in failures] == [("a",)]
    assert drive.stored() == ["a"]
    assert drive.kind("/a") == "file"


def test_delete_of_an_ancestor_leaves_a_hidden_object(drive: Drive) -> None:
    drive.outside("t/a", "t/a/b", "t/c/d")
    failures = drive.tree.delete(parse("/t"))
    assert [failure.path for failure in failures] == [("t", "a")]
    assert drive.stored() == ["t/a"]


def test_a_move_of_a_tree_takes_hidden_objects_along(drive: Drive) -> None:
    drive.outside("t/a", "t/a/b")
    assert drive.tree.move(parse("/t"), parse("/u")) == []
    assert drive.stored() == ["u/a", "u/a/b"]


def test_a_move_of_a_collection_leaves_the_object_that_it_hid_and_reports_it(drive: Drive) -> None:
    drive.outside("a", "a/b")
    failures = drive.tree.move(parse("/a"), parse("/z"))
    assert [failure.path for failure in failures] == [("a",)]
    assert drive.stored() == ["a", "z/b"]


@pytest.mark.parametrize("hidden", ["t", "t/x", "t//x"])
def test_a_file_never_replaces_what_a_collection_hides(drive: Drive, hidden: str) -> None:
    drive.outside("f", hidden, "t/x/y")
    keys = drive.stored()
    for operation in (drive.tree.copy, drive.tree.move):
        assert [type(f.error) for f in operation(parse("/f"), parse("/t"))] == [AlreadyExistsError]
        assert drive.stored() == keys


def test_a_marker_with_content_is_a_collection_and_never_overwritten(drive: Drive) -> None:
    drive.bucket.put_object("a/", b"notes", Attributes())
    drive.outside("s/", "s/x", "a/b")
    with pytest.raises(AlreadyExistsError):
        drive.mkcol("/a")
    drive.tree.delete(parse("/a/b"))
    drive.tree.copy(parse("/s"), parse("/a"))
    assert drive.names("/a") == ["x"]
    assert drive.content("a/") == b"notes"


@pytest.mark.parametrize(
    "key", ["a//b", "a/./b", "a/../b", "a//", "a/x\0y", "a/.davbridge-else", "a/.DAVBRIDGE/b"]
)
def test_a_key_without_a_path_is_hidden(drive: Drive, key: str) -> None:
    drive.outside(key, "a/c")
    assert drive.names("/a") == ["c"]


@pytest.mark.parametrize("key", ["/", "/x", "../x", "./x"])
def test_a_key_without_a_path_is_hidden_in_the_root(drive: Drive, key: str) -> None:
    drive.outside(key, "c")
    assert drive.names() == ["c"]


def test_a_delete_leaves_a_key_without_a_path_and_reports_it(drive: Drive) -> None:
    drive.outside("a/b//c", "a/b/d", "a/e")
    failures = drive.tree.delete(parse("/a"))
    assert [(f.path, type(f.error)) for f in failures] == [(("a", "b"), InvalidNameError)]
    assert drive.stored() == ["a/b//c"]
    assert drive.kind("/a/b") == "collection"


def test_a_move_is_refused_before_it_begins_where_a_key_has_no_path(drive: Drive) -> None:
    drive.outside("a/b//c", "a/b/d")
    failures = drive.tree.move(parse("/a"), parse("/z"))
    assert [f.path for f in failures] == [("a", "b")]
    assert drive.stored() == ["a/b//c", "a/b/d"]


def test_a_copy_leaves_out_what_is_not_shown(drive: Drive) -> None:
    drive.outside("a/b//c", "a/b/d")
    assert drive.tree.copy(parse("/a"), parse("/z")) == []
    assert drive.stored() == ["a/b//c", "a/b/d", "z/b/d"]


class TestFolderSuffix:
    """``x_$folder$``, as Hadoop and EMRFS write it."""

    def test_an_empty_folder_suffix_is_a_collection_and_never_shown_itself(
        self, drive: Drive
    ) -> None:
        drive.outside("x_$folder$", body=b"")
        assert drive.names() == ["x/"]
        assert drive.kind("/x") == "collection"
        assert drive.kind("/x_$folder$") is None
        assert drive.names("/x") == []

    def test_a_folder_suffix_with_members_is_shown_once(self, drive: Drive) -> None:
        drive.outside("x_$folder$", body=b"")
        drive.outside("x/", "x/y", "x-y")
        assert drive.names() == ["x-y", "x/"]

    def test_a_folder_suffix_with_content_is_a_file(self, drive: Drive) -> None:
        drive.outside("x_$folder$")
        assert drive.names() == ["x_$folder$"]
        assert drive.kind("/x_$folder$") == "file"
        assert drive.kind("/x") is None

    def test_a_file_of_the_name_outweighs_a_folder_suffix(self, drive: Drive) -> None:
        drive.outside("x_$folder$", body=b"")
        drive.outside("x")
        assert drive.names() == ["x"]
        assert drive.kind("/x") == "file"

    @pytest.mark.parametrize("name", ["x", "x_$folder$"])
    def test_a_folder_suffix_is_deleted_with_the_folder_beside_it(
        self, drive: Drive, name: str
    ) -> None:
        drive.outside("d/x_$folder$", body=b"")
        drive.outside("d/", f"d/{name}/y", "d/x/z")
        assert drive.tree.delete(parse("/d/x")) == []
        assert drive.kind("/d/x") is None

    def test_a_folder_suffix_is_deleted_with_a_file_of_the_name(self, drive: Drive) -> None:
        drive.outside("x_$folder$", body=b"")
        drive.outside("x")
        assert drive.tree.delete(parse("/x")) == []
        assert drive.stored() == []

    def test_a_moved_folder_suffix_becomes_a_marker(self, drive: Drive) -> None:
        drive.outside("x_$folder$", "y/z_$folder$", body=b"")
        assert drive.tree.move(parse("/x"), parse("/u")) == []
        assert drive.tree.move(parse("/y"), parse("/v")) == []
        assert drive.stored() == ["u/", "v/z/"]
        assert drive.content_type("v/z/") == DIRECTORY_TYPE

    def test_a_new_folder_suffix_is_never_written(self, drive: Drive) -> None:
        drive.outside("x")
        with pytest.raises(InvalidNameError):
            drive.put("/y_$folder$")
        with pytest.raises(InvalidNameError):
            drive.mkcol("/y_$folder$")
        with pytest.raises(InvalidNameError):
            drive.tree.move(parse("/x"), parse("/y_$folder$"))

    def test_a_bare_folder_suffix_is_a_file(self, drive: Drive) -> None:
        drive.outside("_$folder$", body=b"")
        assert drive.names() == ["_$folder$"]
        assert drive.kind("/_$folder$") == "file"


class TestDirectoryType:
    """An empty slashless object of a directory's type, as s3fs and others write it."""

    @pytest.fixture(
        params=[
            "application/x-directory; charset=UTF-8",
            "httpd/unix-directory",
            "inode/directory;a=b",
        ]
    )
    def drive(self, drive: Drive, request: pytest.FixtureRequest) -> Drive:
        drive.outside("x", body=b"", content_type=request.param)
        drive.outside("empty", body=b"")
        drive.clock.advance(10)
        return drive

    def test_an_object_of_directory_type_is_a_collection(self, drive: Drive) -> None:
        assert drive.names() == ["empty", "x/"]
        assert drive.kind("/x") == "collection"
        assert drive.kind("/empty") == "file"
        assert drive.names("/x") == []

    def test_an_object_of_directory_type_with_content_is_a_file(self, drive: Drive) -> None:
        drive.outside("y", content_type=DIRECTORY_TYPE)
        assert drive.kind("/y") == "file"
        assert "y" in drive.names()

    def test_only_empty_objects_without_members_are_asked_for_their_type(
        self, drive: Drive
    ) -> None:
        drive.outside("full", "covered/y")
        drive.outside("covered", body=b"")
        drive.names()
        heads = [key for operation, key in drive.store.requests if operation == "head"]
        assert sorted(heads) == ["empty", "x"]

    def test_the_type_of_an_object_is_cached_once_it_has_not_changed_for_a_while(
        self, drive: Drive
    ) -> None:
        drive.names()
        drive.store.taken()
        drive.names()
        drive.kind("/x")
        assert "head" not in drive.store.taken()

    @pytest.mark.parametrize(("age", "is_kept"), [(2, False), (3, True)])
    def test_the_type_of_a_fresh_object_is_not_cached(
        self, drive: Drive, age: float, is_kept: bool
    ) -> None:
        drive.outside("y", body=b"")
        drive.clock.advance(age)
        assert drive.kind("/y") == "file"
        drive.clock.advance(-age)
        drive.outside("y", body=b"", content_type=DIRECTORY_TYPE)
        assert drive.kind("/y") == ("file" if is_kept else "collection")

    def test_types_of_objects_are_asked_for_in_parallel(self, drive: Drive) -> None:
        """With fewer at a time the barrier would break."""
        drive.outside(*(f"e{number}" for number in range(14)), body=b"")
        barrier = Barrier(16, timeout=60)
        drive.store.before = lambda operation, key: _wait(barrier) if operation == "head" else None
        assert len(drive.names()) == 16

    @pytest.mark.parametrize(
        "error", [NotFoundError("gone"), AccessDeniedError("no"), RejectedError("")]
    )
    def test_an_object_whose_type_cannot_be_asked_is_a_file(
        self, drive: Drive, error: StoreError
    ) -> None:
        drive.store.fault = lambda operation, key: error if operation == "head" else None
        assert drive.names() == ["empty", "x"]

    @pytest.mark.parametrize("write", ["put", "mkcol", "copy"])
    def test_an_object_of_directory_type_becomes_a_marker_at_the_next_write_inside(
        self, drive: Drive, write: str
    ) -> None:
        if write == "put":
            drive.put("/x/y")
        elif write == "mkcol":
            drive.mkcol("/x/y")
        else:
            drive.tree.copy(parse("/empty"), parse("/x/y"))
        assert "x/" in drive.stored()
        assert "x" not in drive.stored()
        assert drive.kind("/x") == "collection"
        assert drive.content_type("x/") == DIRECTORY_TYPE

    def test_an_object_of_directory_type_that_is_a_file_by_now_is_not_replaced_by_a_marker(
        self, drive: Drive
    ) -> None:
        assert drive.kind("/x") == "collection"

        def swap(operation: str, key: str) -> None:
            if (operation, key) == ("get", "x"):
                drive.outside("x", body=b"precious")

        drive.store.before = swap
        with pytest.raises(ParentMissingError):
            drive.put("/x/y")
        assert drive.content("x") == b"precious"
        assert "x/" not in drive.stored()

    def test_an_object_of_directory_type_is_deleted_and_moved_as_a_collection(
        self, drive: Drive
    ) -> None:
        assert drive.tree.move(parse("/x"), parse("/y")) == []
        assert drive.stored() == ["empty", "y/"]
        drive.outside("z", body=b"", content_type=DIRECTORY_TYPE)
        drive.outside("z/", "z/a")
        assert drive.tree.delete(parse("/z")) == []
        assert drive.stored() == ["empty", "y/"]

    def test_an_object_of_directory_type_inside_a_tree_is_deleted_as_a_collection(
        self, drive: Drive
    ) -> None:
        drive.outside("t/z", body=b"", content_type=DIRECTORY_TYPE)
        drive.outside("t/z/a")
        assert drive.tree.delete(parse("/t")) == []
        assert drive.stored() == ["empty", "x"]

    def test_a_collection_may_be_copied_over_an_object_of_directory_type(
        self, drive: Drive
    ) -> None:
        drive.outside("s/a")
        assert drive.tree.copy(parse("/s"), parse("/x")) == []
        assert drive.names("/x") == ["a"]

    def test_a_file_may_be_moved_over_an_object_of_directory_type(self, drive: Drive) -> None:
        drive.outside("f", body=b"precious")
        assert drive.tree.move(parse("/f"), parse("/x")) == []
        assert drive.content("x") == b"precious"
        assert drive.kind("/x") == "file"


def test_a_key_that_would_be_too_long_is_refused_before_any_write(drive: Drive) -> None:
    name = "n" * 500
    drive.outside(f"a/{name}", f"{name}/x")
    drive.store.taken()
    for operation in (drive.tree.copy, drive.tree.move):
        with pytest.raises(InvalidNameError):
            operation(parse("/a"), parse(f"/{name}/{'m' * 200}"))
        with pytest.raises(InvalidNameError):
            operation(parse(f"/a/{name}"), parse(f"/{name}/{'m' * 600}"))
    with pytest.raises(InvalidNameError):
        drive.put("/" + "ü" * 513)
    with pytest.raises(InvalidNameError):
        drive.mkcol("/" + "m" * 1024)
    assert set(drive.store.taken()) <= {"list", "lookup"}


def test_a_path_that_is_too_long_names_nothing(drive: Drive) -> None:
    assert drive.tree.find(parse("/" + "x" * 1025)) is None
    assert drive.tree.find(parse("/" + "x" * 1024)) is None
    with pytest.raises(NotFoundError):
        drive.names("/" + "x" * 1025)


def test_names_that_xml_cannot_hold_are_names(drive: Drive) -> None:
    drive.put("/a\x01b\ufffe")
    assert drive.names() == ["a\x01b\ufffe"]


class TestUnicodeForms:
    """Byte-exact; another form is found where it is the only one."""

    NFC, NFD = "\u00fc", "u\u0308"

    def test_another_form_of_a_name_is_found(self, drive: Drive) -> None:
        drive.outside(f"{self.NFD}/{self.NFC}/x")
        found = drive.tree.lookup((self.NFC, self.NFD, "x"))
        assert found.path == (self.NFD, self.NFC, "x")
        assert drive.names(f"/{self.NFC}") == [f"{self.NFC}/"]
        assert drive.read(f"/{self.NFC}/{self.NFC}/x") == b"outside"

    def test_two_unicode_forms_that_are_both_there_are_two_names(self, drive: Drive) -> None:
        drive.outside(self.NFC, body=b"composed")
        drive.outside(self.NFD, body=b"decomposed")
        assert drive.read(f"/{self.NFC}") == b"composed"
        assert drive.read(f"/{self.NFD}") == b"decomposed"

    def test_a_write_goes_to_the_form_that_is_there(self, drive: Drive) -> None:
        drive.outside(f"{self.NFD}/{self.NFD}")
        drive.put(f"/{self.NFC}/{self.NFC}")
        drive.put(f"/{self.NFC}/new")
        with pytest.raises(AlreadyExistsError):
            drive.mkcol(f"/{self.NFC}")
        assert drive.stored() == [f"{self.NFD}/new", f"{self.NFD}/{self.NFD}"]

    def test_a_new_name_is_written_as_it_came(self, drive: Drive) -> None:
        drive.put(f"/{self.NFD}")
        assert drive.stored() == [self.NFD]


class TestPages:
    """A listing in many pages shows what one page would."""

    def test_an_object_is_hidden_by_a_collection_pages_later(self, drive: Drive) -> None:
        drive.outside("a", "a/b", *(f"a-{number:04}" for number in range(2500)))
        assert drive.names()[:2] == ["a-0000", "a-0001"]
        assert len(drive.names()) == 2501
        assert "a" not in drive.names()

    def test_a_folder_suffix_is_merged_pages_later(self, drive: Drive) -> None:
        drive.outside("a_$folder$", "b_$folder$", "c_$folder$", body=b"")
        drive.outside("a/b", *(f"a0{number:04}" for number in range(1500)))
        drive.outside("b", *(f"b0{number:04}" for number in range(1500)))
        drive.outside(*(f"c0{number:04}" for number in range(1500)))
        names = drive.names()
        assert [name for name in names if len(name) < 4] == ["a/", "b", "c/"]
        assert len(names) == len(set(names)) == 4503

    def test_pages_are_given_as_they_come(self, drive: Drive) -> None:
        drive.outside(*(f"f{number:04}" for number in range(2001)))
        members = drive.tree.members(())
        assert drive.store.taken() == ["list", "lookup"]
        for _ in range(999):  # The last one might be hidden by what the next page begins with.
            next(members)
        assert drive.store.taken() == []
        assert len(list(members)) == 1002
        assert drive.store.taken() == ["list", "list"]

    @given(
        names=st.sets(st.text("a-0_", min_size=1, max_size=4), max_size=30),
        kinds=st.lists(st.sampled_from(["", "/", "/x", "_$folder$"]), min_size=30, max_size=30),
        size=st.integers(1, 5),
    )
    def test_a_listing_is_the_same_whatever_the_size_of_pages(
        self, names: set[str], kinds: list[str], size: int
    ) -> None:
        bucket = MemoryStore()
        for name, kind in zip(sorted(names), kinds, strict=False):
            bucket.put_object("p/" + name + kind, b"" if kind else b"x", Attributes())
        pages = bucket.list_objects("p/", delimiter="/")
        small = bucket.list_objects("p/", delimiter="/", page_size=size)
        assert _shown(small) == _shown(pages)

    @given(
        names=st.sets(st.text("a-0_", min_size=1, max_size=4), max_size=30),
        kinds=st.lists(st.sampled_from(FOLDER_BY_FOLDER), min_size=30, max_size=30),
        size=st.integers(1, 5),
    )
    @example(names={"a", "a-"}, kinds=[("/x",), ("", "_$folder$")], size=2)
    def test_a_listing_is_the_same_where_folders_are_listed_as_files_are(
        self, names: set[str], kinds: list[tuple[str, ...]], size: int
    ) -> None:
        bucket = FolderByFolder(size)
        for name, several in zip(sorted(names), kinds, strict=False):
            for kind in several:
                bucket.put_object("p/" + name + kind, b"" if kind else b"x", Attributes())
        whole = bucket.inner.list_objects("p/", delimiter="/")
        assert _shown(bucket.list_objects("p/", delimiter="/")) == _shown(whole)


def _shown(pages: Iterator[Page]) -> tuple[list[str], list[str]]:
    shown = [member for _, page in classify_pages("p/", pages) for member in page.members]
    return (
        sorted(member.key for member in shown if isinstance(member, ObjectRow)),
        sorted(member for member in shown if isinstance(member, str)),
    )


def _wait(barrier: Barrier) -> None:
    barrier.wait()


class TestReserved:
    """davbridge's own names: no request reaches them, to read or to write."""

    NAMES = (SIDECAR_NAME, ".davbridge", ".DavBridge-x")

    @pytest.fixture
    def drive(self, drive: Drive) -> Drive:
        for name in self.NAMES:
            drive.outside(name, f"a/{name}", f"a/{name}/b")
        return drive

    @pytest.mark.parametrize("name", NAMES)
    def test_reserved_names_are_not_found(self, drive: Drive, name: str) -> None:
        for path in (f"/{name}", f"/a/{name}", f"/a/{name}/b"):
            assert drive.kind(path) is None
            with pytest.raises(NotFoundError):
                drive.names(path)
            with pytest.raises(NotFoundError):
                drive.tree.delete(parse(path))
            with pytest.raises(NotFoundError):
                drive.tree.copy(parse(path), parse("/copy"))
        assert drive.names() == ["a/"]
        assert drive.names("/a") == []

    @pytest.mark.parametrize("name", NAMES)
    def test_reserved_names_are_not_written(self, drive: Drive, name: str) -> None:
        drive.outside("file")
        keys = drive.stored()
        for path in (f"/{name}", f"/a/{name}", f"/a/{name}/b"):
            with pytest.raises(InvalidNameError):
                drive.put(path)
            with pytest.raises(InvalidNameError):
                drive.mkcol(path)
            for operation in (drive.tree.copy, drive.tree.move):
                with pytest.raises(InvalidNameError):
                    operation(parse("/file"), parse(path))
        assert drive.stored() == keys

    def test_a_prefix_with_nothing_but_a_sidecar_is_a_collection(self, drive: Drive) -> None:
        drive.outside(f"only/{SIDECAR_NAME}")
        assert drive.kind("/only") == "collection"
        assert drive.names("/only") == []


def test_members_of_what_is_no_collection_are_refused_at_the_call(drive: Drive) -> None:
    drive.outside("f")
    with pytest.raises(NotACollectionError):
        drive.tree.members(parse("/f"))
    with pytest.raises(NotACollectionError):
        drive.tree.members(drive.tree.lookup(parse("/f")))
    with pytest.raises(NotFoundError):
        drive.tree.members(parse("/nothing"))
    with pytest.raises(NotFoundError):
        drive.tree.members(parse("/f/below"))


def test_the_root_always_exists(drive: Drive) -> None:
    assert drive.kind("/") == "collection"
    assert drive.names("/") == []
    assert drive.store.taken() == ["list", "lookup"]


def test_nothing_outside_the_prefix_is_reachable() -> None:
    drive = Drive(prefix="mount/")
    drive.outside("mount-2/x", "other", "mount/a", "mount")
    assert drive.names() == ["a"]
    assert drive.kind("/other") is None
    drive.tree.delete(parse("/a"))
    assert drive.stored() == ["mount", "mount-2/x", "other"]
    drive.tree.close()


def test_a_hidden_file_is_copied_in_the_place_of_a_folder_that_another_tool_has_marked(
    drive: Drive,
) -> None:
    """The mark has the file's key, and is replaced by it."""
    drive.outside("s/x", "s/x/y")
    drive.outside("t/x", body=b"", content_type=DIRECTORY_TYPE)
    assert drive.tree.copy(parse("/s"), parse("/t")) == []
    assert drive.stored() == ["s/x", "s/x/y", "t/x", "t/x/y"]
    assert drive.content("t/x") == b"outside"
