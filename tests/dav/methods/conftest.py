"""A davbridge over a store in memory, and a client of it."""

from collections.abc import Iterator

import pytest

from davbridge.store.memory import MemoryStore
from tests.support.bridge import Bridge, Client, running_bridge


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bridge(store: MemoryStore) -> Iterator[Bridge]:
    with running_bridge(store) as bridge:
        yield bridge


@pytest.fixture
def client(bridge: Bridge) -> Iterator[Client]:
    with bridge.client() as client:
        yield client
