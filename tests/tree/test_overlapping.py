"""Operations that overlap, over one bridge and two: what is there then is what some order gives."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from davbridge.paths import parse
from davbridge.tree.properties.merging import LIMITS, Limits
from tests.tree import overlapping
from tests.tree.gates import Hold, How
from tests.tree.model import Folder, Model, Shown
from tests.tree.overlapping import Case, Step, requests_of, world_of
from tests.tree.overlaps import EQUAL, Maker, failure_of
from tests.tree.possible_states import HIDDEN, Told, fault
from tests.tree.shortening import shortened
from tests.tree.small_segments import SMALL, small_segments

RED = "<p xmlns='n'>red</p>"


def put(path: str, body: bytes = EQUAL, over: int = 0) -> Step:
    return Step("put", (parse(path), body), over)


def mkcol(path: str, over: int = 0) -> Step:
    return Step("make_collection", (parse(path),), over)


def move(source: str, target: str, over: int = 0) -> Step:
    return Step("move", (parse(source), parse(target)), over)


def copy(source: str, target: str, over: int = 0) -> Step:
    return Step("copy", (parse(source), parse(target)), over)


def delete(path: str, over: int = 0) -> Step:
    return Step("delete", (parse(path),), over)


def paint(path: str, over: int = 0) -> Step:
    return Step("set_property", (parse(path), RED), over)


RECOVER = Step("recover", bridge=1)

FILE = (put("/a"),)
FILES = (put("/a"), put("/b"), put("/c"))
FOLDER = (mkcol("/a"), put("/a/x"), put("/a/y"), put("/a/z", b"other"))
FOLDERS = (*FOLDER, mkcol("/b"), put("/b/x"), put("/b/y"), put("/b/z", b"other"))

FOLDER_AND_FILE = (*FOLDER, put("/f", b"file"))

Overlap = tuple[tuple[Step, ...], Step, tuple[Step, ...]]
"""What is there, what is held, and what happens meanwhile."""

ON_ONE_BRIDGE: dict[str, Overlap] = {
    "a file, and a folder of its name": ((), put("/a"), (mkcol("/a"),)),
    "a folder, and a file of its name": ((), mkcol("/a"), (put("/a"),)),
    "a folder, and another of its name": ((), mkcol("/a"), (mkcol("/a"),)),
    "a file that is moved, and a folder there": (FILE, move("/a", "/b"), (mkcol("/b"),)),
    "a folder, and a file that is moved there": (FILE, mkcol("/b"), (move("/a", "/b"),)),
    "a file that is copied, and a folder there": (FILE, copy("/a", "/b"), (mkcol("/b"),)),
    "a property, and a move of its file": (FILE, paint("/a"), (move("/a", "/b"),)),
    "a move of a file, and a property": (FILE, move("/a", "/b"), (paint("/a"),)),
    "a property, and a move of its folder": (FOLDER, paint("/a"), (move("/a", "/b"),)),
    "a member's property, and a move": (FOLDER, paint("/a/x"), (move("/a", "/b"),)),
    "a member's property, and a DELETE": (FOLDER, paint("/a/x"), (delete("/a"),)),
    "a DELETE, and a member's property": (FOLDER, delete("/a"), (paint("/a/x"),)),
    "files that cross": (FILES, move("/a", "/b"), (move("/b", "/a"),)),
    "a member, and a file in place of its folder": (
        FOLDER_AND_FILE,
        put("/a/new", b"new"),
        (move("/f", "/a"),),
    ),
    "a folder in a folder, and a file in place of it": (
        FOLDER_AND_FILE,
        mkcol("/a/new"),
        (move("/f", "/a"),),
    ),
    "a file in place of a folder, and a member": (
        FOLDER_AND_FILE,
        copy("/f", "/a"),
        (put("/a/new", b"new"),),
    ),
    "a move, and a new version": (FILE, move("/a", "/b"), (put("/a", b"new"),)),
    "a move, and a new version there": (FILES, move("/a", "/b"), (put("/b", b"new"),)),
}

OVER_TWO_BRIDGES: dict[str, Overlap] = {
    "a file, and a folder of its name": ((), put("/a"), (mkcol("/a", 1),)),
    "a folder, and a file of its name": ((), mkcol("/a"), (put("/a", over=1),)),
    "a file that is moved, and a folder there": (FILE, move("/a", "/b"), (mkcol("/b", 1),)),
    "a folder, and a file that is moved there": (FILE, mkcol("/b"), (move("/a", "/b", 1),)),
    "a file that is moved, and back": (FILE, move("/a", "/b"), (move("/b", "/a", 1),)),
    "equal files that cross": (FILES, move("/a", "/b"), (move("/b", "/a", 1),)),
    "equal files in a circle": (
        FILES,
        move("/a", "/b"),
        (move("/b", "/c", 1), move("/c", "/a", 1)),
    ),
    "equal folders that cross": (FOLDERS, move("/a", "/b"), (move("/b", "/a", 1),)),
    "a folder that two move": (FOLDER, move("/a", "/b"), (move("/a", "/b", 1),)),
    "a move that another bridge ends": (FOLDER, move("/a", "/b"), (RECOVER,)),
    "a move that another bridge ends, and back": (
        FOLDER,
        move("/a", "/b"),
        (RECOVER, move("/b", "/a", 1)),
    ),
    "a move that another bridge ends, and new files": (
        FOLDER,
        move("/a", "/b"),
        (RECOVER, mkcol("/a", 1), put("/a/x", over=1), put("/a/new", b"new", 1)),
    ),
    "a file over a folder, and the file away": (
        FOLDER_AND_FILE,
        copy("/f", "/a"),
        (move("/f", "/g", 1),),
    ),
    "a file moved over a folder, and the file away": (
        FOLDER_AND_FILE,
        move("/f", "/a"),
        (move("/f", "/g", 1),),
    ),
    "a folder over a file, and its members away": (
        FOLDER_AND_FILE,
        copy("/a", "/f"),
        (move("/a/x", "/g", 1), move("/a/y", "/h", 1)),
    ),
    "a folder moved over a file, and its members away": (
        FOLDER_AND_FILE,
        move("/a", "/f"),
        (move("/a/y", "/g", 1), delete("/a/z", 1)),
    ),
    "a file over a folder that another bridge ends": (
        FOLDER_AND_FILE,
        move("/f", "/a"),
        (RECOVER,),
    ),
    "a folder over a file that another bridge ends": (
        FOLDER_AND_FILE,
        move("/a", "/f"),
        (RECOVER,),
    ),
    "a copy, and new files there": (
        FOLDER,
        copy("/a", "/b"),
        (RECOVER, put("/b/x", b"new", 1), put("/b/new", b"newer", 1)),
    ),
}


def each_hold(case: Case) -> Iterator[Case]:
    """The case, held at each of its requests, before it and after it with its answer lost."""
    for at in range(len(requests_of(case))):
        for how in (How.BEFORE, How.LOST):
            yield case._replace(step=case.step._replace(hold=Hold(at, how)))


def require_orders(overlap: Overlap, **more: Any) -> None:
    before, step, meanwhile = overlap
    case = Case(before=before, step=step._replace(meanwhile=meanwhile), **more)
    for held in each_hold(case):
        failure = failure_of(held)
        assert failure is None, str(failure)


@pytest.mark.parametrize("overlap", ON_ONE_BRIDGE.values(), ids=list(ON_ONE_BRIDGE))
def test_operations_on_one_bridge_end_as_in_one_order(overlap: Overlap) -> None:
    require_orders(overlap, bridges=1)


@pytest.mark.parametrize("is_cached", [False, True], ids=["uncached", "cached"])
@pytest.mark.parametrize("overlap", OVER_TWO_BRIDGES.values(), ids=list(OVER_TWO_BRIDGES))
def test_operations_over_two_bridges_lose_nothing(overlap: Overlap, is_cached: bool) -> None:
    require_orders(overlap, bridges=2, is_cached=is_cached)


@pytest.mark.parametrize("back", [(), (move("/b", "/a", 1),)], ids=["", "and back"])
def test_a_move_that_fails_loses_nothing_to_the_bridge_that_resumes_it(
    back: tuple[Step, ...],
) -> None:
    overlap = (FOLDER, move("/a", "/b"), (RECOVER, *back))
    require_orders(overlap, bridges=2, refused="b/z")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limits", [LIMITS, SMALL], ids=["", "with segments"])
def test_random_overlapping_operations_lose_nothing(seed: int, limits: Limits) -> None:
    maker = Maker(Random(f"overlapping/{seed}"))
    with small_segments(limits):
        for _ in range(100):
            failure = failure_of(maker.case())
            assert failure is None, str(shortened(failure))


def test_a_seed_determines_all_that_happens() -> None:
    def outcomes(case: Case) -> list[str]:
        with world_of(case) as world:
            return [f"{done.step} {done.outcome!r}" for done in world.done]

    made = [[maker.case() for _ in range(20)] for maker in (Maker(Random(1)), Maker(Random(1)))]
    assert made[0] == made[1]
    assert list(map(outcomes, made[0])) == list(map(outcomes, made[1]))


def test_a_step_that_waits_for_a_held_one_runs_after_it() -> None:
    step = move("/a", "/b")._replace(hold=Hold(0), meanwhile=(put("/a", b"new"), put("/c")))
    with world_of(Case(1, FILE, step)) as world:
        assert [done.step.verb for done in world.done] == ["put", "move", "put"]
        assert world.done[0].step == put("/c")


def test_a_failure_is_shortened_to_the_steps_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(overlapping.VERBS, "copy", lambda *_: True)
    meanwhile = (delete("/c"), copy("/a/x", "/d"), paint("/a/x"))
    step = put("/e")._replace(hold=Hold(1), meanwhile=meanwhile)
    failure = failure_of(Case(1, (*FOLDER, put("/c")), step))
    assert failure is not None
    short = shortened(failure).case
    assert short.before == ()
    assert [step.verb for step in short.step.flat()] == ["put", "copy"]


def told(step: Step, began: int, ended: int, *, done: bool = True, refused: bool = False) -> Told:
    return Told(step, done and not refused, refused, began, ended)


def model_of(bodies: dict[str, bytes]) -> Model:
    return Model(Folder({**bodies}, is_marked=True))


def shown_of(bodies: dict[str, bytes]) -> Shown:
    return {(name,): (body, None) for name, body in bodies.items()}


ONE = {"a": b"1"}
TWO = {"a": b"1", "b": b"2"}
EQUALS = {"a": b"1", "b": b"1"}
AWAY, BACK = move("/a", "/b"), move("/b", "/a")


@pytest.mark.parametrize("bridges", [1, 2])
@pytest.mark.parametrize(
    ("before", "operations", "shown"),
    [
        ({}, [told(put("/a", b"1"), 1, 2)], {}),
        (ONE, [told(AWAY, 1, 2)], {}),
        (ONE, [told(AWAY, 1, 2, done=False)], {}),
        (ONE, [told(delete("/a"), 1, 2, refused=True)], {}),
        ({}, [told(put("/a", b"1"), 1, 2), told(put("/a", b"2"), 3, 4)], ONE),
        (ONE, [told(AWAY, 1, 3), told(BACK, 2, 4)], {}),
        (EQUALS, [told(AWAY, 1, 3), told(BACK, 2, 4)], {}),
        (EQUALS, [told(copy("/a", "/c"), 1, 2)], EQUALS),
    ],
)
def test_the_judge_misses_content_that_no_order_loses(
    before: dict[str, bytes], operations: list[Told], shown: dict[str, bytes], bridges: int
) -> None:
    assert fault(model_of(before), operations, shown_of(shown), bridges=bridges)


@pytest.mark.parametrize("bridges", [1, 2])
@pytest.mark.parametrize("shown", [ONE, {"b": b"1"}, EQUALS])
def test_the_judge_lets_a_failed_move_be_done_or_not_or_in_part(
    shown: dict[str, bytes], bridges: int
) -> None:
    operations = [told(AWAY, 1, 2, done=False)]
    assert not fault(model_of(ONE), operations, shown_of(shown), bridges=bridges)


@pytest.mark.parametrize("bridges", [1, 2])
def test_the_judge_misses_a_target_whose_replacement_was_refused(bridges: int) -> None:
    folder = Folder({"x": b"2"}, is_marked=True)
    before = Model(Folder({"a": b"1", "b": folder}, is_marked=True))
    operations = [told(copy("/a", "/b"), 1, 3, refused=True), told(move("/a", "/c"), 2, 4)]
    assert fault(before, operations, shown_of({"c": b"1"}), bridges=bridges)


@pytest.mark.parametrize("is_deleted", [True, False])
def test_the_judge_lets_a_move_take_what_a_delete_over_another_bridge_has_left(
    is_deleted: bool,
) -> None:
    before = Model(Folder({"b": Folder({"x": b"2"}, is_marked=True)}, is_marked=True))
    operations = [told(BACK, 2, 4), *([told(delete("/b"), 1, 3)] if is_deleted else [])]
    shown: Shown = {("a",): (None, None)}
    assert bool(fault(before, operations, shown, bridges=2)) is not is_deleted


WITHIN = Model(
    Folder({"a": b"1", "b": Folder({"x": b"2", "y": b"3"}, is_marked=True)}, is_marked=True)
)
"""A file, and a folder with two."""


@pytest.mark.parametrize("is_written_to", [True, False])
@pytest.mark.parametrize("is_kept", [True, False])
def test_the_judge_lets_a_refused_replacement_delete_a_folder_that_is_written_to(
    is_written_to: bool, is_kept: bool
) -> None:
    """But for what is written."""
    operations = [told(copy("/a", "/b"), 1, 4, refused=True)]
    operations += [told(put("/b/x", b"4"), 2, 3)] if is_written_to else []
    shown: Shown = {("a",): (b"1", None), ("b",): (None, None)}
    shown |= {("b", "x"): (b"4", None)} if is_kept else {}
    is_right = is_written_to and is_kept
    assert bool(fault(WITHIN, operations, shown, bridges=2)) is not is_right


@pytest.mark.parametrize("is_beside", [True, False])
def test_the_judge_lets_a_copy_back_go_with_the_source_of_the_move_beside_it(
    is_beside: bool,
) -> None:
    before = Model(Folder({"a": b"1"}, is_marked=True))
    began = 4 if is_beside else 7
    operations = [told(move("/a", "/b"), 1, 6), told(copy("/b", "/a"), began, 8)]
    operations += [told(put("/a", b"2"), 2, 3)]
    shown: Shown = {("b",): (b"1", None)}
    assert bool(fault(before, operations, shown, bridges=2)) is not is_beside


@pytest.mark.parametrize("is_hidden", [True, False])
def test_the_judge_wants_a_file_that_a_folder_of_its_name_hides(is_hidden: bool) -> None:
    operations = [told(move("/a", "/b"), 1, 4), told(put("/b/x", b"4"), 5, 6)]
    shown: Shown = {("b",): (None, None), ("b", "x"): (b"4", None)}
    shown |= {("b", HIDDEN): (b"1", None)} if is_hidden else {}
    assert bool(fault(WITHIN, operations, shown, bridges=2)) is not is_hidden


@pytest.mark.parametrize("shown", [{"a": b"1"}, {"a": b"2"}])
def test_the_judge_lets_either_of_two_writes_at_once_stay(shown: dict[str, bytes]) -> None:
    operations = [told(put("/a", b"1"), 1, 3), told(put("/a", b"2"), 2, 4)]
    assert not fault(Model(), operations, shown_of(shown), bridges=1)


def test_the_judge_wants_one_order_of_operations_on_one_bridge() -> None:
    operations = [told(put("/a", b"1"), 1, 3), told(mkcol("/a"), 2, 4)]
    assert fault(Model(), operations, shown_of(ONE), bridges=1)
    assert not fault(Model(), operations, shown_of(ONE), bridges=2)
