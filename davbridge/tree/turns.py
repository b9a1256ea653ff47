"""Operations on the same trees take turns.

Owns who is at work where, in this process. Must not know what is done there.

A client that waits too long for a MOVE sends it again while the first one still runs. Side by
side, the second would take what the first has moved already for members that the source hasn't,
and delete them.

Invariants: of two operations of which one changes what the other reads or changes, at whatever
depth, the later one begins when the earlier one has ended; those that only read the same run side
by side; nobody is overtaken, so that everyone's turn comes.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from threading import Condition

from davbridge.paths import ResourcePath


class _Turn:
    """One operation, at work or waiting."""

    def __init__(
        self,
        changed: Iterable[ResourcePath],
        read: Iterable[ResourcePath],
        written: Iterable[ResourcePath],
    ) -> None:
        self._changed = tuple(changed)
        self._concerned = (*self._changed, *read)
        self._written = tuple(written)

    def conflicts(self, other: "_Turn") -> bool:
        return (
            _overlap(self._changed, other._concerned)
            or _overlap(other._changed, self._concerned)
            or any(path in other._changed for path in self._written)
            or any(path in self._changed for path in other._written)
        )


class Turns:
    """The turns of one namespace."""

    def __init__(self) -> None:
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

        ``written``: single files. They wait for operations on that very file, not for those on a
        tree that holds it, which may take minutes and look again before they delete.
        """
        turn = _Turn(changed, read, written)
        with self._condition:
            self._turns.append(turn)
        try:
            with self._condition:
                self._condition.wait_for(lambda: not self._is_blocked(turn))
            yield
        finally:
            with self._condition:
                self._turns.remove(turn)
                self._condition.notify_all()

    def _is_blocked(self, turn: _Turn) -> bool:
        earlier = takewhile(lambda each: each is not turn, self._turns)
        return any(map(turn.conflicts, earlier))


def _overlap(some: Iterable[ResourcePath], others: tuple[ResourcePath, ...]) -> bool:
    """Whether a path is another one, or inside it, or holds it."""
    return any(
        one[: len(other)] == other or other[: len(one)] == one for one in some for other in others
    )
