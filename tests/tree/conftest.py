"""A namespace over a bucket in memory, and short words for what tests do with both."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from davbridge.config import DriveSettings, Junk
from davbridge.paths import ResourcePath, parse
from davbridge.store.base import ALWAYS, Attributes, Condition
from davbridge.store.memory import MemoryStore
from davbridge.tree.composition import Clocks
from davbridge.tree.drive import open_namespace
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.client_metadata import Properties, without_client_metadata
from tests.tree.wrappers import WatchedStore


def member_properties(tree: Namespace, collection: ResourcePath) -> dict[str, Properties]:
    """The dead properties of those members that have any, by name."""
    found = tree.listing(collection).properties
    return {name: without_client_metadata(properties) for name, properties in found.items() if name}


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Drive:
    """A namespace, the bucket below it, and the requests between them."""

    def __init__(self, prefix: str = "", quota: int | None = None, junk: Junk = "keep") -> None:
        self.clock = Clock()
        self.bucket = MemoryStore(clock=self.clock)
        self.store = WatchedStore(self.bucket)
        self.tree = open_namespace(
            DriveSettings(quota=quota, junk=junk),
            self.store,
            uncached=self.store,
            prefix=prefix,
            clocks=Clocks(timer=self.clock.seconds, now=self.clock, pause=self.clock.advance),
        )

    def outside(self, *keys: str, body: bytes = b"outside", content_type: str = "") -> None:
        """Another program writes to the bucket."""
        attributes = Attributes(content_type) if content_type else Attributes()
        for key in keys:
            self.bucket.put_object(key, b"" if key.endswith("/") else body, attributes)

    def put(self, path: str, body: bytes = b"body", condition: Condition = ALWAYS) -> None:
        writer = self.tree.open_writer(parse(path), Attributes(), condition, length=len(body))
        writer.write(body)
        writer.commit()

    def mkcol(self, *paths: str) -> None:
        for path in paths:
            self.tree.make_collection(parse(path))

    def read(self, path: str) -> bytes:
        with self.tree.open_reader(self.tree.lookup(parse(path))) as reader:
            return b"".join(iter(lambda: reader.read(1000), b""))

    def kind(self, path: str) -> str | None:
        """``collection``, ``file``, or None."""
        found = self.tree.find(parse(path))
        return found and ("collection" if found.is_collection else "file")

    def names(self, path: str = "/") -> list[str]:
        """The members' names; those of collections end in ``/``."""
        members = self.tree.members(parse(path))
        return sorted(one.name + ("/" if one.is_collection else "") for one in members)

    def stored(self) -> list[str]:
        """The keys in the bucket."""
        return [row.key for page in self.bucket.list_objects("") for row in page.rows]

    def content(self, key: str) -> bytes:
        with self.bucket.get_object(key) as reader:
            return reader.read(1_000_000)

    def content_type(self, key: str) -> str:
        return self.bucket.head_object(key).attributes.content_type


@pytest.fixture
def drive() -> Iterator[Drive]:
    drive = Drive()
    yield drive
    drive.tree.close()
