"""What may be there after operations that overlapped: what some order of them gives.

An operation that was refused has done nothing, one that told of success all of it, and one that
failed otherwise all, nothing, or a part. Of two operations, one that had ended before the other
began comes first.

- On one bridge what is shown has to be what one order gives.
- Over several bridges members may come and go beside one another: there, and where an operation
  failed in the middle, all the content has to be there that is in the end of one order.
- Over several bridges, what deletes or replaces a folder has a moment in which the members are gone
  and the folder is still there. If somebody writes into a folder that is being replaced, the
  replacement may be refused after that moment; what is written then stays.
- A COPY back of what another bridge is moving may go with the source of that MOVE: both have the
  same content.
- A bridge with an older listing may write into what is a file by now. The folder hides the file,
  and the file stays.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple, Protocol

from davbridge.errors import StoreError
from davbridge.paths import ROOT, ResourcePath
from tests.tree.model import Folder, Model, Shown, expected, keys_of

NEEDLESS = ("delete", "make_collection", "set_property")
"""What has no content of its own: through several bridges others may undo it without a loss."""


TRANSFERS = ("copy", "move")


class Operation(Protocol):
    """What is asked for, in the words of `Model`."""

    @property
    def verb(self) -> str: ...

    @property
    def arguments(self) -> tuple[Any, ...]: ...


class Emptying(NamedTuple):
    """The first half of what deletes or replaces a folder. The arguments are the folder's path, and
    the contents that stay."""

    arguments: tuple[ResourcePath, frozenset[bytes]]
    verb: str = "empty"


class Told(NamedTuple):
    """An operation, and what its client was told."""

    operation: Operation
    is_done: bool
    """Whether it was told that it was done."""
    is_refused: bool
    """Whether it was told that it wasn't."""
    began: float
    ended: float
    """Numbers that grow."""

    @property
    def verb(self) -> str:
        return self.operation.verb

    @property
    def is_transfer(self) -> bool:
        return self.verb in TRANSFERS

    @property
    def what(self) -> tuple[str, tuple[Any, ...]]:
        return self.operation.verb, self.operation.arguments


def fault(before: Model, told: Sequence[Told], shown: Shown, *, bridges: int) -> str:
    """What is wrong with what is there; empty if nothing is."""
    # Where another bridge takes a file away that has been copied already, the copy stays.
    done = [each for each in told if not each.is_refused or (bridges > 1 and each.is_transfer)]
    is_certain = all(each.is_done for each in done if each.verb != "copy" or not each.is_refused)
    states = list(possible_states(before, done, is_lenient=bridges > 1))
    if bridges == 1 and is_certain:
        return "" if shown in states else _said("no order gives this", shown, states)
    if not states:
        return _said("no order gives these answers", shown, states)
    if any(not _lacking(state, shown, is_counted=is_certain) for state in states):
        return ""
    lost = min((_lacking(state, shown, is_counted=is_certain) for state in states), key=len)
    return _said(f"{sorted(lost)} is lost", shown, states)


def possible_states(
    before: Model, done: Sequence[Told], *, is_lenient: bool = False
) -> Iterator[Shown]:
    """What is shown after each order. ``is_lenient``: the NEEDLESS may have been undone, and what
    was asked for twice been done once."""
    seen: set[object] = set()
    ends: set[object] = set()
    needless = {each.what for each in done if _is_needless(each, before, done)}
    emptyings = dict(_emptyings(done)) if is_lenient else {}
    undone = {each for each in done if is_lenient and _is_copied_back(each, done)}
    done = [*done, *emptyings.values()]

    def after(model: Model, rest: frozenset[Told]) -> Iterator[Shown]:
        shown = expected(model.root, ROOT) | hidden_in(model.root, ROOT)
        state = frozenset(shown.items()), frozenset(keys_of(model.root, ""))
        if (state, rest) in seen:
            return
        seen.add((state, rest))
        if not rest:
            if state[0] not in ends:
                ends.add(state[0])
                yield shown
            return
        for each in rest:
            if all(other.ended > each.began for other in rest):
                may_be_undone = is_lenient and each.what in needless
                for changed in _after(
                    model, each, may_be_undone=may_be_undone, is_lenient=is_lenient
                ):
                    others = rest - {each, emptyings.get(each)}
                    yield from after(changed, others)
                    gone = taken(changed, "delete", (_target(each),)) if each in undone else None
                    if gone is not None:
                        yield from after(gone, others)

    return after(before, frozenset(done))


def _emptyings(done: Sequence[Told]) -> Iterator[tuple[Told, Told]]:
    """Operations, each with its first half."""
    for each in done:
        if each.verb != "delete" and not each.is_transfer:
            continue
        folder = each.operation.arguments[0] if each.verb == "delete" else _target(each)
        staying: frozenset[bytes] = frozenset()
        if each.is_refused:
            others = [one for one in done if one.ended > each.began]
            if not any(_writes_inside(one, folder) for one in others):
                continue
            staying = frozenset(one.operation.arguments[1] for one in others if one.verb == "put")
        yield each, each._replace(operation=Emptying((folder, staying)), is_done=False)


