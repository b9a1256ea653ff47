"""COPY, MOVE and DELETE: overwriting, failures in the middle, and what others do meanwhile."""

from collections.abc import Callable
from threading import Barrier

import pytest

from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    InvalidNameError,
    NotFoundError,
    OverlappingPathsError,
    ParentMissingError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import parse
from davbridge.store.base import DIRECTORY_TYPE, Attributes
from davbridge.tree.plan import deletion_order
from davbridge.tree.reserved_names import is_housekeeping
from davbridge.tree.steps.parallel_requests import MAX_PARALLEL_REQUESTS
from tests.tree.conftest import Drive

Fault = Callable[[str, str], StoreError | None]


def failing(operation: str, *keys: str) -> Fault:
    """Requests of this kind to these keys fail; to all keys, if none are given."""

    def fault(asked: str, key: str) -> StoreError | None:
        is_hit = asked == operation and (not keys or key in keys)
        return AccessDeniedError(f"{operation} {key}") if is_hit else None

    return fault


class TestRefusals:
    """What can be refused is refused before anything happens.

    RFC 4918 §9.3.1, §9.6, §9.7.1, §9.8.5 and §9.9.4.
    """

    @pytest.mark.parametrize("operation", ["copy", "move"])
    @pytest.mark.parametrize(
        ("source", "target", "error"),
        [
            ("/a", "/a", OverlappingPathsError),
            ("/a", "/a/b/new", OverlappingPathsError),
            ("/a", "/a/file/x", OverlappingPathsError),
            ("/a/b", "/a", OverlappingPathsError),
            ("/", "/x", OverlappingPathsError),
            ("/a", "/", OverlappingPathsError),
            ("/missing", "/x", NotFoundError),
            ("/a", "/missing/x", ParentMissingError),
            ("/a", "/file/x", ParentMissingError),
            ("/file", "/file/x", ParentMissingError),
        ],
    )
    def test_a_transfer_that_makes_no_sense_is_refused(
        self, drive: Drive, operation: str, source: str, target: str, error: type[StoreError]
    ) -> None:
        drive.outside("a/b/c", "a/file", "file")
        drive.store.taken()
        with pytest.raises(error):
            getattr(drive.tree, operation)(parse(source), parse(target))
        assert drive.stored() == ["a/b/c", "a/file", "file"]

    def test_a_delete_of_the_root_is_refused(self, drive: Drive) -> None:
        drive.outside("a")
        with pytest.raises(InvalidNameError):
            drive.tree.delete(())
        assert drive.stored() == ["a"]

    def test_a_delete_of_what_is_not_there_is_refused(self, drive: Drive) -> None:
        drive.outside("ab")
        with pytest.raises(NotFoundError):
            drive.tree.delete(parse("/a"))

    def test_a_new_resource_without_a_parent_is_refused(self, drive: Drive) -> None:
        drive.outside("file")
        for path in ("/missing/x", "/file/x"):
            with pytest.raises(ParentMissingError):
                drive.put(path)
            with pytest.raises(ParentMissingError):
                drive.mkcol(path)

    def test_a_new_collection_where_something_is_is_refused(self, drive: Drive) -> None:
        drive.outside("file", "a/b")
        for path in ("/", "/file", "/a"):
            with pytest.raises(AlreadyExistsError):
                drive.mkcol(path)


