"""Junk that isn't listed, and junk that isn't stored."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from davbridge.config import Junk
from davbridge.errors import (
    AlreadyExistsError,
    IsACollectionError,
    NotACollectionError,
    NotFoundError,
    OutOfSpaceError,
    ParentMissingError,
    PreconditionFailedError,
    UnavailableError,
)
from davbridge.paths import parse
from davbridge.store.base import IF_ABSENT, Attributes, Condition
from davbridge.tree.junk.files import LIFETIME, MAX_FILE_BYTES, MAX_INCOMING_BYTES
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.properties.client_metadata import ClientMetadata
from tests.tree.conftest import Drive

JUNK = ("._f", ".DS_Store", "Thumbs.db", "desktop.ini", "~$f.docx", ".~lock.f.odt#")

PROPERTY = {"{urn:q}q": "<q xmlns='urn:q'>1</q>"}


def opened(junk: Junk) -> Iterator[Drive]:
    drive = Drive("mount/", junk=junk)
    drive.outside("mount/d/", "mount/d/f")
    yield drive
    drive.tree.close()


@pytest.fixture
def dropping() -> Iterator[Drive]:
    yield from opened("drop")


@pytest.fixture
def hiding() -> Iterator[Drive]:
    yield from opened("hide")


@pytest.fixture(params=["hide", "drop"])
def unlisting(request: pytest.FixtureRequest) -> Iterator[Drive]:
    yield from opened(request.param)


def in_tree(drive: Drive, path: str = "/") -> set[str]:
    pages = drive.tree.tree(parse(path)).pages
    return {"/".join(one.path) for page in pages for one, _ in page.resources}


def bodies(drive: Drive) -> dict[str, bytes]:
    """Of the files below the mount, without davbridge's own."""
    keys = [key.removeprefix("mount/") for key in drive.stored() if not key.endswith("/")]
    return {key: drive.content(f"mount/{key}") for key in keys if ".davbridge" not in key}


# What is in the bucket


def test_junk_in_the_bucket_is_neither_listed_nor_in_the_tree(unlisting: Drive) -> None:
    unlisting.outside(*(f"mount/d/{name}" for name in JUNK), "mount/.DS_Store")
    for _ in range(2):  # Also from the cached page.
        assert unlisting.names() == ["d/"]
        assert unlisting.names("/d") == ["f"]
        assert in_tree(unlisting) == {"d", "d/f"}
        assert in_tree(unlisting, "/d") == {"d/f"}


def test_junk_is_listed_by_default() -> None:
    for drive in opened("keep"):
        drive.outside(*(f"mount/d/{name}" for name in JUNK))
        assert drive.names("/d") == sorted([*JUNK, "f"])
        assert in_tree(drive) == {"d", "d/f", *(f"d/{name}" for name in JUNK)}


def test_folders_with_names_of_junk_are_listed(unlisting: Drive) -> None:
    unlisting.outside("mount/._d/f", "mount/~$e/")
    assert unlisting.names() == ["._d/", "d/", "~$e/"]
    assert in_tree(unlisting) == {"._d", "._d/f", "d", "d/f", "~$e"}
    unlisting.mkcol("/._new")
    assert "mount/._new/" in unlisting.stored()


def test_junk_in_the_bucket_is_read_written_and_deleted_by_its_name(unlisting: Drive) -> None:
    unlisting.outside("mount/d/._f", "mount/d/.DS_Store")
    assert unlisting.read("/d/._f") == b"outside"
    unlisting.put("/d/._f", b"new")
    assert unlisting.content("mount/d/._f") == b"new"
    unlisting.tree.delete(("d", "._f"))
    assert bodies(unlisting) == {"d/f": b"outside", "d/.DS_Store": b"outside"}


def test_a_folder_with_nothing_but_junk_is_copied_moved_and_deleted_with_it(
    unlisting: Drive,
) -> None:
    unlisting.outside("mount/e/._f", "mount/e/.DS_Store")
    assert unlisting.tree.copy(("e",), ("copy",)) == []
    assert unlisting.tree.move(("e",), ("moved",)) == []
    junk = {"._f", ".DS_Store"}
    assert bodies(unlisting).keys() == {
        "d/f",
        *(f"{to}/{x}" for to in ("copy", "moved") for x in junk),
    }
    for folder in ("copy", "moved"):
        assert unlisting.tree.delete((folder,)) == []
    assert bodies(unlisting).keys() == {"d/f"}


