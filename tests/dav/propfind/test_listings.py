"""Whatever changes shows at once: a bridge that keeps its listings answers as one that keeps none.

Each change is made between two answers of the one, whose second must be that of the other, byte for
byte, for what the common clients ask.
"""

from collections.abc import Callable, Iterator

import pytest

from davbridge.config import CacheSettings, DriveSettings
from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.store.base import DIRECTORY_TYPE, PAGE_SIZE, Attributes
from davbridge.store.memory import MemoryStore
from tests.support.bodies import lock_info
from tests.support.bridge import Client, running_bridge
from tests.support.timer import Timer

PROP = '<D:propfind xmlns:D="DAV:"><D:prop>{}</D:prop></D:propfind>'
QUERIES = {
    "allprop": "",
    "propname": '<propfind xmlns="DAV:"><propname/></propfind>',
    "sizes": PROP.format("<D:resourcetype/><D:getcontentlength/><D:getlastmodified/>"),
    "locks": PROP.format("<D:lockdiscovery/><D:getetag/>"),
    "dead": PROP.format('<q xmlns="urn:p"/><D:getlastmodified/>'),
}
SET = (
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><q xmlns="urn:p">{}</q></D:prop></D:set>'
    "</D:propertyupdate>"
)
REMOVE = (
    '<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><q xmlns="urn:p"/></D:prop></D:remove>'
    "</D:propertyupdate>"
)
LOCK = lock_info("shared")
TIME = "Thu, 01 Oct 2026 10:00:00 GMT"
WINDOWS_TIME = (
    '<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>'
    f"<Z:Win32LastModifiedTime>{TIME}</Z:Win32LastModifiedTime></D:prop></D:set>"
    "</D:propertyupdate>"
)


class Two:
    """A bridge that keeps what it knows, and one that keeps nothing, on one bucket; they share
    their locks."""

    def __init__(self, store: MemoryStore, timer: Timer, keeping: Client, asking: Client) -> None:
        self.store = store
        self.timer = timer
        self.keeping = keeping
        self.asking = asking

    def outside(self, key: str, body: bytes = b"outside", kind: str = "text/plain") -> None:
        """Another program writes to the bucket."""
        self.store.put_object(key, body, Attributes(kind))

    def agree(self) -> None:
        for body in QUERIES.values():
            assert responses(self.keeping, body) == responses(self.asking, body)


def responses(client: Client, body: str) -> list[bytes]:
    """In an order of our own: that of the members follows the pages, which can begin elsewhere."""
    answer = client("PROPFIND", "/d/", body, depth="1")
    assert answer.status == 207
    return sorted(answer.body.splitlines())


@pytest.fixture
def two() -> Iterator[Two]:
    store, timer = MemoryStore(), Timer()
    locks, uncached = MemoryLockStore(timer), CacheSettings(ttl=0)
    drive = DriveSettings(publish_quota=False)  # Each counts for itself, when it comes to it.
    with (
        running_bridge(store, drive=drive, locks=locks, timer=timer) as keeping,
        running_bridge(store, drive=drive, locks=locks, cache=uncached) as asking,
        keeping.client() as keeping_client,
        asking.client() as asking_client,
    ):
        yield Two(store, timer, keeping_client, asking_client)


def lock(two: Two, target: str, depth: str = "0", timeout: str = "Second-100") -> str:
    answer = two.keeping("LOCK", target, LOCK, depth=depth, timeout=timeout)
    assert answer.status in (200, 201)
    return answer.header("Lock-Token")


def unlock(two: Two, target: str) -> None:
    token = lock(two, target)
    two.agree()
    assert two.keeping("UNLOCK", target, lock_token=token).status == 204


def come(two: Two, key: str, body: bytes = b"outside", kind: str = "text/plain") -> None:
    two.outside(key, body, kind)
    two.timer.advance(60)


def go(two: Two) -> None:
    two.store.delete_object("d/b")
    two.timer.advance(60)


def lock_twice(two: Two) -> None:
    lock(two, "/d/b")
    two.agree()
    lock(two, "/d/b")


def lock_until_it_expires(two: Two) -> None:
    lock(two, "/d/b")
    two.agree()
    two.timer.advance(101)


def lock_for_a_while(two: Two) -> None:
    lock(two, "/d/b")
    two.agree()
    two.timer.advance(5)


def tell_a_time_and_write_past_it(two: Two) -> None:
    two.keeping("PUT", "/d/b", b"x", {"X-OC-Mtime": "1000000000"})
    two.agree()
    two.keeping("PUT", "/d/b", b"y")


