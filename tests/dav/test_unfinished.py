"""A client asks again for what a bridge has begun that is dead by now."""

from collections.abc import Iterator

import pytest

from davbridge.paths import parse
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from davbridge.tree.journal import lease_monitor
from davbridge.tree.namespace import Namespace
from tests.support.bodies import lock_info
from tests.support.bridge import Client, running_bridge
from tests.support.contract import keys
from tests.tree.wrappers import WatchedStore


class KilledError(BaseException):
    """Nothing reaches the store any more."""


@pytest.fixture
def bucket() -> MemoryStore:
    bucket = MemoryStore()
    for name in "abc":
        bucket.put_object(f"s/{name}", name.encode(), Attributes())
    return bucket


def begin(bucket: MemoryStore, operation: str, number: int) -> None:
    """Moves a folder as far as its request of this number of such an operation."""
    store = WatchedStore(bucket)
    seen: list[str] = []

    def before(kind: str, _key: str) -> None:
        seen.append(kind)
        if seen.count(operation) >= number:
            raise KilledError

    store.before = before
    tree = Namespace(store)
    with pytest.raises(KilledError):
        tree.move(parse("/s"), parse("/t"))
    tree.close()


@pytest.fixture
def client(bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(lease_monitor, "LEASE_SECONDS", 0.5)
    with running_bridge(bucket) as bridge, bridge.client() as client:
        yield client


MOVED = ["t/a", "t/b", "t/c"]


def move(client: Client, overwrite: str) -> int:
    destination = f"http://127.0.0.1:{client.port}/t/"
    return client("MOVE", "/s/", destination=destination, overwrite=overwrite).status


@pytest.mark.parametrize(("overwrite", "status"), [("T", 204), ("F", 201)])
def test_a_move_sent_again_replaces_the_target_that_it_has_made_itself(
    bucket: MemoryStore, client: Client, overwrite: str, status: int
) -> None:
    begin(bucket, "copy", 3)
    assert move(client, overwrite) == status
    assert keys(bucket) == MOVED


def test_a_move_sent_again_succeeds_where_its_source_is_gone(
    bucket: MemoryStore, client: Client
) -> None:
    begin(bucket, "delete", 2)
    assert not [key for key in keys(bucket) if key.startswith("s/")]
    assert move(client, "F") == 201
    assert keys(bucket) == MOVED
    assert move(client, "F") == 201


def test_a_move_sent_again_names_what_was_written_to_its_source_since(
    bucket: MemoryStore, client: Client
) -> None:
    begin(bucket, "copy", 3)
    bucket.put_object("s/b", b"newer", Attributes())
    answer = client("MOVE", "/s/", destination=f"http://127.0.0.1:{client.port}/t/", overwrite="F")
    assert list(answer.multistatus()) == ["/s/b"]
    assert [key for key in keys(bucket) if key.startswith("s/")] == ["s/b"]


def test_a_move_without_overwrite_is_refused_where_others_have_made_the_target(
    bucket: MemoryStore, client: Client
) -> None:
    bucket.put_object("t/x", b"", Attributes())
    assert move(client, "F") == 412


def test_a_move_sent_again_is_refused_where_its_target_is_locked(
    bucket: MemoryStore, client: Client
) -> None:
    begin(bucket, "copy", 3)
    assert client("LOCK", "/t/", lock_info()).status == 200
    assert move(client, "F") == 412
