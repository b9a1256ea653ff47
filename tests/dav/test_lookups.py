"""How often a request looks up paths and properties: what was looked up is passed on.

A look-up takes no S3 request while the cache holds the parent, but it takes processor time. The
methods look once to check the request, and once more under the path's lock, right before the write:
then nobody else can write there.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from davbridge.store.memory import MemoryStore
from davbridge.tree.listing.view import View
from davbridge.tree.properties.property_store import PropertyStore
from tests.support.bridge import Client, running_bridge

PATCH = """<propertyupdate xmlns="DAV:"><set><prop><q xmlns="urn:q">1</q></prop></set>
</propertyupdate>"""


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The calls of `View.find` and `PropertyStore.of`."""
    counted: Counter[str] = Counter()

    def count(owner: type, name: str) -> None:
        counted_one: Callable[..., Any] = getattr(owner, name)

        def wrapper(*arguments: Any) -> Any:
            counted[name] += 1
            return counted_one(*arguments)

        monkeypatch.setattr(owner, name, wrapper)

    count(View, "find")
    count(PropertyStore, "of")
    return counted


@pytest.fixture
def client() -> Iterator[Client]:
    with running_bridge(MemoryStore()) as bridge, bridge.client() as client:
        assert client("MKCOL", "/d/").status == 201
        for name in ("known", "%C3%A4"):
            assert client("PUT", f"/d/{name}", b"old").status == 201
        yield client


@pytest.mark.parametrize("name", ["known", "%C3%A4"])
def test_a_put_over_a_known_file_looks_it_up_once_before_and_once_under_the_lock(
    client: Client, lookups: Counter[str], name: str
) -> None:
    lookups.clear()
    assert client("PUT", f"/d/{name}", b"new").status == 204
    assert lookups == {"find": 2, "of": 1}


def test_a_put_of_a_new_file_looks_it_up_before_and_under_the_lock_and_its_parent_once(
    client: Client, lookups: Counter[str]
) -> None:
    lookups.clear()
    assert client("PUT", "/d/new", b"new").status == 201
    assert lookups == {"find": 3}


def test_a_proppatch_looks_its_resource_up_once_before_and_once_under_the_lock(
    client: Client, lookups: Counter[str]
) -> None:
    lookups.clear()
    assert client("PROPPATCH", "/d/known", PATCH).status == 207
    assert lookups == {"find": 2, "of": 1}


def test_a_move_to_a_free_name_looks_each_path_up_before_and_under_the_locks(
    client: Client, lookups: Counter[str]
) -> None:
    """The source, the target and its parent: before, and under the locks. The target once more, for
    its locks, once the conditions were checked again."""
    lookups.clear()
    assert client("MOVE", "/d/known", destination="/d/moved").status == 201
    assert lookups == {"find": 7, "of": 2}