def _is_copied_back(told: Told, done: Sequence[Told]) -> bool:
    """Whether it copies a file back to where another bridge is moving it from."""
    if told.verb != "copy":
        return False
    source, target = told.operation.arguments
    return any(
        other.what == ("move", (target, source))
        and other.ended > told.began
        and told.ended > other.began
        for other in done
    )


def _writes_inside(told: Told, folder: ResourcePath) -> bool:
    if told.verb not in ("put", "make_collection", *TRANSFERS):
        return False
    path = _target(told)
    return len(path) > len(folder) and path[: len(folder)] == folder


def _is_needless(told: Told, before: Model, done: Sequence[Told]) -> bool:
    """Whether no content is lost where it is undone, or was done by another of the same."""
    verb, (source, *_) = told.what
    if verb not in TRANSFERS:
        return verb in NEEDLESS
    if [each.what for each in done].count(told.what) > 1:
        return True
    filled = [path for path, (body, _) in expected(before.root, ROOT).items() if body is not None]
    filled += [_target(each) for each in done if each.verb in ("put", *TRANSFERS)]
    return not any(path[: len(source)] == source for path in filled)


def _target(told: Told) -> ResourcePath:
    """Where it writes."""
    verb, arguments = told.what
    path: ResourcePath = arguments[1 if verb in TRANSFERS else 0]
    return path


def _after(model: Model, told: Told, *, may_be_undone: bool, is_lenient: bool) -> Iterator[Model]:
    verb, arguments = told.what
    is_undone = verb == "copy" and told.is_refused
    if not is_undone and (changed := taken(model, verb, arguments)) is not None:
        yield changed
    elif is_lenient and not told.is_refused:
        hiding = taken(model, verb, arguments, may_hide=True)
        if hiding is not None:
            yield hiding
    if told.is_done and not may_be_undone:
        return
    yield model
    if verb == "move" and (copied := taken(model, "copy", arguments)) is not None:
        yield copied


def taken(
    model: Model, verb: str, arguments: tuple[Any, ...], *, may_hide: bool = False
) -> Model | None:
    """The model as it is then; None where that can't be done. What is written into a folder that
    goes meanwhile makes it anew. ``may_hide``: also if a file is there by now, which it hides."""
    changed = deepcopy(model)
    if verb == "empty":
        return changed if _empty(changed, *arguments) else None
    if verb in ("put", "make_collection", *TRANSFERS):
        path: ResourcePath = arguments[1 if verb in TRANSFERS else 0]
        if not _make_parents(changed, path[:-1], may_hide=may_hide):
            return None
    try:
        return None if getattr(changed, verb)(*arguments) is False else changed
    except StoreError:
        return None


def _empty(model: Model, path: ResourcePath, staying: frozenset[bytes]) -> bool:
    folder = model.find(path)
    if not isinstance(folder, Folder):
        return False
    folder.members = {
        name: member
        for name, member in folder.members.items()
        if isinstance(member, bytes) and member in staying
    }
    folder.is_marked = True
    return True


def _make_parents(model: Model, path: ResourcePath, *, may_hide: bool) -> bool:
    folder = model.root
    for name in path:
        node = folder.members.setdefault(name, Folder(is_marked=True))
        if isinstance(node, bytes) and may_hide:
            node = folder.members[name] = Folder(is_marked=True, hidden=node)
        if not isinstance(node, Folder):
            return False
        folder = node
    return True


HIDDEN = "(hidden)"
"""Stands for a file below the folder of its name."""


def hidden_in(folder: Folder, path: ResourcePath) -> Shown:
    """The files that folders of their names hide."""
    hidden: Shown = {}
    for name, node in folder.members.items():
        if isinstance(node, Folder):
            hidden |= hidden_in(node, (*path, name))
            if node.hidden is not None:
                hidden[*path, name, HIDDEN] = (node.hidden, None)
    return hidden


def _lacking(state: Shown, shown: Shown, *, is_counted: bool) -> list[bytes]:
    """The content that is in ``state`` and isn't shown."""
    there, needed = _contents(shown), _contents(state)
    if is_counted:
        return list((needed - there).elements())
    return list(needed.keys() - there.keys())


def _contents(shown: Shown) -> Counter[bytes]:
    return Counter(body for body, _ in shown.values() if body is not None)


def _said(what: str, shown: Shown, states: Sequence[Shown]) -> str:
    return f"{what}: {_short(shown)}; possible: {[_short(state) for state in states]}"


def _short(shown: Shown) -> str:
    return " ".join(
        f"/{'/'.join(path)}={'folder' if body is None else body.decode('latin-1')[:20]}"
        + (f"[{value}]" if value else "")
        for path, (body, value) in sorted(shown.items())
    )
