"""Operations on the same trees take turns.

Owns who is at work where, in this process. Must not know what is done there.

A client that waits too long for a MOVE sends it again while the first one still runs. Side by
side, the second would take what the first has moved already for members that the source hasn't,
and delete them.

Invariants: of two operations of which one changes what the other reads or changes, at whatever
depth, the later one begins when the earlier one has ended; those that only read the same run side
by side; turns come in the order of asking, so that everyone's comes; while a tree is shut (which
overtakes those that still wait), no file in it is written; no more than MOST_WAITING wait for the
same.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import takewhile
from threading import Condition

from davbridge.errors import UnavailableError
from davbridge.paths import ResourcePath
from davbridge.waiting import Waiting

MOST_WAITING = 64
"""Operations that wait for one that is at work, or in the way of one that comes. Each of them may
have a thread of the server."""


class _Turn:
    """One operation, at work or waiting."""

    def __init__(
        self,
        changed: Iterable[ResourcePath],
        read: Iterable[ResourcePath],
        written: Iterable[ResourcePath],
        shut: Iterable[ResourcePath] = (),
    ) -> None:
        self.is_at_work = False
        self._changed = tuple(changed)
        self._concerned = (*self._changed, *read)
        self._written = tuple(written)
        self._shut = tuple(shut)

    def conflicts(self, other: "_Turn") -> bool:
        return (
            _overlap(self._changed, other._concerned)
            or _overlap(other._changed, self._concerned)
            or self._keeps_out(other)
            or other._keeps_out(self)
        )

    def _keeps_out(self, writer: "_Turn") -> bool:
        return any(
            path in self._changed or any(path[: len(tree)] == tree for tree in self._shut)
            for path in writer._written
        )


class Turns:
    """The turns of one namespace."""

    def __init__(self, waiting: Waiting = nullcontext) -> None:
        self._waiting = waiting
        self._condition = Condition()
        self._turns: list[_Turn] = []

    @contextmanager
    def of(
        self,
        *,
        changed: Iterable[ResourcePath] = (),
        read: Iterable[ResourcePath] = (),
        written: Iterable[ResourcePath] = (),
    ) -> Iterator[None]:
        """Around an operation on the trees at these paths; waits for those that are in its way.
        Raises UnavailableError where MOST_WAITING others wait for the same.

        ``written``: single files. They wait for operations on that very file, not for those on a
        tree that holds it, which may take minutes, until that `shut`s it.
        """
        turn = _Turn(changed, read, written)
        with self._condition:
            self._turns.append(turn)
        try:
            with self._condition:
                self._require_room_for(turn)
                self._wait_while(lambda: self._is_blocked(turn))
                turn.is_at_work = True
            yield
        finally:
            self._end(turn)

    @contextmanager
    def shut(self, tree: ResourcePath) -> Iterator[None]:
        """Within a turn that changes ``tree``: no file in it is written. Waits for writes that are
        at work, and not for those that wait themselves, maybe for whoever waits for this turn."""
        turn = _Turn((), (), (), [tree])
        with self._condition:
            self._turns.insert(0, turn)
        try:
            with self._condition:
                self._wait_while(lambda: self._is_written(turn))
            yield
        finally:
            self._end(turn)

    def _wait_while(self, holds: Callable[[], bool]) -> None:
        if holds():
            with self._waiting():
                self._condition.wait_for(lambda: not holds())

    def _end(self, turn: _Turn) -> None:
        with self._condition:
            self._turns.remove(turn)
            self._condition.notify_all()

    def _require_room_for(self, turn: _Turn) -> None:
        others = [each for each in self._turns if each is not turn]
        waiting = [each for each in others if not each.is_at_work]
        ahead = [each for each in others if each.is_at_work and each.conflicts(turn)]
        if any(sum(map(each.conflicts, waiting)) >= MOST_WAITING for each in (turn, *ahead)):
            raise UnavailableError("too many requests wait for the same tree")

    def _is_written(self, turn: _Turn) -> bool:
        return any(each.is_at_work and turn.conflicts(each) for each in self._turns)

    def _is_blocked(self, turn: _Turn) -> bool:
        earlier = takewhile(lambda each: each is not turn, self._turns)
        return any(map(turn.conflicts, earlier))


def _overlap(some: Iterable[ResourcePath], others: tuple[ResourcePath, ...]) -> bool:
    """Whether a path is another one, or inside it, or holds it."""
    return any(
        one[: len(other)] == other or other[: len(one)] == one for one in some for other in others
    )
