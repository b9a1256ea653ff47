"""Bridges that die in the middle of a MOVE, and those that find what they leave."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import pytest

from davbridge.paths import parse
from davbridge.tree.composition import Clocks
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from davbridge.tree.reserved_names import HOUSEKEEPING, is_housekeeping
from davbridge.tree.resource import Failure
from tests.tree.conftest import Drive
from tests.tree.wrappers import WatchedStore

SOURCE = {"s/": b"", "s/a": b"1", "s/b": b"22", "s/d/": b"", "s/d/c": b"333"}


class KilledError(BaseException):
    """kill -9: nothing that the bridge does afterwards reaches the store."""


def kill_at(drive: Drive, number: int) -> None:
    """At its request of this number, and at all later ones."""
    numbers = count()

    def before(_operation: str, _key: str) -> None:
        if next(numbers) >= number:
            raise KilledError

    drive.store.before = before


@contextmanager
def another(
    drive: Drive,
    pause: Callable[[float], None] | None = None,
    store: WatchedStore | None = None,
    prefix: str = "",
) -> Iterator[Namespace]:
    """A bridge that starts on the same bucket."""
    tree = Namespace(
        store or WatchedStore(drive.bucket),
        prefix=prefix,
        clocks=Clocks(
            timer=drive.clock.seconds, now=drive.clock, pause=pause or drive.clock.advance
        ),
    )
    try:
        yield tree
    finally:
        tree.close()


def recovered(drive: Drive) -> None:
    """What a bridge that starts has done of itself after a while."""
    with another(drive) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()


def bodies(drive: Drive) -> dict[str, bytes]:
    keys = [key for key in drive.stored() if not is_housekeeping(key)]
    return {key: drive.content(key) for key in keys}


def moved(tree: Mapping[str, bytes]) -> dict[str, bytes]:
    return {"t" + key[1:]: body for key, body in tree.items()}


def fill(drive: Drive) -> None:
    for key, body in SOURCE.items():
        drive.outside(key, body=body)
    drive.clock.advance(100)


def has_source(drive: Drive) -> bool:
    return any(key.startswith("s/") for key in drive.stored())


def journals(drive: Drive) -> list[str]:
    return [key for key in drive.stored() if key.startswith(HOUSEKEEPING)]


def move(drive: Drive) -> list[Failure]:
    return drive.tree.move(parse("/s"), parse("/t"), user="me")


def die_after_the_copies(drive: Drive, mount: str = "") -> None:
    """In the middle of a move."""

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("list", f"{mount}t/"):
            kill_at(drive, 0)
            raise KilledError

    drive.store.before = before
    with pytest.raises(KilledError):
        move(drive)


def half_done(drive: Drive) -> None:
    """Its bridge dies once it has copied."""
    fill(drive)
    die_after_the_copies(drive)
    assert "t/a" in drive.stored()
    assert journals(drive)