class TestOverwriting:
    """The result is the source's, exactly (RFC 4918 §9.8.4, §9.9.3); nothing of the target goes
    before it is there."""

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_a_file_replaces_a_file(self, drive: Drive, operation: str) -> None:
        drive.outside("a", body=b"new")
        drive.outside("b", body=b"old")
        assert getattr(drive.tree, operation)(parse("/a"), parse("/b")) == []
        assert drive.content("b") == b"new"
        assert drive.stored() == (["a", "b"] if operation == "copy" else ["b"])

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_a_collection_replaces_a_collection_and_is_not_merged_with_it(
        self, drive: Drive, operation: str
    ) -> None:
        drive.outside("s/both", "s/d/new", "s/file/now-collection", body=b"new")
        drive.outside("t/", "t/both", "t/d/old", "t/file", "t/gone/", "t/gone/x", body=b"old")
        drive.outside("s/was-collection", "t/was-collection/x")
        assert getattr(drive.tree, operation)(parse("/s"), parse("/t")) == []
        inside = ["both", "d/new", "file/now-collection", "was-collection"]
        assert [key for key in drive.stored() if key.startswith("t")] == [
            "t/",
            *(f"t/{name}" for name in inside),
        ]
        assert drive.content("t/both") == b"new"

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_a_file_replaces_a_collection_and_all_inside(
        self, drive: Drive, operation: str
    ) -> None:
        drive.outside("f", "t/", "t/a/b")
        assert getattr(drive.tree, operation)(parse("/f"), parse("/t")) == []
        assert drive.stored() == (["f", "t"] if operation == "copy" else ["t"])

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_a_collection_replaces_a_file(self, drive: Drive, operation: str) -> None:
        drive.outside("s/", "s/a", "t")
        assert getattr(drive.tree, operation)(parse("/s"), parse("/t")) == []
        assert [key for key in drive.stored() if key[0] == "t"] == ["t/", "t/a"]

    def test_members_of_the_target_are_deleted_only_after_the_copies(self, drive: Drive) -> None:
        drive.outside("s/a", "t/b")
        drive.tree.copy(parse("/s"), parse("/t"))
        operations = [one for one in drive.store.requests if one[0] in ("copy", "delete")]
        assert operations == [("copy", "s/a"), ("delete", "t/b")]

    def test_members_of_the_target_stay_where_a_copy_fails(self, drive: Drive) -> None:
        drive.outside("s/a", "t/b")
        drive.store.fault = failing("copy")
        failures = drive.tree.copy(parse("/s"), parse("/t"))
        assert [failure.path for failure in failures] == [("s", "a")]
        assert drive.stored() == ["s/a", "t/b"]

    def test_a_copy_never_falls_on_an_object_that_was_not_there_when_it_was_planned(
        self, drive: Drive
    ) -> None:
        drive.outside("s/x", "s/y")

        def meanwhile(operation: str, key: str) -> None:
            if operation == "copy":
                drive.outside("t/x", body=b"precious")

        drive.store.before = meanwhile
        failures = drive.tree.move(parse("/s"), parse("/t"))
        assert failures[0].path == ("s", "x")
        assert drive.content("t/x") == b"precious"
        assert drive.stored() == ["s/x", "s/y", "t/x"]


class TestCopyWithoutMembers:
    """COPY with Depth: 0 (RFC 4918 §9.8.3)."""

    def test_a_copy_of_depth_0_has_the_properties_and_no_members(self, drive: Drive) -> None:
        drive.outside("s/", "s/a", "s/d/e")
        drive.tree.update_properties(parse("/s"), {"{n}p": "<p xmlns='n'/>"})
        assert drive.tree.copy(parse("/s"), parse("/t"), recursive=False) == []
        assert [key for key in drive.stored() if key[0] == "t"] == ["t/"]
        assert drive.tree.properties(parse("/t")) == {"{n}p": "<p xmlns='n'/>"}

    def test_a_copy_of_depth_0_over_a_collection_leaves_an_empty_one(self, drive: Drive) -> None:
        drive.outside("s/a", "t/b/c", "t/d")
        assert drive.tree.copy(parse("/s"), parse("/t"), recursive=False) == []
        assert drive.stored() == ["s/a", "t/"]

    def test_a_copy_of_depth_0_over_a_file_leaves_an_empty_collection(self, drive: Drive) -> None:
        drive.outside("s/a", "t")
        assert drive.tree.copy(parse("/s"), parse("/t"), recursive=False) == []
        assert drive.stored() == ["s/a", "t/"]

    def test_a_copy_of_depth_0_of_a_file_is_a_whole_one(self, drive: Drive) -> None:
        drive.outside("a")
        assert drive.tree.copy(parse("/a"), parse("/b"), recursive=False) == []
        assert drive.stored() == ["a", "b"]


