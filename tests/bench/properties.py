"""What properties of many files cost, in requests and bytes: ``python -m tests.bench.properties``.

Runs in the tests' environment, over a store in memory. Counts are exact; the seconds are of this
machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.store.base import ALWAYS, Attributes, Condition, ObjectRow, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.client_metadata import CLIENT_METADATA
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from tests.support.intercepted import InterceptedStore

T = TypeVar("T")

EXPLORER = "urn:schemas-microsoft-com:"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


class CountedBytes(InterceptedStore):
    """Counts requests, and the bytes that are written by PutObject."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.requests = self.sent = 0

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        self.requests += 1
        return call()

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        self.sent += len(body)
        return super().put_object(key, body, attributes, condition)

    def taken(self) -> tuple[int, int]:
        """Requests and bytes since the last call."""
        taken = self.requests, self.sent
        self.requests = self.sent = 0
        return taken


def explorer(number: int) -> dict[str, str | None]:
    """What Explorer sets of each file that it saves."""
    at = datetime.fromtimestamp(1.7e9 + 977 * number, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    times = ("CreationTime", "LastAccessTime", "LastModifiedTime")
    texts = {**{f"Win32{name}": at for name in times}, "Win32FileAttributes": "00000020"}
    return {
        f"{{{EXPLORER}}}{name}": f'<ns0:{name} xmlns:ns0="{EXPLORER}">{text}</ns0:{name}>'
        for name, text in texts.items()
    }


def bridge(store: ObjectStore) -> Namespace:
    """With a cache that nothing leaves."""
    return Namespace(CachedStore(store, CacheSettings(ttl=1e6)), uncached=store)


def saves(count: int) -> None:
    """Sets four properties on each of ``count`` files, and lists them."""
    bucket, names = MemoryStore(), [f"Document {each:05}.docx" for each in range(count)]
    for name in names:
        bucket.put_object(f"d/{name}", b"x", Attributes())
    store = CountedBytes(bucket)
    tree = bridge(store)
    list(tree.members(("d",)))
    store.taken()
    hundreds: list[tuple[int, int]] = []
    for number, name in enumerate(names):
        tree.update_properties(("d", name), explorer(number))
        if number % 100 == 99:
            hundreds.append(store.taken())
    say(f"{count} saves: {sum(sent for _, sent in hundreds) / 1e6:.1f} MB")
    for shown, (requests, sent) in (("first", hundreds[0]), ("last", hundreds[-1])):
        say(f"  the {shown} hundred: {requests} requests, {sent / 1e3:.0f} kB")
    say(f"  the most: {max(hundreds)[0]} requests, {max(s for _, s in hundreds) / 1e3:.0f} kB")
    store.taken()
    cold = bridge(store)
    for shown in ("cold", "warm"):
        listing = cold.listing(("d",))
        assert sum(len(page.members) for page in listing.pages) == len(listing.properties) == count
        say(f"  a {shown} listing: {store.taken()[0]} requests")


def looks(count: int) -> None:
    """Looks at files of which each has a time that its client has set."""
    bucket, members = MemoryStore(), {}
    for number in range(count):
        row = bucket.put_object(f"d/IMG_{number:06}.jpg", b"%d" % number, Attributes())
        record = {"etag": row.etag, "modified": 1.7e9 + number, "checksums": ""}
        members[f"IMG_{number:06}.jpg"] = {CLIENT_METADATA: json.dumps(record)}
    body = json.dumps({"format": 1, "members": members}).encode()
    bucket.put_object(f"d/{SIDECAR_NAME}", body, Attributes())
    tree, names = bridge(bucket), list(members)
    for shown, each in (("the first look", names[:1]), ("each other one", names[1:200])):
        began = time.process_time()
        for name in each:
            tree.find(("d", name))
        say(f"  {shown}: {(time.process_time() - began) / len(each) * 1e3:.2f} ms")


if __name__ == "__main__":
    for files in map(int, sys.argv[1:] or ("1000", "2000", "10000")):
        saves(files)
    say("45000 files with X-OC-Mtime, in one file of an earlier version:")
    looks(45_000)
