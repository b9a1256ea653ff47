"""Operations on the same trees take turns.

Owns who is at work where, in this process. Must not know what is done there.

A client that waits too long for a MOVE sends it again while the first one still runs. Side by
side, the second would take what the first has moved already for members that the source hasn't,
and delete them.

Invariants: of two operations of which one changes what the other reads or changes, at whatever
depth, the later one begins when the earlier one has ended; those that only read the same run side
by side; turns come in the order of asking, so that everyone's comes; while a tree is shut (which
overtakes those that still wait), no file in it is written; one resource is written by one at a
time; dead properties are written before an operation that changes a tree around them begins, or
after it has ended, since they are kept beside the members and go where those go; nothing is written
in the scope of a lock while that is granted; all Unicode spellings of a path are the same here, as
they are for locks, since which of them the bucket has may be settled by whoever is at work; no more
than MOST_WAITING wait for the same.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from threading import Condition
from typing import NamedTuple

from davbridge.errors import UnavailableError
from davbridge.paths import ResourcePath, canonical
from davbridge.waiting import queue_wait

MOST_WAITING = 64
"""Operations that wait for one that is at work, or in the way of one that comes. Each of them may
have a thread of the server."""


class LockScope(NamedTuple):
    """What a write lock covers: the resource at a path, who its members are (RFC 4918 §7.4), and
    if it is deep everything inside."""

    path: ResourcePath
    is_deep: bool

    def holds(self, path: ResourcePath) -> bool:
        """Whether a write at ``path`` needs the lock's token."""
        is_inside = path[: len(self.path)] == self.path
        return is_inside and (self.is_deep or len(path) <= len(self.path) + 1)

    def overlaps(self, tree: ResourcePath) -> bool:
        """Whether an operation that changes the tree at ``tree`` needs it."""
        return self.holds(tree) or self.path[: len(tree)] == tree


class _PathLock:
    """One operation, at work or waiting."""

    def __init__(
        self,
        *,
        changed: Iterable[ResourcePath] = (),
        read: Iterable[ResourcePath] = (),
        written: Iterable[ResourcePath] = (),
        described: Iterable[ResourcePath] = (),
        exclude_writes: Iterable[ResourcePath] = (),
        locked: Iterable[LockScope] = (),
        awaited: Iterable[LockScope] = (),
    ) -> None:
        """``awaited``: of a lock that waits for operations: no other one begins before it."""
        self.is_at_work = False
        self._changed = tuple(map(canonical, changed))
        self._concerned = (*self._changed, *map(canonical, read))
        self._files = tuple(map(canonical, written))
        self._described = tuple(map(canonical, described))
        self._written = (*self._files, *self._described)
        self._shut = tuple(map(canonical, exclude_writes))
        self._locked = tuple(LockScope(canonical(path), is_deep) for path, is_deep in locked)
        self._awaited = tuple(LockScope(canonical(path), is_deep) for path, is_deep in awaited)

    def conflicts(self, other: "_PathLock") -> bool:
        return (
            _overlap(self._changed, other._concerned)
            or _overlap(other._changed, self._concerned)
            or self._keeps_out(other)
            or other._keeps_out(self)
        )

    def _keeps_out(self, other: "_PathLock") -> bool:
        return (
            any(path in self._changed or _is_inside(path, self._shut) for path in other._files)
            or any(path in self._written for path in other._files)
            or any(_is_inside(path, self._changed) for path in other._described)
            or any(self._locks(path) for path in other._written)
            or any(
                scope.overlaps(tree)
                for scope in (*self._locked, *self._awaited)
                for tree in other._changed
            )
        )

    def _locks(self, path: ResourcePath) -> bool:
        return any(scope.holds(path) for scope in self._locked)


