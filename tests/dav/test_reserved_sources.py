"""Names of davbridge's own are no source of a COPY or MOVE, as litmus 0.18 tries (`protected`)."""

import pytest

from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.support.bridge import running_bridge

NAMES = ["/.davbridge.properties.json", "/.DAVbridge.properties.json", "/.davbridge/x"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("name", NAMES)
def test_a_reserved_name_is_no_source(method: str, name: str) -> None:
    store = MemoryStore()
    store.put_object(name[1:], b"{}", Attributes("application/json"))
    with running_bridge(store) as bridge, bridge.client() as client:
        assert client(method, name, destination="/stolen").status == 403
        assert client("GET", "/stolen").status == 404
    assert [row.key for page in store.list_objects("") for row in page.rows] == [name[1:]]
