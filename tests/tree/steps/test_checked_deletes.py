"""Deletes of what a look has just shown, on a store that is slower than a look holds."""

import pytest

from davbridge.errors import DeadlinePassedError
from davbridge.paths import parse
from davbridge.tree.steps import checked_deletes
from tests.tree.conftest import Drive

FILES = [f"s/{number}" for number in range(8)]


@pytest.fixture
def filled(drive: Drive) -> Drive:
    for key in ("s/", *FILES):
        drive.outside(key)
    return drive


def looks(drive: Drive) -> int:
    return drive.store.requests.count(("list", "s/"))


def test_a_tree_is_deleted_piece_by_piece_where_most_deletes_come_too_late(filled: Drive) -> None:
    def late(operation: str, key: str) -> DeadlinePassedError | None:
        waiting = [each for each in filled.stored() if each in FILES][1:]
        return DeadlinePassedError(key) if operation == "delete" and key in waiting else None

    filled.store.fault = late
    assert filled.tree.move(parse("/s"), parse("/t")) == []
    assert not any(key.startswith("s/") for key in filled.stored())


def test_a_tree_stays_where_all_deletes_come_too_late(filled: Drive) -> None:
    def late(operation: str, key: str) -> DeadlinePassedError | None:
        return DeadlinePassedError(key) if operation == "delete" and key in FILES else None

    filled.store.fault = late
    failures = filled.tree.move(parse("/s"), parse("/t"))
    assert sorted(failure.path for failure in failures) == [parse(f"/{key}") for key in FILES]
    assert set(FILES) <= set(filled.stored())
    assert looks(filled) <= checked_deletes._MAX_CHECKS + 2  # The plan's, and one for properties.