# New junk


def test_hidden_junk_is_stored(hiding: Drive) -> None:
    hiding.put("/d/._f", b"new")
    assert hiding.content("mount/d/._f") == b"new"
    assert hiding.names("/d") == ["f"]


@pytest.mark.parametrize("name", JUNK)
def test_dropped_junk_is_there_and_not_in_the_bucket(dropping: Drive, name: str) -> None:
    before = dropping.stored()
    dropping.put(f"/d/{name}", b"one")
    dropping.put(f"/d/{name}", b"two")
    assert dropping.read(f"/d/{name}") == b"two"
    path = ("d", name)
    dropping.tree.update_properties(path, PROPERTY, modified=datetime(2020, 1, 1, tzinfo=UTC))
    assert dropping.tree.properties(path) == PROPERTY
    assert dropping.tree.lookup(path).modified == datetime(2020, 1, 1, tzinfo=UTC)
    assert dropping.tree.info(dropping.tree.lookup(path)).row.size == 3
    assert dropping.names("/d") == ["f"]
    assert in_tree(dropping) == {"d", "d/f"}
    dropping.tree.delete(path)
    assert dropping.kind(f"/d/{name}") is None
    assert dropping.stored() == before


def test_dropped_junk_is_gone_after_a_while(dropping: Drive) -> None:
    dropping.put("/d/._f")
    dropping.clock.advance(LIFETIME + 1)
    assert dropping.kind("/d/._f") is None
    with pytest.raises(NotFoundError):
        dropping.read("/d/._f")


def test_dropped_junk_has_the_time_and_the_checksums_that_came_with_it(dropping: Drive) -> None:
    writer = dropping.tree.open_writer(("d", "._f"), Attributes())
    writer.write(b"x")
    sent = ClientMetadata("", datetime(2020, 1, 1, tzinfo=UTC), "SHA1:00")
    stored = writer.commit(sent)
    assert stored == dropping.tree.find(("d", "._f"))
    assert stored.client_metadata == sent._replace(etag=stored.etag)


def test_dropped_junk_is_found_in_every_unicode_spelling(dropping: Drive) -> None:
    composed, decomposed = (unicodedata.normalize(form, "/d/._ü") for form in ("NFC", "NFD"))
    dropping.put(decomposed, b"x")
    assert dropping.read(composed) == b"x"
    dropping.tree.move(parse(decomposed), parse(composed))
    assert dropping.read(decomposed) == b"x"
    assert bodies(dropping).keys() == {"d/f"}


def test_dropped_junk_needs_a_folder(dropping: Drive) -> None:
    for path in ("/none/._f", "/d/f/._f"):
        with pytest.raises(ParentMissingError):
            dropping.put(path)
    dropping.put("/d/._f")
    with pytest.raises(ParentMissingError):
        dropping.put("/d/._f/x")
    with pytest.raises(NotACollectionError):
        dropping.names("/d/._f")
    with pytest.raises(AlreadyExistsError):
        dropping.mkcol("/d/._f")