def set_and_remove(two: Two) -> None:
    two.keeping("PROPPATCH", "/d/b", SET.format("1"))
    two.agree()
    two.keeping("PROPPATCH", "/d/b", REMOVE)


CHANGES: dict[str, Callable[[Two], object]] = {
    "nothing": lambda two: None,
    "an overwritten file": lambda two: two.keeping("PUT", "/d/b", b"longer"),
    "a new file": lambda two: two.keeping("PUT", "/d/bb", b"new"),
    "a new empty file": lambda two: two.keeping("PUT", "/d/bb", b""),
    "a deleted file": lambda two: two.keeping("DELETE", "/d/b"),
    "a new folder": lambda two: two.keeping("MKCOL", "/d/bb/"),
    "a deleted folder": lambda two: two.keeping("DELETE", "/d/sub/"),
    "a file in a folder in it": lambda two: two.keeping("PUT", "/d/sub/new", b"x"),
    "a moved file": lambda two: two.keeping("MOVE", "/d/b", destination="/d/z"),
    "a copied folder": lambda two: two.keeping("COPY", "/d/sub/", destination="/d/copy/"),
    "a folder moved over a file": lambda two: two.keeping("MOVE", "/d/sub/", destination="/d/b"),
    "a property": lambda two: two.keeping("PROPPATCH", "/d/b", SET.format("1")),
    "a property of a folder in it": lambda two: two.keeping(
        "PROPPATCH", "/d/sub/", SET.format("1")
    ),
    "a property of the folder": lambda two: two.keeping("PROPPATCH", "/d/", SET.format("1")),
    "a property come and gone": set_and_remove,
    "a time that Explorer told": lambda two: two.keeping("PROPPATCH", "/d/b", WINDOWS_TIME),
    "a time that is told no longer": tell_a_time_and_write_past_it,
    "a checksum": lambda two: two.keeping(
        "PUT", "/d/b", b"x", {"OC-Checksum": "SHA1:11f6ad8ec52a2984abaafd7c3b516503785c2072"}
    ),
    "a lock": lambda two: lock(two, "/d/b"),
    "a second lock": lock_twice,
    "a lock's time": lock_for_a_while,
    "a lock on a folder in it": lambda two: lock(two, "/d/sub/", "infinity"),
    "a lock on the folder and all inside": lambda two: lock(two, "/d/", "infinity"),
    "a lock on the folder alone": lambda two: lock(two, "/d/", "0"),
    "a lock on all there is": lambda two: lock(two, "/", "infinity"),
    "a lock on a new name": lambda two: lock(two, "/d/bb"),
    "a lock deeper inside": lambda two: lock(two, "/d/sub/x"),
    "a lock in another spelling": lambda two: lock(two, "/d/u%CC%88"),
    "an unlocked file": lambda two: unlock(two, "/d/b"),
    "an unlocked folder": lambda two: unlock(two, "/d/"),
    "a lock that has expired": lock_until_it_expires,
    "a file from outside": lambda two: come(two, "d/bb"),
    "another body from outside": lambda two: come(two, "d/b"),
    "a folder from outside over a file": lambda two: come(two, "d/b/x"),
    "a marked folder from outside": lambda two: come(two, "d/m", b"", DIRECTORY_TYPE),
    "a file that becomes a folder": lambda two: come(two, "d/empty", b"", DIRECTORY_TYPE),
    "Hadoop's folder from outside": lambda two: come(two, "d/h_$folder$", b""),
    "a file that goes outside": go,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_shows_at_once(two: Two, change: str) -> None:
    for key in ("d/", "d/a", "d/b", "d/sub/x", "d/\u00fc", "d/with space&<", "d/z_$folder$"):
        two.outside(key, b"" if key.endswith(("/", "$")) else b"content")
    two.outside("d/empty", b"")
    two.agree()
    CHANGES[change](two)
    two.agree()
    two.agree()


@pytest.mark.parametrize("change", ["nothing", "an overwritten file", "a property", "a lock"])
def test_a_change_shows_at_once_where_pages_of_a_listing_meet(two: Two, change: str) -> None:
    """``b`` is the first page's last row, and held back until the second page is there."""
    for number in range(PAGE_SIZE - 1):
        two.outside(f"d/a{number:04}")
    for key in ("d/b", "d/b-", "d/b/x", "d/c"):
        two.outside(key)
    two.agree()
    CHANGES[change](two)
    two.agree()
    two.keeping("DELETE", "/d/b/")
    two.agree()