class TestFailures:
    """What fails in the middle loses nothing, and is told with its path (RFC 4918 §9.6.1, §9.8.5,
    §9.9.4)."""

    SOURCE = ("s/", "s/a", "s/b", "s/d/c")

    def test_a_move_with_a_failing_copy_loses_nothing(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)
        drive.store.fault = failing("copy", "s/d/c")
        failures = drive.tree.move(parse("/s"), parse("/t"))
        assert [(f.path, type(f.error)) for f in failures] == [(("s", "d", "c"), AccessDeniedError)]
        assert drive.stored() == list(self.SOURCE)
        assert drive.kind("/t") is None

    def test_a_move_of_a_file_with_a_failing_copy_raises(self, drive: Drive) -> None:
        drive.outside("a")
        drive.store.fault = failing("copy")
        with pytest.raises(AccessDeniedError):
            drive.tree.move(parse("/a"), parse("/b"))
        assert drive.stored() == ["a"]

    @pytest.mark.parametrize("operation", ["copy", "move"])
    @pytest.mark.parametrize("body", [b"file", b""])
    def test_a_file_that_is_gone_replaces_no_collection(
        self, drive: Drive, operation: str, body: bytes
    ) -> None:
        """As where a listing was kept that shows it."""
        drive.outside("a", body=body)
        drive.outside("t/1", "t/2")

        def meanwhile(operation: str, key: str) -> None:
            if (operation, key) == ("list", "t/"):
                drive.bucket.delete_object("a")

        drive.store.before = meanwhile
        with pytest.raises(NotFoundError):
            getattr(drive.tree, operation)(parse("/a"), parse("/t"))
        assert drive.stored() == ["t/1", "t/2"]

    def test_a_move_deletes_nothing_until_every_copy_is_verified(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)
        drive.tree.move(parse("/s"), parse("/t"))
        operations = [operation for operation, _ in drive.store.requests]
        first_delete = operations.index("delete")
        assert operations[:first_delete].count("copy") == len(self.SOURCE)
        assert ("list", "t/") in drive.store.requests[:first_delete]

    def test_a_copy_that_is_missing_from_the_listing_is_a_failure(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)

        def meanwhile(operation: str, key: str) -> None:
            if (operation, key) == ("list", "t/"):
                drive.bucket.delete_object("t/a")

        drive.store.before = meanwhile
        failures = drive.tree.move(parse("/s"), parse("/t"))
        assert [(f.path, type(f.error)) for f in failures] == [(("t", "a"), UnavailableError)]
        assert drive.stored() == list(self.SOURCE)

    def test_a_marker_that_a_member_has_undone_is_written_again(self, drive: Drive) -> None:
        drive.outside("s/", "s/d/", "s/d/c")
        lost = ["t/d/", "t/"]

        def meanwhile(operation: str, key: str) -> None:
            is_copied = len(drive.stored()) > len(("s/", "s/d/", "s/d/c"))
            while (operation, key) == ("list", "t/") and is_copied and lost:
                drive.bucket.delete_object(lost.pop())

        drive.store.before = meanwhile
        assert drive.tree.move(parse("/s"), parse("/t")) == []
        assert not lost
        assert drive.stored() == ["t/", "t/d/", "t/d/c"]

    def test_a_move_that_cannot_be_verified_is_undone(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)
        faults = [UnavailableError("t/")]

        def fault(operation: str, key: str) -> StoreError | None:
            return faults.pop() if faults and (operation, key) == ("list", "t/") else None

        drive.store.fault = fault
        assert [f.path for f in drive.tree.move(parse("/s"), parse("/t"))] == [("t",)]
        assert drive.stored() == list(self.SOURCE)

    def test_a_move_whose_undo_fails_still_has_its_source(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)

        def fault(operation: str, key: str) -> StoreError | None:
            is_hit = operation == "delete" or (operation, key) == ("copy", "s/b")
            return AccessDeniedError(key) if is_hit else None

        drive.store.fault = fault
        assert drive.tree.move(parse("/s"), parse("/t"))[0].path == ("s", "b")
        assert set(self.SOURCE) < set(drive.stored())

    def test_a_failing_delete_at_the_end_of_a_move_is_reported(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)
        drive.store.fault = failing("delete", "s/b")
        assert [f.path for f in drive.tree.move(parse("/s"), parse("/t"))] == [("s", "b")]
        left = ["s/b"]
        assert members(drive) == [*left, "t/", "t/a", "t/b", "t/d/c"]

    def test_a_failing_delete_at_the_end_of_a_file_move_is_raised(self, drive: Drive) -> None:
        drive.outside("a")
        drive.store.fault = failing("delete")
        with pytest.raises(AccessDeniedError):
            drive.tree.move(parse("/a"), parse("/b"))
        assert drive.stored() == ["a", "b"]

    def test_failing_deletes_of_a_tree_are_reported(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)
        drive.store.fault = failing("delete", "s/b", "s/d/c")
        failures = drive.tree.delete(parse("/s"))
        assert [failure.path for failure in failures] == [("s", "b"), ("s", "d", "c")]
        assert drive.stored() == ["s/b", "s/d/c"]

    def test_a_failing_delete_of_a_file_is_raised(self, drive: Drive) -> None:
        drive.outside("a")
        drive.store.fault = failing("delete")
        with pytest.raises(AccessDeniedError):
            drive.tree.delete(parse("/a"))

    def test_a_source_that_changed_while_it_moved_is_left(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)

        def meanwhile(operation: str, key: str) -> None:
            if (operation, key) == ("list", "t/"):
                drive.outside("s/a", body=b"newer")
                drive.outside("s/new")

        drive.store.before = meanwhile
        failures = drive.tree.move(parse("/s"), parse("/t"))
        assert [(f.path, type(f.error)) for f in failures] == [
            (("s", "a"), PreconditionFailedError)
        ]
        left = ["s/", "s/a", "s/new"]
        assert members(drive) == [*left, "t/", "t/a", "t/b", "t/d/c"]
        assert drive.content("s/a") == b"newer"

    def test_a_source_that_changed_before_its_copy_fails_it(self, drive: Drive) -> None:
        drive.outside(*self.SOURCE)

        def meanwhile(operation: str, key: str) -> None:
            if (operation, key) == ("copy", "s/"):
                drive.outside("s/b", body=b"newer")

        drive.store.before = meanwhile
        failures = drive.tree.move(parse("/s"), parse("/t"))
        assert failures[0].path == ("s", "b")
        assert drive.stored() == list(self.SOURCE)

    def test_a_transfer_stops_soon_after_a_failure(self, drive: Drive) -> None:
        drive.outside(*(f"s/{number:04}" for number in range(1000)))
        drive.store.fault = failing("copy")
        failures = drive.tree.copy(parse("/s"), parse("/t"))
        assert drive.store.taken().count("copy") <= MAX_PARALLEL_REQUESTS
        assert isinstance(failures[-1].error, UnavailableError)

    def test_a_source_stays_where_a_member_of_the_target_cannot_be_deleted(
        self, drive: Drive
    ) -> None:
        drive.outside("f", "t/a", "t/b")
        drive.store.fault = failing("delete", "t/b")
        with pytest.raises(AccessDeniedError):
            drive.tree.move(parse("/f"), parse("/t"))
        assert "f" in drive.stored()


