"""A MOVE stopped in the middle of its deletions, and somebody wants the same in other words: what
has been moved is the only copy, and isn't taken for what the source hasn't."""

from collections.abc import Callable, Sequence

import pytest

from davbridge.errors import AccessDeniedError, NotFoundError
from davbridge.paths import parse
from davbridge.store.base import DeleteFailure
from davbridge.tree.composition import Clocks
from davbridge.tree.journal.objects import INCOMPLETE_RECORD_AGE
from davbridge.tree.namespace import Namespace
from davbridge.tree.resource import Failure
from tests.tree.conftest import Drive
from tests.tree.deaths import KilledError, another, bodies, journals, kill_at
from tests.tree.wrappers import WatchedStore

NFC, NFD = "\u00e9", "e\u0301"

TREE = {"": b"", "a": b"1", "b": b"22", "d/": b"", "d/c": b"333", "d/e": b"4444"}

GOING = ("a", "d/c")
"""What has been deleted of the source when it is stopped."""


def fill(drive: Drive) -> None:
    drive.outside("p/", "q/")
    for key, body in TREE.items():
        drive.outside(f"p/{NFC}/{key}", body=body)
    drive.clock.advance(100)


def move(tree: Namespace, name: str = NFC) -> list[Failure]:
    return tree.move(("p", name), ("q", name))


def stopped(drive: Drive) -> None:
    """Its bridge dies."""
    fill(drive)

    def dying(keys: Sequence[str], **_: object) -> list[DeleteFailure]:
        for name in GOING:
            drive.bucket.delete_object(f"p/{NFC}/{name}")
        kill_at(drive, 0)
        raise KilledError

    drive.store.delete_objects = dying  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        move(drive.tree)


def answered(drive: Drive) -> None:
    """Its client is told what could not be deleted."""
    fill(drive)
    there = [f"p/{NFC}/{name}" for name in TREE if name not in GOING]
    drive.store.fault = lambda operation, key: (
        AccessDeniedError(key) if operation == "delete" and key in there else None
    )
    assert move(drive.tree)
    assert f"p/{NFC}/a" not in drive.stored()


WORDS: dict[str, Callable[[Namespace], list[Failure]]] = {
    "a copy": lambda tree: tree.copy(("p", NFC), ("q", NFC)),
    "another spelling": lambda tree: move(tree, NFD),
    "what is inside": lambda tree: tree.move(("p", NFC, "d"), ("q", NFC, "d")),
    "a copy of that": lambda tree: tree.copy(("p", NFC, "d"), ("q", NFC, "d")),
    "what is around": lambda tree: tree.move(("p",), ("q",)),
    "another copy": lambda tree: tree.copy(("p",), ("q",)),
}


@pytest.mark.parametrize("stop", [stopped, answered])
@pytest.mark.parametrize("words", WORDS)
def test_a_stopped_move_asked_for_in_other_words_loses_nothing(
    drive: Drive, stop: Callable[[Drive], None], words: str
) -> None:
    stop(drive)
    with another(drive) as tree:
        try:
            assert WORDS[words](tree) == []
        except NotFoundError:
            assert tree.find(("p", NFC)) is None
    found = bodies(drive)
    assert {f"q/{NFC}/{name}": body for name, body in TREE.items()}.items() <= found.items()


def test_a_move_of_other_trees_replaces_all_of_its_target(drive: Drive) -> None:
    """Other trees, or the same the other way round."""
    stopped(drive)
    drive.outside("x/1", "y/2")
    with another(drive) as tree:
        assert tree.move(parse("/x"), parse("/y")) == []
        assert tree.copy(("q", NFC), ("p", NFC)) == []
        assert tree.move(parse("/y"), parse("/p")) == []
    assert [key for key in drive.stored() if key[0] in "xyp"] == ["p/", "p/1"]


def test_a_record_of_a_stopped_move_that_nobody_can_read_may_be_of_any_folders(
    drive: Drive,
) -> None:
    answered(drive)
    [note] = journals(drive)
    drive.outside(note, body=b'{"source": [[]], "target": 5}')
    with another(drive) as tree:
        assert tree.copy(("p", NFC), ("q", NFC)) == []
    found = bodies(drive)
    assert {f"q/{NFC}/{name}": body for name, body in TREE.items()}.items() <= found.items()


def test_a_bridge_whose_clock_is_ahead_keeps_the_record_of_a_stopped_move(drive: Drive) -> None:
    answered(drive)
    notes = journals(drive)
    bridge = Namespace(
        WatchedStore(drive.bucket),
        clocks=Clocks(
            timer=drive.clock.seconds, now=lambda: drive.clock() + 2 * INCOMPLETE_RECORD_AGE
        ),
    )
    bridge.journal_scanner.scan()
    bridge.close()
    assert journals(drive) == notes