class PathLocks:
    """The turns of one namespace."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._path_locks: list[_PathLock] = []
        self._locks_waiting = 0

    @contextmanager
    def hold(
        self,
        *,
        changed: Iterable[ResourcePath] = (),
        read: Iterable[ResourcePath] = (),
        written: Iterable[ResourcePath] = (),
        described: Iterable[ResourcePath] = (),
        locked: Iterable[LockScope] = (),
    ) -> Iterator[None]:
        """Around an operation on the trees at these paths; waits for those that are in its way.
        Raises UnavailableError where MOST_WAITING others wait for the same.

        ``written``: single files and markers. They wait for operations on that very resource, not
        for those on a tree that holds it, which may take minutes, until that `exclude_writes`s it.
        ``described``: resources whose dead properties are written. They wait for operations that
        change any tree around them: a MOVE takes the properties along, and deletes its source.
        ``locked``: of a lock that is granted along with a write.
        """
        path_lock = _PathLock(
            changed=changed, read=read, written=written, described=described, locked=locked
        )
        with self._condition:
            self._path_locks.append(path_lock)
        try:
            with self._condition:
                self._require_room_for(path_lock)
                self._wait_while(lambda: self._is_blocked(path_lock))
                path_lock.is_at_work = True
            yield
        finally:
            self._end(path_lock)

    @contextmanager
    def exclude_writes(self, tree: ResourcePath) -> Iterator[None]:
        """Within a turn that changes ``tree``: no file in it is written. Waits for writes that are
        at work, and not for those that wait themselves, maybe for whoever waits for this turn."""
        path_lock = _PathLock(exclude_writes=[tree])
        with self._condition:
            self._path_locks.insert(0, path_lock)
        try:
            with self._condition:
                self._wait_while(lambda: self._conflicts_at_work(path_lock))
            yield
        finally:
            self._end(path_lock)

    @contextmanager
    def without_writes(self, scope: LockScope) -> Iterator[None]:
        """Within it nothing in ``scope`` is written. Waits for whoever is at work there, and not
        for those that wait themselves: a lock is granted before their turns come. Raises
        UnavailableError where MOST_WAITING locks wait.

        While it waits for an operation on a tree, which may take minutes, single writes go on, and
        other operations wait behind it; for a single write, which is over soon, those wait as well.
        So neither keeps the other waiting for ever.
        """
        awaited, path_lock = _PathLock(awaited=[scope]), _PathLock(locked=[scope])
        with self._condition:
            if self._locks_waiting >= MOST_WAITING:
                raise UnavailableError("too many locks wait for what is at work")
            self._locks_waiting += 1
            self._path_locks.insert(0, awaited)
            try:
                self._wait_while(lambda: self._conflicts_at_work(awaited))
                self._path_locks.insert(0, path_lock)
            finally:
                self._locks_waiting -= 1
                self._end(awaited)
        try:
            with self._condition:
                self._wait_while(lambda: self._conflicts_at_work(path_lock))
            yield
        finally:
            self._end(path_lock)

    def _wait_while(self, holds: Callable[[], bool]) -> None:
        if holds():
            with queue_wait():
                self._condition.wait_for(lambda: not holds())

    def _end(self, path_lock: _PathLock) -> None:
        with self._condition:
            self._path_locks.remove(path_lock)
            self._condition.notify_all()

    def _conflicts_at_work(self, path_lock: _PathLock) -> bool:
        return any(each.is_at_work and path_lock.conflicts(each) for each in self._path_locks)

    def _require_room_for(self, path_lock: _PathLock) -> None:
        others = [each for each in self._path_locks if each is not path_lock]
        waiting = [each for each in others if not each.is_at_work]
        ahead = [each for each in others if each.is_at_work and each.conflicts(path_lock)]
        if any(sum(map(each.conflicts, waiting)) >= MOST_WAITING for each in (path_lock, *ahead)):
            raise UnavailableError("too many requests wait for the same tree")

    def _is_blocked(self, path_lock: _PathLock) -> bool:
        earlier = takewhile(lambda each: each is not path_lock, self._path_locks)
        return any(map(path_lock.conflicts, earlier))


def _is_inside(path: ResourcePath, trees: Iterable[ResourcePath]) -> bool:
    """Whether a path is at the root of one of these trees, or further inside."""
    return any(path[: len(tree)] == tree for tree in trees)


def _overlap(some: Iterable[ResourcePath], others: tuple[ResourcePath, ...]) -> bool:
    """Whether a path is another one, or inside it, or holds it."""
    return any(
        one[: len(other)] == other or other[: len(one)] == one for one in some for other in others
    )
