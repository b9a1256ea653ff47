"""MKCOL, DELETE, COPY and MOVE of files and of whole trees."""

from urllib.parse import quote

import pytest

from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import fill, patch, prop
from tests.support.bridge import Client
from tests.support.contract import drain, keys


def test_mkcol_writes_a_directory_marker(client: Client, store: MemoryStore) -> None:
    assert client("MKCOL", "/a/b/").status == 409
    assert client("MKCOL", "/a/").status == 201
    assert client("MKCOL", "/a/b").status == 201
    assert client("MKCOL", "/a/b/").status == 405
    assert client("MKCOL", "/").status == 405
    assert client("MKCOL", "/c", b"<x/>").status == 415
    assert keys(store) == ["a/", "a/b/"]
    assert store.head_object("a/").attributes.content_type == "application/x-directory"


def test_delete_removes_files_and_whole_collections(client: Client, store: MemoryStore) -> None:
    fill(store, "a/b/c", "a/b/d/e", "ab", "a-", "f")
    assert client("DELETE", "/f").status == 204
    assert client("DELETE", "/f").status == 404
    assert client("DELETE", "/a/", depth="0").status == 400
    assert client("DELETE", "/a").status == 204
    assert client("DELETE", "/").status == 403
    assert keys(store) == ["a-", "ab"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_copy_and_move_of_a_file_answer_201_204_and_each_refusal(
    client: Client, store: MemoryStore, method: str
) -> None:
    fill(store, "a", "b", "d/x")
    assert client(method, "/a", destination="/new").status == 201
    assert ("a" in keys(store)) is (method == "COPY")
    client("PUT", "/a", b"a")
    assert client(method, "/a", destination="/b", overwrite="F").status == 412
    assert drain(store.get_object("b")) == b"b"
    assert client(method, "/a", destination="/b").status == 204
    assert drain(store.get_object("b")) == b"a"
    client("PUT", "/a", b"a")
    assert client(method, "/a", destination="/missing/b").status == 409
    assert client(method, "/a", destination="/a").status == 403
    assert client(method, "/a", destination="http://elsewhere.example/b").status == 502
    assert client(method, "/a").status == 400
    assert client(method, "/missing", destination="/x").status == 404


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_copy_and_move_of_a_collection_take_all_members_and_refuse_overlaps(
    client: Client, store: MemoryStore, method: str
) -> None:
    fill(store, "a/1", "a/b/2", "ab/3", "t/old")
    assert client(method, "/a", destination="/a/inside").status == 403
    assert client(method, "/a/b", destination="/a").status == 403
    assert client(method, "/a/", destination="/new").status == 201
    assert drain(store.get_object("new/b/2")) == b"a/b/2"
    assert any(key.startswith("a/") for key in keys(store)) is (method == "COPY")
    assert client(method, "/new", destination="/t").status == 204
    assert [key for key in keys(store) if key.startswith("t/")] == ["t/1", "t/b/2"]
    assert "ab/3" in keys(store)


def test_copy_with_depth_0_copies_the_collection_alone(client: Client, store: MemoryStore) -> None:
    fill(store, "a/1")
    assert client("COPY", "/a/", destination="/b/", depth="0").status == 201
    assert keys(store) == ["a/1", "b/"]


def test_a_destination_is_split_before_it_is_decoded(client: Client, store: MemoryStore) -> None:
    fill(store, "a", "q")
    target = "/q%3Fx%3By%23%25.txt"
    assert client("MOVE", "/a", destination=target).status == 201
    assert keys(store) == ["q", "q?x;y#%.txt"]


COMPOSED, DECOMPOSED = "\u00fcb\u00e9r", "u\u0308be\u0301r"


@pytest.mark.parametrize(
    ("before", "after"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)], ids=["NFC", "NFD"]
)
@pytest.mark.parametrize("overwrite", ["T", "F"])
@pytest.mark.parametrize("is_folder", [True, False], ids=["folder", "file"])
def test_move_gives_a_name_its_other_unicode_form(
    client: Client, store: MemoryStore, before: str, after: str, overwrite: str, is_folder: bool
) -> None:
    """Both forms name the same resource until then; nothing is at the target."""
    inside = "/x" if is_folder else ""
    store.put_object(f"d/{before}{inside}", b"body", Attributes())
    fill(store, "d/other")
    slash = "/" * is_folder
    source, target = (f"/d/{quote(name)}{slash}" for name in (before, after))
    value = patch("set", "<p:q>1</p:q>")
    assert client("PROPPATCH", source, value).status == 207
    moved = client("MOVE", source, headers={"Overwrite": overwrite}, destination=target)
    assert moved.status == 201
    assert {key for key in keys(store) if ".davbridge" not in key} >= {
        f"d/{after}{inside}",
        "d/other",
    }
    assert not [key for key in keys(store) if before in key]
    listed = client("PROPFIND", "/d/", depth="1").multistatus()
    assert set(listed) == {"/d/", "/d/other", target}
    assert client("GET", target.removesuffix("/") + inside).body == b"body"
    found = client("PROPFIND", target, prop("q"), depth="0").property(target, "{urn:p}q")
    assert found is not None
    assert found.text == "1"


def test_move_to_the_same_spelling_and_copy_to_another_one_are_refused(
    client: Client, store: MemoryStore
) -> None:
    """RFC 4918 §9.8.5, §9.9.4: 403 where source and destination are the same resource."""
    store.put_object(DECOMPOSED, b"body", Attributes())
    source, other = f"/{quote(DECOMPOSED)}", f"/{quote(COMPOSED)}"
    assert client("MOVE", source, destination=source).status == 403
    assert client("COPY", source, destination=other).status == 403
    assert client("MOVE", other, destination=source).status == 403
    assert keys(store) == [DECOMPOSED]