def test_conditions_hold_for_dropped_junk(dropping: Drive) -> None:
    dropping.put("/d/._f", b"one", IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        dropping.put("/d/._f", b"two", IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        dropping.put("/d/._f", b"two", Condition(if_match="another"))
    with pytest.raises(PreconditionFailedError):
        dropping.tree.delete(("d", "._f"), Preconditions(if_match="another"))
    etag = dropping.tree.lookup(("d", "._f")).etag
    dropping.put("/d/._f", b"three", Condition(if_match=etag))
    assert dropping.read("/d/._f") == b"three"


def test_a_version_of_dropped_junk_that_was_replaced_is_not_read(dropping: Drive) -> None:
    dropping.put("/d/._f", b"one")
    found = dropping.tree.lookup(("d", "._f"))
    dropping.put("/d/._f", b"two")
    with pytest.raises((NotFoundError, PreconditionFailedError)):
        dropping.tree.open_reader(found)


def test_an_upload_of_junk_that_is_aborted_changes_nothing(dropping: Drive) -> None:
    dropping.put("/d/._f", b"one")
    writer = dropping.tree.open_writer(("d", "._f"), Attributes())
    writer.write(b"two")
    writer.abort()
    assert dropping.read("/d/._f") == b"one"


def test_what_is_too_large_for_junk_is_stored(dropping: Drive) -> None:
    dropping.put("/d/._f", b"small")
    large = b"x" * (MAX_FILE_BYTES + 1)
    dropping.put("/d/._f", large)
    assert bodies(dropping).keys() == {"d/f", "d/._f"}
    found = dropping.tree.lookup(("d", "._f"))
    assert found.size == len(large)
    dropping.tree.delete(("d", "._f"))
    assert dropping.kind("/d/._f") is None


def test_a_large_body_of_unknown_length_is_stored_whole(dropping: Drive) -> None:
    writer = dropping.tree.open_writer(("d", "._f"), Attributes())
    for _ in range(5):
        writer.write(b"x" * (MAX_FILE_BYTES // 3))
    assert writer.commit().size == MAX_FILE_BYTES // 3 * 5
    assert bodies(dropping).keys() == {"d/f", "d/._f"}


def test_junk_that_comes_in_takes_bounded_memory_and_is_stored_beyond_that(
    dropping: Drive,
) -> None:
    body = b"x" * MAX_FILE_BYTES
    number = MAX_INCOMING_BYTES // MAX_FILE_BYTES
    writers = [dropping.tree.open_writer(("d", f"._{n}"), Attributes()) for n in range(number + 2)]
    for writer in writers:
        writer.write(body)
    writers[0].abort()
    for writer in writers[1:]:
        writer.commit()
    assert bodies(dropping).keys() == {"d/f", f"d/._{number}", f"d/._{number + 1}"}
    assert all(dropping.read(f"/d/._{n}") == body for n in (1, number - 1, number))
    dropping.put("/d/._next", body)  # The memory of those that have ended is free again.
    assert bodies(dropping).keys() == {"d/f", f"d/._{number}", f"d/._{number + 1}"}


def test_dropped_junk_needs_no_room_in_the_quota() -> None:
    drive = Drive(quota=10, junk="drop")
    drive.put("/f", b"x" * 10)
    drive.put("/._f", b"junk")
    assert drive.read("/._f") == b"junk"
    with pytest.raises(OutOfSpaceError):
        drive.tree.move(("._f",), ("g",))
    assert drive.read("/._f") == b"junk"
    drive.tree.close()


def test_conditions_on_dropped_junk_hold_for_a_large_version_as_well(dropping: Drive) -> None:
    dropping.put("/d/._f", b"small")
    large, old = b"x" * (MAX_FILE_BYTES + 1), dropping.tree.lookup(("d", "._f")).etag
    for condition in (IF_ABSENT, Condition(if_match="another")):
        with pytest.raises(PreconditionFailedError):
            dropping.put("/d/._f", large, condition)
    assert dropping.read("/d/._f") == b"small"
    dropping.put("/d/._f", large, Condition(if_match=old))
    assert dropping.tree.lookup(("d", "._f")).size == len(large)


def test_an_object_that_appears_while_junk_comes_in_is_not_hidden_by_it(dropping: Drive) -> None:
    writer = dropping.tree.open_writer(("d", "._f"), Attributes())
    writer.write(b"junk")
    dropping.outside("mount/d/._f")
    with pytest.raises(UnavailableError):
        writer.commit()
    assert dropping.read("/d/._f") == b"outside"


# COPY and MOVE


def test_dropped_junk_is_moved_and_copied_among_its_names(dropping: Drive) -> None:
    dropping.put("/d/._f", b"junk")
    dropping.tree.update_properties(("d", "._f"), PROPERTY)
    dropping.tree.copy(("d", "._f"), ("d", "._g"))
    dropping.tree.move(("d", "._f"), ("._h",))
    assert dropping.kind("/d/._f") is None
    assert dropping.read("/d/._g") == dropping.read("/._h") == b"junk"
    assert dropping.tree.properties(("._h",)) == PROPERTY
    assert bodies(dropping) == {"d/f": b"outside"}


@pytest.mark.parametrize("target", ["new", "f"])
def test_dropped_junk_that_gets_a_name_of_its_own_is_stored(dropping: Drive, target: str) -> None:
    dropping.tree.update_properties(("d", "f"), {"{urn:q}old": "<old xmlns='urn:q'/>"})
    dropping.put("/d/~$f", b"junk")
    dropping.tree.update_properties(("d", "~$f"), PROPERTY)
    dropping.tree.move(("d", "~$f"), ("d", target))
    assert dropping.content(f"mount/d/{target}") == b"junk"
    assert dropping.tree.properties(("d", target)) == PROPERTY
    assert dropping.kind("/d/~$f") is None


def test_dropped_junk_replaces_nothing_without_overwrite(dropping: Drive) -> None:
    dropping.put("/d/._f", b"junk")
    dropping.put("/d/._g", b"other")
    for target in ("f", "._g"):
        with pytest.raises(PreconditionFailedError):
            dropping.tree.move(("d", "._f"), ("d", target), Preconditions(overwrite=False))
    with pytest.raises(PreconditionFailedError):
        dropping.tree.move(("d", "f"), ("d", "._g"), Preconditions(overwrite=False))
    with pytest.raises(IsACollectionError):
        dropping.tree.move(("d", "._f"), ("d",))
    assert dropping.read("/d/._f") == b"junk"
    assert dropping.read("/d/._g") == b"other"
    assert bodies(dropping) == {"d/f": b"outside"}


@pytest.mark.parametrize("name", JUNK)
@pytest.mark.parametrize("is_replaced", [False, True], ids=["new", "replaced"])
def test_a_file_that_is_renamed_to_a_name_of_junk_and_back_is_never_lost(
    dropping: Drive, name: str, *, is_replaced: bool
) -> None:
    if is_replaced:
        dropping.put(f"/d/{name}", b"junk")
    dropping.tree.move(("d", "f"), ("d", name))
    dropping.clock.advance(LIFETIME + 1)
    assert bodies(dropping) == {f"d/{name}": b"outside"}
    assert dropping.read(f"/d/{name}") == b"outside"
    dropping.tree.move(("d", name), ("d", "f"))
    assert bodies(dropping) == {"d/f": b"outside"}


def test_dropped_junk_moves_along_with_its_folder(dropping: Drive) -> None:
    dropping.mkcol("/e")
    dropping.put("/d/._f", b"junk")
    dropping.put("/e/._g", b"replaced")
    assert dropping.tree.move(("d",), ("e",)) == []
    assert dropping.read("/e/._f") == b"junk"
    for path in ("/d/._f", "/e/._g"):
        assert dropping.kind(path) is None
    assert dropping.tree.lookup(("e", "._f")).row is not None


def test_dropped_junk_goes_with_its_folder_and_is_not_copied(dropping: Drive) -> None:
    dropping.put("/d/._f", b"junk")
    dropping.tree.copy(("d",), ("e",))
    assert dropping.kind("/e/._f") is None
    dropping.tree.delete(("d",))
    dropping.mkcol("/d")
    assert dropping.kind("/d/._f") is None


def test_the_last_file_beside_dropped_junk_leaves_its_folder(dropping: Drive) -> None:
    dropping.outside("mount/unmarked/f")
    dropping.put("/unmarked/._f")
    dropping.tree.delete(("unmarked", "f"))
    assert "mount/unmarked/" in dropping.stored()
    assert dropping.names("/unmarked") == []


# LOCK


def test_a_lock_makes_dropped_junk_and_not_an_object(dropping: Drive) -> None:
    with dropping.tree.without_writes(("d", "._f"), is_deep=False) as access:
        assert access.resource is None
        assert access.make_empty_file(Attributes())
    with dropping.tree.without_writes(("d", "._f"), is_deep=False) as access:
        assert access.resource == dropping.tree.find(("d", "._f"))
    with (
        dropping.tree.without_writes(("none", "._f"), is_deep=False) as access,
        pytest.raises(ParentMissingError),
    ):
        access.make_empty_file(Attributes())
    assert bodies(dropping) == {"d/f": b"outside"}
