"""The namespace over real stores: one that is nearly AWS, and one that keeps folders.

SeaweedFS can't hold ``a`` and ``a/`` at once, doesn't copy markers, and shows a folder that lost
its last member on, until its marker is deleted.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import AccessDeniedError, IsACollectionError, StoreError
from davbridge.paths import parse
from davbridge.store.base import DIRECTORY_TYPE, Attributes
from davbridge.store.s3 import S3Store
from davbridge.tree.composition import Clocks
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from tests.support.endpoints import Endpoint, s3_client
from tests.tree.conftest import Clock
from tests.tree.deaths import KilledError
from tests.tree.wrappers import WatchedStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Bucket:
    """A namespace without a cache, and the bucket as other programs see it."""

    def __init__(self, client: "S3Client", name: str, store: S3Store) -> None:
        self.client = client
        self.name = name
        self.store = store
        self.tree = Namespace(store)

    def outside(self, *keys: str) -> None:
        for key in keys:
            self.client.put_object(Bucket=self.name, Key=key, Body=key.encode())

    def mkcol(self, *paths: str) -> None:
        for path in paths:
            self.tree.make_collection(parse(path))

    def put(self, path: str) -> None:
        writer = self.tree.open_writer(parse(path), Attributes())
        writer.write(path.encode())
        writer.commit()

    def shown(self, path: str = "") -> list[str]:
        """All paths; those of collections end in ``/``."""
        shown = []
        for member in self.tree.members(parse(path)):
            inside = "/".join(member.path)
            shown += [f"{inside}/", *self.shown(inside)] if member.is_collection else [inside]
        return sorted(shown)


@pytest.fixture(params=["moto_server", "seaweedfs"])
def bucket(request: pytest.FixtureRequest, bucket_name: str) -> Iterator[Bucket]:
    client = s3_client(request.getfixturevalue(request.param))
    client.create_bucket(Bucket=bucket_name)
    with S3Store(client, bucket_name) as store:
        bucket = Bucket(client, bucket_name, store)
        yield bucket
        bucket.tree.close()


@pytest.fixture
def tree(bucket: Bucket) -> Bucket:
    """A tree of marked and unmarked collections."""
    bucket.mkcol("/s", "/s/marked", "/s/empty")
    bucket.put("/s/marked/x")
    bucket.outside("s/un/marked/y", "s-", "neighbour/z")
    bucket.tree.update_properties(parse("/s/marked/x"), {"{n}p": "<p xmlns='n'/>"})
    return bucket


INSIDE = ["", "empty/", "marked/", "marked/x", "un/", "un/marked/", "un/marked/y"]
OTHERS = ["neighbour/", "neighbour/z", "s-"]


def test_a_copied_tree_is_whole(tree: Bucket) -> None:
    for _ in range(2):
        assert tree.tree.copy(parse("/s"), parse("/t")) == []
        expected = [*OTHERS, *(f"s/{name}" for name in INSIDE), *(f"t/{name}" for name in INSIDE)]
        assert tree.shown() == sorted(expected)
    assert tree.tree.properties(parse("/t/marked/x")) == {"{n}p": "<p xmlns='n'/>"}


def test_a_moved_tree_leaves_nothing(tree: Bucket) -> None:
    assert tree.tree.move(parse("/s"), parse("/t")) == []
    assert tree.tree.find(parse("/s")) is None
    assert tree.shown() == sorted([*OTHERS, *(f"t/{name}" for name in INSIDE)])
    tree.mkcol("/s")


def test_a_deleted_tree_leaves_nothing(tree: Bucket) -> None:
    assert tree.tree.delete(parse("/s")) == []
    assert tree.tree.find(parse("/s")) is None
    assert tree.shown() == OTHERS
    tree.put("/s")


def test_a_file_replaces_a_tree(tree: Bucket) -> None:
    assert tree.tree.move(parse("/s-"), parse("/s")) == []
    assert tree.shown() == ["neighbour/", "neighbour/z", "s"]


def test_a_tree_replaces_a_file(tree: Bucket) -> None:
    assert tree.tree.move(parse("/s"), parse("/s-")) == []
    assert tree.shown() == sorted(["neighbour/", "neighbour/z", *(f"s-/{n}" for n in INSIDE)])


def watched(bucket: Bucket) -> tuple[WatchedStore, Namespace]:
    """Another bridge, and what is between it and the store."""
    store = WatchedStore(bucket.store)
    clock = Clock()
    return store, Namespace(store, clocks=Clocks(timer=clock.seconds, pause=clock.advance))


VERBS = pytest.mark.parametrize("verb", ["copy", "move"])


def fill_both(bucket: Bucket) -> None:
    bucket.outside("f", "s/a", "s/d/c")
    bucket.mkcol("/e")
    marker: dict[str, Any] = {"Bucket": bucket.name, "Body": b"", "ContentType": DIRECTORY_TYPE}
    for key in ("s/", "s/d/"):
        bucket.client.put_object(Key=key, **marker)


@VERBS
@pytest.mark.parametrize(
    ("source", "target", "going"),
    [("/f", "/s", "f"), ("/f", "/e", "f"), ("/s", "/f", "s/d/c")],
    ids=["a folder", "an empty folder", "a file"],
)
def test_a_target_of_another_kind_stays_where_another_bridge_takes_the_source_away(
    bucket: Bucket, verb: str, source: str, target: str, going: str
) -> None:
    fill_both(bucket)
    expected = [each for each in bucket.shown() if each != going]
    store, tree = watched(bucket)

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("copy", going):
            bucket.store.delete_object(going)

    store.before = before
    with suppress(StoreError):
        assert getattr(tree, verb)(parse(source), parse(target))
    tree.close()
    assert bucket.shown() == expected


@VERBS
@pytest.mark.parametrize(
    ("source", "target"),
    [("/f", "/s"), ("/f", "/e"), ("/s", "/f")],
    ids=["a folder", "an empty folder", "a file"],
)
def test_a_target_of_another_kind_is_there_again_when_the_clash_is_undone(
    bucket: Bucket, verb: str, source: str, target: str
) -> None:
    fill_both(bucket)
    bucket.tree.update_properties(parse(source), {"{n}p": "<p xmlns='n'/>"})
    expected = bucket.shown()
    store, tree = watched(bucket)
    copied: list[str] = []

    def fault(operation: str, key: str) -> StoreError | None:
        copied.extend([key] if operation == "copy" else [])
        is_hit = copied and operation == "put" and key.endswith("properties.json")
        return AccessDeniedError(key) if is_hit else None

    store.fault = fault
    with suppress(StoreError):
        assert getattr(tree, verb)(parse(source), parse(target))
    tree.close()
    assert copied
    assert bucket.shown() == expected


@VERBS
@pytest.mark.parametrize(
    ("source", "target"),
    [("/f", "/s"), ("/f", "/e"), ("/s", "/f"), ("/e", "/f")],
    ids=["a folder", "an empty folder", "a file", "a file by an empty folder"],
)
def test_a_clash_killed_before_it_has_deleted_its_target_is_finished(
    bucket: Bucket, verb: str, source: str, target: str
) -> None:
    fill_both(bucket)
    clock = Clock()
    store = WatchedStore(bucket.store)
    dying = Namespace(store, clocks=Clocks(timer=clock.seconds, pause=clock.advance))
    is_dead = False

    def before(operation: str, key: str) -> None:
        nonlocal is_dead
        is_dead |= operation == "delete" and key.startswith(target[1:])
        if is_dead:
            raise KilledError

    store.before = before
    with pytest.raises(KilledError):
        getattr(dying, verb)(parse(source), parse(target))
    dying.close()
    there = [name for name in bucket.shown() if name.startswith(source[1:])]
    heir = Namespace(bucket.store, clocks=Clocks(timer=clock.seconds, pause=clock.advance))
    heir.journal_scanner.scan()
    clock.advance(LEASE_SECONDS)
    heir.journal_scanner.scan()
    heir.close()
    shown = bucket.shown()
    assert [each for each in shown if each[0] == target[1]] == [
        target[1] + each[1:] for each in there
    ]
    assert [each for each in shown if each[0] == source[1]] == (there if verb == "copy" else [])


def test_a_tree_replaces_a_tree(tree: Bucket) -> None:
    tree.outside("t/old/x", "t/marked/old", "t/un", "t/empty/full")
    assert tree.tree.move(parse("/s"), parse("/t")) == []
    assert tree.shown() == sorted([*OTHERS, *(f"t/{name}" for name in INSIDE)])


@pytest.mark.parametrize("has_one", [True, False], ids=["changed", "the first"])
def test_properties_that_another_bridge_sets_while_a_folder_moves_go_along(
    tree: Bucket, has_one: bool
) -> None:
    paths = ["/s/un/marked/y", "/s/empty"]
    old, new = {"{n}p": "<p xmlns='n'>old</p>"}, {"{n}p": "<p xmlns='n'>new</p>"}
    for path in paths if has_one else []:
        tree.tree.update_properties(parse(path), old)
    watched = WatchedStore(tree.store)
    bridge = Namespace(watched)

    def before(operation: str, key: str) -> None:
        has_copied = any(operation == "copy" for operation, _ in watched.requests)
        if (operation, key) == ("list", "t/") and has_copied:
            watched.before = lambda _operation, _key: None
            for path in paths:
                tree.tree.update_properties(parse(path), new)

    watched.before = before
    assert bridge.move(parse("/s"), parse("/t")) == []
    bridge.close()
    for path in paths:
        assert tree.tree.properties(parse("/t" + path[2:])) == new
    assert tree.shown() == sorted([*OTHERS, *(f"t/{name}" for name in INSIDE)])


def test_a_collection_stays_when_its_last_member_goes(tree: Bucket) -> None:
    assert tree.tree.delete(parse("/s/un/marked/y")) == []
    assert tree.tree.move(parse("/neighbour/z"), parse("/z")) == []
    assert tree.shown("/neighbour") == []
    assert tree.shown("/s/un") == ["s/un/marked/"]
    keys = {one["Key"] for one in tree.client.list_objects_v2(Bucket=tree.name)["Contents"]}
    assert {"neighbour/", "s/un/marked/"} <= keys


def test_a_file_that_a_folder_hides_is_never_replaced_by_a_marker(bucket: Bucket) -> None:
    """Neither when the last member goes, nor when the folder is asked for."""
    bucket.outside("a", "a/x", "b", "b/x")
    assert bucket.tree.delete(parse("/a/x")) == []
    assert bucket.tree.move(parse("/b/x"), parse("/x")) == []
    for key in ("a", "b"):
        body = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
        assert body == key.encode()


def test_a_put_within_the_time_to_live_replaces_no_folder_that_another_bridge_has_made(
    seaweedfs: Endpoint, bucket_name: str
) -> None:
    """On a store that keeps folders, which would let a file take the place of one."""
    client = s3_client(seaweedfs)
    client.create_bucket(Bucket=bucket_name)
    with S3Store(client, bucket_name) as store:
        other = Bucket(client, bucket_name, store)
        names = ("empty", "full", "implied")
        bridges = [Namespace(CachedStore(store, CacheSettings()), uncached=store) for _ in names]
        assert [list(bridge.members(())) for bridge in bridges] == [[], [], []]
        other.mkcol("/empty", "/full")
        other.put("/full/x")
        other.outside("implied/x")
        expected = other.shown()
        for name, bridge in zip(names, bridges, strict=True):
            writer = bridge.open_writer(parse(name), Attributes())
            writer.write(b"body")
            with pytest.raises(IsACollectionError):
                writer.commit()
            bridge.close()
        assert other.shown() == expected
        other.tree.close()


def test_a_directory_object_becomes_a_marker(bucket: Bucket) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="x", Body=b"", ContentType=DIRECTORY_TYPE)
    assert bucket.shown() == ["x/"]
    bucket.put("/x/y")
    assert bucket.shown() == ["x/", "x/y"]
    bucket.tree.delete(parse("/x/y"))
    assert bucket.shown() == ["x/"]


def test_an_empty_folder_suffix_is_a_collection(bucket: Bucket) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="x_$folder$", Body=b"")
    assert bucket.shown() == ["x/"]
    bucket.put("/x/y")
    assert bucket.tree.move(parse("/x"), parse("/z")) == []
    assert bucket.shown() == ["z/", "z/y"]


@pytest.fixture
def hidden(bucket: Bucket) -> Bucket:
    """An object that a folder of its name hides: other tools make such pairs."""
    bucket.outside("a", "a/x", "b/y")
    bucket.mkcol("/empty")
    return bucket


@pytest.mark.parametrize(
    "operation",
    [
        lambda tree: tree.delete(parse("/a/x")),
        lambda tree: tree.move(parse("/a/x"), parse("/x")),
        lambda tree: tree.delete(parse("/a")),
        lambda tree: tree.move(parse("/a"), parse("/c")),
        lambda tree: tree.copy(parse("/empty"), parse("/a")),
        lambda tree: tree.move(parse("/empty"), parse("/a")),
        lambda tree: tree.copy(parse("/b"), parse("/a")),
        lambda tree: tree.copy(parse("/a"), parse("/a/x")),
        lambda tree: tree.make_collection(parse("/a")),
    ],
    ids=[
        "its last member deleted",
        "its last member moved away",
        "the folder deleted",
        "the folder moved",
        "an empty folder copied over it",
        "an empty folder moved over it",
        "a folder copied over it",
        "copied into itself",
        "made once more",
    ],
)
def test_a_hidden_object_is_never_destroyed(
    hidden: Bucket, operation: Callable[[Namespace], object]
) -> None:
    with suppress(StoreError):
        operation(hidden.tree)
    body = hidden.client.get_object(Bucket=hidden.name, Key="a")["Body"].read()
    assert body == b"a"


@pytest.mark.parametrize("number", range(3))
def test_a_move_that_is_resumed_leaves_no_folder_behind(bucket: Bucket, number: int) -> None:
    """At whichever delete its bridge died: of what is left, some may be folders alone."""
    clock = Clock()
    bucket.outside(*(f"s/{folder}/deep/x" for folder in "pqr"))
    watched = WatchedStore(bucket.store)
    dying = Namespace(watched, clocks=Clocks(timer=clock.seconds, pause=clock.advance))
    deletes = count()

    def before(operation: str, key: str) -> None:
        """The members go one by one, so that some have gone when it dies."""
        if operation == "delete" and next(deletes) == 0 and key.startswith("s/"):
            for folder in "pqr"[:number]:
                bucket.store.delete_object(f"s/{folder}/deep/x")
            raise KilledError

    watched.before = before
    with pytest.raises(KilledError):
        dying.move(parse("/s"), parse("/t"))
    dying.close()
    heir = Namespace(bucket.store, clocks=Clocks(timer=clock.seconds, pause=clock.advance))
    heir.journal_scanner.scan()
    clock.advance(LEASE_SECONDS)
    heir.journal_scanner.scan()
    heir.close()
    assert [name for name in bucket.shown() if name.startswith("s")] == []
    assert "t/r/deep/x" in bucket.shown()
