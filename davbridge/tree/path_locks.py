"""Which operations and writes exclude one another, in this process.

A client that waits too long for a MOVE sends it again while the first one still runs. If both ran
at the same time, the second one would find members at the target that the first has moved there,
and that the source no longer has, and delete them.

Invariants:
- If one of two operations changes what the other one reads or changes, at whatever depth, the later
  one begins after the earlier one has ended. Operations that only read the same run at the same
  time. Locks are granted in the order in which they are asked for, so that everyone gets one.
- While a tree excludes writes, no file in it is written. This lock overtakes those that still wait.
- A resource is written by one at a time.
- Dead properties are stored among the members of a collection, and are moved with them. So they are
  written before an operation begins that changes a tree around them, or after it has ended.
- While a WebDAV lock is granted, nothing in its scope is written.
- All Unicode spellings of a path are the same here, as for WebDAV locks: an operation that runs may
  decide which one the bucket has.
- No more than MOST_WAITING operations wait for the same one.
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
"""How many operations may wait for one that runs, or would keep a new one waiting. Each may occupy
a thread of the server."""


class LockScope(NamedTuple):
    """The scope of a WebDAV write lock: the resource at a path, its list of members (RFC 4918 §7.4)
    and, if it is deep, everything inside."""

    path: ResourcePath
    is_deep: bool

    def holds(self, path: ResourcePath) -> bool:
        """Whether a write at ``path`` needs the lock's token."""
        is_inside = path[: len(self.path)] == self.path
        return is_inside and (self.is_deep or len(path) <= len(self.path) + 1)

    def overlaps(self, tree: ResourcePath) -> bool:
        """Whether an operation that changes the tree at ``tree`` needs the lock's token."""
        return self.holds(tree) or self.path[: len(tree)] == tree


class _PathLock:
    """The paths that one operation or write locks, whether it has the lock or waits for it."""

    def __init__(
        self,
        *,
        changed: Iterable[ResourcePath] = (),
        read: Iterable[ResourcePath] = (),
        written: Iterable[ResourcePath] = (),
        properties_of: Iterable[ResourcePath] = (),
        exclude_writes: Iterable[ResourcePath] = (),
        locked: Iterable[LockScope] = (),
        awaited: Iterable[LockScope] = (),
    ) -> None:
        """``awaited``: the scope of a WebDAV lock that waits. Other operations wait behind it."""
        self.is_held = False
        self._changed = tuple(map(canonical, changed))
        self._concerned = (*self._changed, *map(canonical, read))
        self._files = tuple(map(canonical, written))
        self._properties_of = tuple(map(canonical, properties_of))
        self._written = (*self._files, *self._properties_of)
        self._write_excluded = tuple(map(canonical, exclude_writes))
        self._locked = tuple(LockScope(canonical(path), is_deep) for path, is_deep in locked)
        self._awaited = tuple(LockScope(canonical(path), is_deep) for path, is_deep in awaited)

    def conflicts(self, other: "_PathLock") -> bool:
        return (
            _overlap(self._changed, other._concerned)
            or _overlap(other._changed, self._concerned)
            or self._excludes(other)
            or other._excludes(self)
        )

    def _excludes(self, other: "_PathLock") -> bool:
        return (
            any(
                path in self._changed or _is_inside(path, self._write_excluded)
                for path in other._files
            )
            or any(path in self._written for path in other._files)
            or any(_is_inside(path, self._changed) for path in other._properties_of)
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
    """Of one namespace."""

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
        properties_of: Iterable[ResourcePath] = (),
        locked: Iterable[LockScope] = (),
    ) -> Iterator[None]:
        """Locks these paths while an operation runs. Waits for those that conflict. Raises
        UnavailableError if MOST_WAITING others wait for the same.

        ``changed``, ``read``: the roots of trees. ``written``: single files and markers. They wait
        for operations on the same resource. For operations on a tree around it, which may take
        minutes, they wait only while these `exclude_writes`. ``properties_of``: resources whose
        dead properties are written. They wait for operations that change a tree around them,
        because a MOVE takes the properties along, and deletes its source. ``locked``: the scope of
        a WebDAV lock that is granted along with a write.
        """
        path_lock = _PathLock(
            changed=changed, read=read, written=written, properties_of=properties_of, locked=locked
        )
        with self._condition:
            self._path_locks.append(path_lock)
        try:
            with self._condition:
                self._require_room_for(path_lock)
                self._wait_while(lambda: self._is_blocked(path_lock))
                path_lock.is_held = True
            yield
        finally:
            self._end(path_lock)

    @contextmanager
    def exclude_writes(self, tree: ResourcePath) -> Iterator[None]:
        """While the caller holds the lock to change ``tree``: excludes writes of files in it. Waits
        for writes that run, but not for those that wait: these may wait for the caller."""
        path_lock = _PathLock(exclude_writes=[tree])
        with self._condition:
            self._path_locks.insert(0, path_lock)
        try:
            with self._condition:
                self._wait_while(lambda: self._conflicts_with_held(path_lock))
            yield
        finally:
            self._end(path_lock)

    @contextmanager
    def without_writes(self, scope: LockScope) -> Iterator[None]:
        """Excludes all writes in ``scope``, while a WebDAV lock is granted. Waits for those that
        run, but overtakes those that wait. Raises UnavailableError if MOST_WAITING locks wait.

        While it waits for an operation on a tree, which may take minutes, single writes continue,
        and other operations queue up behind it. While it waits for a single write, which ends soon,
        single writes queue up as well. So neither side waits for ever.
        """
        awaited, path_lock = _PathLock(awaited=[scope]), _PathLock(locked=[scope])
        with self._condition:
            if self._locks_waiting >= MOST_WAITING:
                raise UnavailableError("too many locks wait for what is at work")
            self._locks_waiting += 1
            self._path_locks.insert(0, awaited)
            try:
                self._wait_while(lambda: self._conflicts_with_held(awaited))
                self._path_locks.insert(0, path_lock)
            finally:
                self._locks_waiting -= 1
                self._end(awaited)
        try:
            with self._condition:
                self._wait_while(lambda: self._conflicts_with_held(path_lock))
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

    def _conflicts_with_held(self, path_lock: _PathLock) -> bool:
        return any(each.is_held and path_lock.conflicts(each) for each in self._path_locks)

    def _require_room_for(self, path_lock: _PathLock) -> None:
        others = [each for each in self._path_locks if each is not path_lock]
        waiting = [each for each in others if not each.is_held]
        ahead = [each for each in others if each.is_held and each.conflicts(path_lock)]
        if any(sum(map(each.conflicts, waiting)) >= MOST_WAITING for each in (path_lock, *ahead)):
            raise UnavailableError("too many requests wait for the same tree")

    def _is_blocked(self, path_lock: _PathLock) -> bool:
        earlier = takewhile(lambda each: each is not path_lock, self._path_locks)
        return any(map(path_lock.conflicts, earlier))


def _is_inside(path: ResourcePath, trees: Iterable[ResourcePath]) -> bool:
    """Whether a path is one of these trees, or lies inside one."""
    return any(path[: len(tree)] == tree for tree in trees)


def _overlap(some: Iterable[ResourcePath], others: tuple[ResourcePath, ...]) -> bool:
    """Whether a path is equal to another one, lies inside it, or contains it."""
    return any(
        one[: len(other)] == other or other[: len(one)] == one for one in some for other in others
    )
