"""What the seed had: each row of its table that the namespace answers for."""

import pytest

from davbridge.errors import InvalidNameError, NotFoundError, TooLargeError
from davbridge.filestore import FileStore
from davbridge.paths import parse
from davbridge.store.base import DIRECTORY_TYPE, Attributes
from davbridge.tree.composition import DriveLimits
from davbridge.tree.namespace import Namespace
from tests.tree.conftest import Drive

TREE = ("s/", "s/a", "s/a-", "s/d/e/f/g", "s/d/e/h", "s/d-/x", "s/empty/")


def test_seed_directories_are_simulated_by_a_trailing_slash(drive: Drive) -> None:
    drive.mkcol("/somepath", "/somepath/dir1")
    drive.put("/somepath/file1")
    drive.put("/somepath/dir1/inside")
    inside = ["dir1/", "dir1/inside", "file1"]
    assert drive.stored() == ["somepath/", *(f"somepath/{name}" for name in inside)]
    assert drive.names("/somepath") == ["dir1/", "file1"]


def test_seed_directory_type_and_folder_suffix_are_directories(drive: Drive) -> None:
    drive.outside("typed", body=b"", content_type=DIRECTORY_TYPE)
    drive.outside("suffixed_$folder$", body=b"")
    assert drive.names() == ["suffixed/", "typed/"]
    assert drive.kind("/typed") == drive.kind("/suffixed") == "collection"


@pytest.mark.parametrize("text", ["/../out", "/a/../../out", "/./out", "/a\0b"])
def test_seed_access_is_restricted(text: str) -> None:
    drive = Drive(prefix="in/")
    drive.outside("out", "in/a/b")
    with pytest.raises(InvalidNameError):
        parse(text)
    assert drive.names() == ["a/"]
    assert drive.kind("/out") is None
    drive.tree.close()


def test_seed_create_directory(drive: Drive) -> None:
    drive.mkcol("/a")
    assert drive.stored() == ["a/"]
    assert drive.content("a/") == b""
    assert drive.content_type("a/") == DIRECTORY_TYPE


def test_seed_delete_of_a_file(drive: Drive) -> None:
    drive.outside("a", "a-", "ab", "b/a")
    assert drive.tree.delete(parse("/a")) == []
    assert drive.stored() == ["a-", "ab", "b/a"]


def test_seed_delete_of_whole_trees_at_any_depth(drive: Drive) -> None:
    drive.outside(*TREE, "s-", "sa", "s-/x")
    assert drive.tree.delete(parse("/s/d")) == []
    assert drive.stored() == ["s-", "s-/x", "s/", "s/a", "s/a-", "s/d-/x", "s/empty/", "sa"]
    assert drive.tree.delete(parse("/s")) == []
    assert drive.stored() == ["s-", "s-/x", "sa"]


def test_seed_duplicate_of_a_file(drive: Drive) -> None:
    drive.bucket.put_object("a", b"text", Attributes("text/plain", {"mtime": "1.5"}))
    assert drive.tree.copy(parse("/a"), parse("/b")) == []
    assert drive.content("b") == b"text"
    assert drive.bucket.head_object("b").attributes == Attributes("text/plain", {"mtime": "1.5"})
    assert drive.stored() == ["a", "b"]


def test_seed_duplicate_of_whole_trees_at_any_depth(drive: Drive) -> None:
    drive.outside(*TREE, "s-", "sa")
    assert drive.tree.copy(parse("/s"), parse("/t")) == []
    assert drive.stored() == sorted([*TREE, "s-", "sa", *(f"t{key[1:]}" for key in TREE)])


def test_seed_move_of_a_file(drive: Drive) -> None:
    drive.outside("d/a", "d/a-", "d/ab")
    assert drive.tree.move(parse("/d/a"), parse("/b")) == []
    assert drive.stored() == ["b", "d/a-", "d/ab"]


def test_seed_move_of_whole_trees_at_any_depth(drive: Drive) -> None:
    drive.outside(*TREE, "s-", "sa")
    drive.outside("s/d/e/deep", body=b"deep")
    assert drive.tree.move(parse("/s"), parse("/t")) == []
    moved = [f"t{key[1:]}" for key in (*TREE, "s/d/e/deep")]
    assert drive.stored() == sorted(["s-", "sa", *moved])
    assert drive.content("t/d/e/deep") == b"deep"


def test_seed_get_file(drive: Drive) -> None:
    drive.outside("a", body=b"0123456789")
    found = drive.tree.lookup(parse("/a"))
    with drive.tree.open_reader(found, start=2, end=5) as reader:
        assert reader.read(100) == b"234"
        assert reader.info.row.size == 10


def test_seed_store_fileobject(drive: Drive) -> None:
    writer = drive.tree.open_writer(parse("/a"), Attributes("text/plain"))
    for block in (b"one ", b"two"):
        writer.write(block)
        assert drive.stored() == []
    stored = writer.commit()
    assert (stored.path, stored.size) == (parse("/a"), 7)
    assert drive.tree.lookup(parse("/a")).row == stored.row
    assert drive.content("a") == b"one two"
    assert drive.content_type("a") == "text/plain"


def test_seed_get_directory_listing(drive: Drive) -> None:
    drive.outside(*TREE)
    assert drive.names("/s") == ["a", "a-", "d-/", "d/", "empty/"]
    assert drive.names("/s/d/e") == ["f/", "h"]


def test_seed_get_metadata(drive: Drive) -> None:
    drive.outside("d/a", body=b"four")
    found = drive.tree.lookup(parse("/d/a"))
    assert (found.size, found.modified, found.is_collection) == (4, drive.clock.now, False)
    assert drive.tree.info(found).attributes.content_type == "application/octet-stream"
    assert drive.tree.lookup(parse("/d")).is_collection
    with pytest.raises(NotFoundError):
        drive.tree.lookup(parse("/nothing"))


def test_seed_get_bulk_metadata(drive: Drive) -> None:
    drive.outside("d/a", body=b"four")
    drive.outside("d/sub/x", "other")
    assert FileStore(drive.tree).get_bulk_metadata("/d") == {
        "/d/a": {"modified": drive.clock.seconds(), "bytes": 4, "is_dir": False},
        "/d/sub": {"modified": 946_684_800.0, "bytes": 0, "is_dir": True},
    }
    assert drive.store.taken() == ["list", "lookup"]  # The cache answers the lookup by the list.


def test_seed_get_bulk_metadata_of_a_missing_directory(drive: Drive) -> None:
    with pytest.raises(NotFoundError):
        FileStore(drive.tree).get_bulk_metadata("/nothing")


def test_seed_get_max_filesize(drive: Drive) -> None:
    assert drive.tree.max_file_size == drive.bucket.max_object_size
    small = Namespace(drive.store, limits=DriveLimits(max_file_size=3))
    with pytest.raises(TooLargeError):
        small.open_writer(parse("/a"), Attributes(), length=4)
    writer = small.open_writer(parse("/a"), Attributes())
    writer.write(b"abc")
    with pytest.raises(TooLargeError):
        writer.write(b"d")
    with pytest.raises(TooLargeError):
        writer.commit()
    assert drive.stored() == []
    small.close()
