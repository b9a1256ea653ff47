"""A LockStore in this process's memory.

Each holder may have only a part of the locks (`limits`). A holder is a user, wherever the requests
come from, or one address where nobody is logged in. Users who share an address, as behind one
proxy, count each on their own.

Invariants: a check, and a refusal, cost time in the depth of the path and the locks found, not in
the number of locks. There are no more live locks than the limit. Safe under threads.
"""

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from davbridge.dav.locking.limits import HolderLimits
from davbridge.dav.locking.locks import Lock, LockConflictError, LockLimitError
from davbridge.paths import ResourcePath, canonical

_Item = TypeVar("_Item", ResourcePath, tuple[float, str])

MAX_LOCKS = 20_000
"""Live ones, so that the memory is bounded: about 1 KiB each, and the texts of owner and path."""

MAX_SHARED_LOCKS = 10
"""A further shared lock is granted in addition to so many: each is shown in the listing of every
member that it covers."""

MAX_OWNERS_LENGTH = 4 * 1024
"""Characters in the owners of these locks together: with a thousand members, 10 MB of listing."""


class MemoryLockStore:
    """A LockStore for one process. Locks are indexed by their roots, which are sorted: those below
    a path are neighbours."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, limit: int = MAX_LOCKS
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._mutex = threading.Lock()
        self._by_token: dict[str, Lock] = {}
        self._at: dict[ResourcePath, dict[str, None]] = {}
        self._roots: list[ResourcePath] = []
        """The keys of ``_at``, sorted."""
        self._expiring: list[tuple[float, str]] = []
        """When each lock expires, and its token; sorted."""
        self._limits = HolderLimits(limit)

    def now(self) -> float:
        return self._clock()

    def acquire(self, lock: Lock) -> None:
        with self._mutex:
            others = self._covering(lock.root)
            if lock.is_deep:
                others += self._live(self._below(canonical(lock.root)))
            conflicts = [each for each in others if lock.is_exclusive or each.is_exclusive]
            if conflicts:
                raise LockConflictError(conflicts)
            _require_displayable(lock, others)
            self._remove_expired()
            self._require_below_limit(lock)
            self._add(lock)

    def refresh(self, token: str, timeout: int) -> Lock | None:
        with self._mutex:
            if not self._live([token]):
                return None
            old = self._by_token[token]
            lock = self._by_token[token] = replace(old, expires=self._clock() + timeout)
            _discard(self._expiring, (old.expires, token))
            insort(self._expiring, (lock.expires, token))
            return lock

    def release(self, token: str) -> None:
        with self._mutex:
            self._remove(token)

    def release_tree(self, path: ResourcePath) -> None:
        root = canonical(path)
        with self._mutex:
            for token in [*self._at.get(root, ()), *self._below(root)]:
                self._remove(token)

    def covering(self, path: ResourcePath) -> list[Lock]:
        if not self._by_token:
            return []
        with self._mutex:
            return self._covering(path)

    def rooted_below(self, path: ResourcePath) -> list[Lock]:
        with self._mutex:
            return self._live(self._below(canonical(path)))

    def _covering(self, path: ResourcePath) -> list[Lock]:
        inside = canonical(path)
        ends = range(len(inside) + 1)
        found = [token for end in ends for token in self._at.get(inside[:end], ())]
        return [lock for lock in self._live(found) if lock.covers(path)]

    def _live(self, tokens: Iterable[str]) -> list[Lock]:
        """The locks of ``tokens`` that haven't expired; those that have are dropped."""
        now, live = self._clock(), []
        for token in list(tokens):
            lock = self._by_token.get(token)
            if lock is not None and lock.expires > now:
                live.append(lock)
            else:
                self._remove(token)
        return live

    def _remove_expired(self) -> None:
        """Costs time in the number of expired locks alone."""
        now = self._clock()
        while self._expiring and self._expiring[0][0] <= now:
            self._remove(self._expiring[0][1])

    def _require_below_limit(self, lock: Lock) -> None:
        """That the holder may have one more. Raises LockLimitError."""
        if not self._limits.free:
            raise LockLimitError(f"there are {self._limit} locks")
        if not self._limits.may_add(lock.holder):
            held = self._limits.held[lock.holder]
            raise LockLimitError(f"you have {held} locks: there is no room for more of yours")

    def _add(self, lock: Lock) -> None:
        self._by_token[lock.token] = lock
        self._limits.add(lock.holder)
        insort(self._expiring, (lock.expires, lock.token))
        root = canonical(lock.root)
        if root not in self._at:
            self._at[root] = {}
            insort(self._roots, root)
        self._at[root][lock.token] = None

    def _remove(self, token: str) -> None:
        lock = self._by_token.pop(token, None)
        if lock is None:
            return
        self._limits.remove(lock.holder)
        _discard(self._expiring, (lock.expires, token))
        root = canonical(lock.root)
        del self._at[root][token]
        if not self._at[root]:
            del self._at[root]
            _discard(self._roots, root)

    def _below(self, root: ResourcePath) -> list[str]:
        """The tokens of the locks rooted strictly below ``root``."""
        start, end = bisect_right(self._roots, root), len(self._roots)
        if root:
            # No name comes between this one and the same with a NUL, which no name can hold.
            end = bisect_left(self._roots, (*root[:-1], root[-1] + "\0"), start)
        return [token for each in self._roots[start:end] for token in self._at[each]]


def _require_displayable(lock: Lock, others: list[Lock]) -> None:
    """That ``others`` and this lock can be shown with each member. Raises LockLimitError."""
    owners = sum(len(each.owner) for each in others)
    if len(others) > MAX_SHARED_LOCKS or (others and owners + len(lock.owner) > MAX_OWNERS_LENGTH):
        raise LockLimitError("more locks can't be shared here")


def _discard(items: list[_Item], item: _Item) -> None:
    """Removes ``item`` from a sorted list that contains it."""
    del items[bisect_left(items, item)]
