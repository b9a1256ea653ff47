"""PROPPATCH beside DELETE and MOVE: it is done before and moves along, or it is refused."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest

from davbridge.errors import NotFoundError
from davbridge.paths import parse
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from tests.support.contract import keys
from tests.support.intercepted import GatedStore
from tests.support.objects import put
from tests.tree.conftest import Drive

MOMENT = 0.3
PATIENCE = 60.0
P = {"{n}p": "<p xmlns='n'>x</p>"}


@pytest.mark.parametrize(
    ("source", "patched"),
    [("/d/a", "/d/a"), ("/d", "/d"), ("/d", "/d/a"), ("/d", "/d/e/f")],
    ids=["the file", "the folder", "a member", "a member further inside"],
)
@pytest.mark.parametrize("verb", ["move", "delete"])
def test_properties_set_while_their_resource_is_deleted_are_refused(
    drive: Drive, source: str, patched: str, verb: str
) -> None:
    drive.outside("d/", "d/a", "d/e/f", "d/g")
    late: list[Future[None]] = []
    with ThreadPoolExecutor(1) as threads:

        def before(operation: str, _key: str) -> None:
            if operation == ("copy" if verb == "move" else "delete") and not late:
                late.append(threads.submit(drive.tree.update_properties, parse(patched), P))
                wait_for(late, MOMENT)

        drive.store.before = before
        targets = [parse("/target")] if verb == "move" else []
        assert getattr(drive.tree, verb)(parse(source), *targets) == []
        assert isinstance(late[0].exception(PATIENCE), NotFoundError)
    drive.store.before = lambda operation, key: None
    assert drive.kind(source) is None
    assert not [key for key in drive.stored() if SIDECAR_NAME in key]


@pytest.mark.parametrize(
    ("source", "patched", "after"),
    [("/d/a", "/d/a", "/t"), ("/d", "/d", "/t"), ("/d", "/d/a", "/t/a")],
    ids=["the file", "the folder", "a member"],
)
def test_properties_being_written_when_a_move_begins_move_along(
    source: str, patched: str, after: str
) -> None:
    store = GatedStore(MemoryStore())
    put(store, "d/", "d/a", "d/g")
    tree = Namespace(store)
    prefix = patched.rpartition("/")[0].lstrip("/")
    sidecar = f"{prefix}/{SIDECAR_NAME}" if prefix else SIDECAR_NAME
    with ThreadPoolExecutor(2) as threads:
        written = store.gate("put_object", sidecar)
        writing = threads.submit(tree.update_properties, parse(patched), P)
        written.wait_until_answered()
        moving = threads.submit(tree.move, parse(source), parse("/t"))
        wait_for([moving], MOMENT)
        assert not moving.done()
        written.open()
        writing.result(PATIENCE)
        assert moving.result(PATIENCE) == []
    assert tree.properties(parse(after)) == P
    assert tree.find(parse(source)) is None
    assert sum(SIDECAR_NAME in key for key in keys(store)) == 1
    tree.close()


def test_properties_are_set_while_their_resource_is_copied(drive: Drive) -> None:
    drive.outside("d/", "d/a", "e/b")
    done: list[Callable[[], object]] = [
        lambda: drive.tree.update_properties(parse("/e/b"), P),
    ]

    def before(operation: str, _key: str) -> None:
        if operation == "copy" and done:
            done.pop()()

    drive.store.before = before
    assert drive.tree.copy(parse("/e"), parse("/t")) == []
    assert not done
    assert drive.tree.properties(parse("/e/b")) == P
