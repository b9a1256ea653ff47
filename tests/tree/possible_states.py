"""What may be there after operations that overlapped: what some order of them gives.

Owns the judgement. Must not know how they were carried out.

On one bridge what is shown has to be what one order gives of all operations that told of success,
an operation that was refused having done nothing. Over two bridges members may come and go beside
one another; there, and where an operation failed in the middle, no content may be lost: what is
there in every order has to be there.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import permutations

from davbridge.errors import StoreError, UnavailableError
from davbridge.paths import ROOT, ResourcePath
from tests.tree.model import Folder, Model, Shown, expected
from tests.tree.overlapping import Case, Done, Step

NEEDLESS = ("delete", "make_collection", "set_property")
"""What leaves no content of its own: where it overlaps with others over another bridge, it may be
undone by them without a loss."""


def judge(case: Case, done: Sequence[Done], shown: Shown) -> str:
    """What is wrong; empty if nothing is."""
    before = Model()
    for step in case.before:
        assert _take(before, step), step
    done = [
        each
        for each in done
        if each.step.verb != "recover" and not _is_refused(each, case.bridges)
    ]
    if case.bridges == 1 and not any(map(_is_uncertain, done)):
        states = list(_possible(before, done, is_lenient=False))
        return "" if shown in states else _told("no order gives this", shown, states)
    states = list(_possible(before, done, is_lenient=True))
    if not states:
        return _told("no order gives these answers", shown, states)
    needed = set.intersection(*map(_contents, states))
    lost = needed - _contents(shown)
    return _told(f"{sorted(lost)} is lost", shown, states) if lost else ""


def _told(what: str, shown: Shown, states: Sequence[Shown]) -> str:
    return f"{what}: {_short(shown)}; possible: {[_short(state) for state in states]}"


def _short(shown: Shown) -> str:
    rows = sorted(shown.items())
    return " ".join(
        f"/{'/'.join(path)}={'folder' if body is None else body.decode()}"
        + (f"[{value}]" if value else "")
        for path, (body, value) in rows
    )


def _contents(shown: Shown) -> set[bytes]:
    return {body for body, _ in shown.values() if body is not None}


def _is_refused(done: Done, bridges: int) -> bool:
    """Whether it is told that nothing was done. Where another bridge takes a file away that has
    been copied already, the copy stays, whatever is told."""
    if isinstance(done.outcome, UnavailableError) or (bridges > 1 and done.step.verb == "move"):
        return False
    return isinstance(done.outcome, StoreError)


def _is_uncertain(done: Done) -> bool:
    """Whether it may have been done, or not, or in part."""
    return done.outcome is not True


def _possible(before: Model, done: Sequence[Done], *, is_lenient: bool) -> Iterator[Shown]:
    for order in permutations(done):
        if not any(
            later.ended < earlier.began
            for at, earlier in enumerate(order)
            for later in order[at + 1 :]
        ):
            for model in _applied(before, order, is_lenient=is_lenient):
                yield expected(model.root, ROOT)


def _applied(model: Model, rest: Sequence[Done], *, is_lenient: bool) -> Iterator[Model]:
    if not rest:
        yield model
        return
    first, *others = rest
    changed = deepcopy(model)
    if _take(changed, first.step):
        yield from _applied(changed, others, is_lenient=is_lenient)
    if _is_uncertain(first) or (is_lenient and first.step.verb in NEEDLESS):
        yield from _applied(model, others, is_lenient=is_lenient)
    if _is_uncertain(first) and first.step.verb == "move":
        copied = deepcopy(model)  # The copy stays where another has taken the source away.
        if _take(copied, first.step._replace(verb="copy")):
            yield from _applied(copied, others, is_lenient=is_lenient)


def _take(model: Model, step: Step) -> bool:
    """Whether it can be done. What is written into a folder that goes meanwhile makes it anew."""
    if step.verb in ("put", "make_collection", "copy", "move"):
        path: ResourcePath = step.arguments[1 if step.verb in ("copy", "move") else 0]
        if not _make_parents(model, path[:-1]):
            return False
    try:
        return getattr(model, step.verb)(*step.arguments) is not False
    except StoreError:
        return False


def _make_parents(model: Model, path: ResourcePath) -> bool:
    folder = model.root
    for name in path:
        node = folder.members.setdefault(name, Folder(is_marked=True))
        if not isinstance(node, Folder):
            return False
        folder = node
    return True