class TestStoresThatKeepFolders:
    def test_an_empty_marker_that_cannot_be_copied_is_written(self, drive: Drive) -> None:
        drive.outside("s/", "s/d/", "s/a")
        drive.store.fault = lambda operation, key: (
            NotFoundError(key) if operation == "copy" and key.endswith("/") else None
        )
        assert drive.tree.move(parse("/s"), parse("/t")) == []
        assert drive.stored() == ["t/", "t/a", "t/d/"]
        assert drive.content_type("t/d/") == DIRECTORY_TYPE

    def test_a_marker_with_content_that_cannot_be_copied_is_a_failure(self, drive: Drive) -> None:
        drive.bucket.put_object("s/", b"notes", Attributes())
        drive.store.fault = lambda operation, key: (
            NotFoundError(key) if operation == "copy" else None
        )
        assert [f.path for f in drive.tree.move(parse("/s"), parse("/t"))] == [("s",)]
        assert drive.stored() == ["s/"]

    def test_markers_are_deleted_after_what_is_inside_listed_or_not(self) -> None:
        going = ["m/s/", "m/s/a/b/c", "m/s/a/d", "m/s/e/"]
        assert deletion_order(going, "m/s/", ()) == [
            *("m/s/a/b/c", "m/s/a/d"),
            *("m/s/e/", "m/s/a/b/", "m/s/a/", "m/s/"),
        ]

    def test_markers_of_what_stays_are_not_named(self) -> None:
        going = ["s/a/b/c", "s/x"]
        assert deletion_order(going, "s/", ["s/a/stays"]) == ["s/a/b/c", "s/x", "s/a/b/"]
        assert deletion_order(["s/a/b"], None, ()) == ["s/a/b"]


