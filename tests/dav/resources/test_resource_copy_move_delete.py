"""COPY, MOVE and DELETE as methods of the provider's resources."""

import pytest

from davbridge.config import DriveSettings
from davbridge.dav.provider import BucketProvider
from davbridge.dav.resources.collection import instance
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from davbridge.tree.journal import lease_monitor
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import Preconditions
from tests.support.bridge import running_bridge
from tests.support.contract import keys
from tests.tree.wrappers import WatchedStore

STORED, REQUESTED = "\u00e9", "e\u0301"
"""One name, as the bucket spells it and as Finder does."""


class KilledError(BaseException):
    """Nothing reaches the store any more."""


def move_until_the_first_delete_is_done(bucket: MemoryStore) -> None:
    store, seen = WatchedStore(bucket), []

    def before(kind: str, _key: str) -> None:
        seen.append(kind)
        if seen.count("delete") > 1:
            raise KilledError

    store.before = before
    namespace = Namespace(store)
    provider = BucketProvider(namespace, DriveSettings())
    found = provider.find((REQUESTED,))
    assert found is not None
    assert found.path == (STORED,)
    source = instance(found, {"wsgidav.provider": provider}, requested_path=(REQUESTED,))
    with pytest.raises(KilledError):
        source.move_to(("t",), Preconditions(), user="")
    namespace.close()


def test_a_move_is_resumed_under_the_spelling_that_its_client_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease_monitor, "LEASE_SECONDS", 0.5)
    bucket = MemoryStore()
    for name in "ab":
        bucket.put_object(f"{STORED}/{name}", name.encode(), Attributes())
    move_until_the_first_delete_is_done(bucket)
    with running_bridge(bucket) as bridge, bridge.client() as client:
        destination = f"http://127.0.0.1:{client.port}/t/"
        answer = client("MOVE", "/e%CC%81/", destination=destination, overwrite="F")
    assert answer.status == 201
    assert keys(bucket) == ["t/a", "t/b"]
