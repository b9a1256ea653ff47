"""Write locks (RFC 4918 §6, §7): what a lock is, its scope, and the interface of a lock store.

`LockStore` is the interface through which another store can share locks between bridges; `memory`
has this process's own.

A lock holds for every Unicode spelling of its root: the namespace takes one for the other where
only one exists, so that a write under the other spelling reaches the locked resource.

Invariant: an expired lock is no lock, whether or not it has been removed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from davbridge.paths import ResourcePath, canonical


@dataclass(frozen=True, slots=True)
class Lock:
    """A granted write lock."""

    token: str
    """A urn:uuid URI."""
    root: ResourcePath
    is_collection: bool
    """Whether the root was a collection when it was locked: its href ends in a slash."""
    is_exclusive: bool
    is_deep: bool
    """Depth infinity: it covers everything inside, too."""
    owner: str
    """The client's DAV:owner element, serialised; empty where it sent none."""
    user: str
    """Who created it."""
    expires: float
    """On the store's clock."""
    address: str = ""
    """The network of whoever created it."""

    @property
    def holder(self) -> tuple[str, str]:
        """Whose limit it counts against: the user's, or the network's where nobody is logged in."""
        return (self.user, "") if self.user else ("", self.address)

    def covers(self, path: ResourcePath) -> bool:
        """Whether the resource at ``path`` is in the lock's scope (§6.1)."""
        inside, root = canonical(path), canonical(self.root)
        if inside == root:
            return True
        return self.is_deep and inside[: len(root)] == root


class LockConflictError(Exception):
    """The lock conflicts with ``locks`` (§6.2)."""

    def __init__(self, locks: Iterable[Lock]) -> None:
        super().__init__("a conflicting lock is there")
        self.locks = tuple(locks)


class LockLimitError(Exception):
    """The store, the holder or the resource has as many live locks as it may have. The message can
    be sent to the client."""


class LockStore(Protocol):
    """Stores locks. Every lock that a method returns is alive."""

    def now(self) -> float:
        """The clock that `Lock.expires` is on, in seconds."""
        ...

    def acquire(self, lock: Lock) -> None:
        """Checks for conflicts and stores ``lock``, atomically. Raises LockConflictError and
        LockLimitError."""
        ...

    def refresh(self, token: str, timeout: int) -> Lock | None:
        """Extends the lock to ``timeout`` seconds from now; None if it is gone."""
        ...

    def release(self, token: str) -> None:
        """Removes the lock, if it is there."""
        ...

    def release_tree(self, path: ResourcePath) -> None:
        """Removes every lock rooted at or below ``path``: its resources are gone (§7.6, §9.6)."""
        ...

    def covering(self, path: ResourcePath) -> list[Lock]:
        """The locks in whose scope ``path`` is, outermost first."""
        ...

    def rooted_below(self, path: ResourcePath) -> list[Lock]:
        """The locks rooted strictly below ``path``."""
        ...