def members(drive: Drive) -> list[str]:
    """The keys in the bucket, but for what davbridge notes for itself."""
    return [key for key in drive.stored() if not is_housekeeping(key)]


class TestSideBySide:
    """What doesn't depend on each other is under way at once."""

    def test_copies_are_under_way_at_once_up_to_the_limit(self, drive: Drive) -> None:
        drive.outside(*(f"s/{number}" for number in range(2 * MAX_PARALLEL_REQUESTS)))
        meeting = Meeting(drive, MAX_PARALLEL_REQUESTS, {"copy"})
        assert drive.tree.copy(parse("/s"), parse("/t")) == []
        assert meeting.count == 2
        assert len(drive.names("/t")) == 2 * MAX_PARALLEL_REQUESTS

    def test_the_source_and_what_is_overwritten_are_listed_at_once(self, drive: Drive) -> None:
        drive.outside("s/a", "t/b")
        meeting = Meeting(drive, 2, {"list"})
        drive.store.fault = failing("copy")
        assert drive.tree.copy(parse("/s"), parse("/t"))
        assert meeting.count == 1


class Meeting:
    """Requests of some kinds go on only once so many of them are under way."""

    def __init__(self, drive: Drive, size: int, operations: set[str]) -> None:
        self.count = 0
        """How often they have met."""
        self._barrier = Barrier(size, self._met, timeout=60)
        self._operations = operations
        drive.store.before = self._before

    def _before(self, operation: str, key: str) -> None:
        if operation in self._operations and not is_housekeeping(key):
            self._barrier.wait()

    def _met(self) -> None:
        self.count += 1


def test_a_tree_of_more_than_a_page_is_moved_and_deleted(drive: Drive) -> None:
    names = [f"{number:04}" for number in range(1300)]
    drive.outside(*(f"s/{name}" for name in names))
    assert drive.tree.move(parse("/s"), parse("/t")) == []
    assert drive.stored() == [f"t/{name}" for name in names]
    assert drive.tree.delete(parse("/t")) == []
    assert drive.stored() == []


class TestLastMember:
    """A collection never vanishes because its last member did."""

    @pytest.mark.parametrize("last", ["p/q/x", "p/q/x/", "p/q/x/y"])
    @pytest.mark.parametrize("operation", ["delete", "move"])
    def test_an_unmarked_parent_is_marked_before_it_loses_its_last_member(
        self, drive: Drive, last: str, operation: str
    ) -> None:
        drive.outside(last)
        path = parse("/p/q/x")
        failures = (
            drive.tree.delete(path) if operation == "delete" else drive.tree.move(path, ("z",))
        )
        assert failures == []
        assert "p/q/" in drive.stored()
        assert drive.content_type("p/q/") == DIRECTORY_TYPE
        assert drive.names("/p") == ["q/"]

    def test_the_marker_is_written_before_the_member_goes(self, drive: Drive) -> None:
        drive.outside("p/x")
        drive.store.fault = failing("put")
        with pytest.raises(AccessDeniedError):
            drive.tree.delete(parse("/p/x"))
        assert drive.stored() == ["p/x"]

    @pytest.mark.parametrize("other", ["p/", "p/y", "p/x-", "p/y/z"])
    def test_no_marker_is_written_where_another_member_is(self, drive: Drive, other: str) -> None:
        drive.outside("p/x", other)
        drive.tree.delete(parse("/p/x"))
        assert drive.stored() == [other]

    def test_a_rename_inside_the_parent_writes_no_marker(self, drive: Drive) -> None:
        drive.outside("p/x")
        drive.tree.move(parse("/p/x"), parse("/p/y"))
        assert drive.stored() == ["p/y"]

    def test_the_root_needs_no_marker(self) -> None:
        drive = Drive(prefix="mount/")
        drive.outside("mount/x")
        drive.tree.delete(parse("/x"))
        assert drive.stored() == []
        drive.tree.close()
