"""Whether the locks allow a write (RFC 4918 §7), and their removal along with their resources.

Invariant: a write is allowed only if the request submits, for every root that locks what it
changes, the token of a lock there that is the user's own.
"""

from collections.abc import Iterable
from typing import Protocol

from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.locks import Lock, LockStore
from davbridge.dav.request import DavRequest
from davbridge.paths import ResourcePath, canonical


class Enforcement(Protocol):
    """The locks as one request has to respect them, whichever lock manager has them. What is not
    allowed raises a DAVError 423."""

    def require_write(self, path: ResourcePath) -> None:
        """Content and properties of ``path`` may be changed."""
        ...

    def require_membership(self, path: ResourcePath) -> None:
        """``path`` may be added to, or removed from, its parent collection (§7.4)."""
        ...

    def require_tree(self, path: ResourcePath) -> None:
        """``path`` and everything inside it may be changed."""
        ...

    def refusals_below(self, path: ResourcePath) -> list[tuple[str, RefusalError]]:
        """The locks strictly inside ``path`` that forbid its removal, by the hrefs of their roots,
        with a refusal 423 for each."""
        ...

    def tokens_at(self, path: ResourcePath) -> set[str]:
        """The tokens of the locks rooted at ``path``."""
        ...

    def tokens_below(self, path: ResourcePath) -> set[str]:
        """The tokens of the locks rooted strictly below ``path``."""
        ...

    def release(self, tokens: Iterable[str]) -> None:
        """Removes the locks with these tokens, whoever they belong to."""
        ...


class LockEnforcement:
    """The locks of a LockStore, as one request to our own request server has to respect them."""

    def __init__(self, locks: LockStore, request: DavRequest) -> None:
        self._locks = locks
        self._request = request

    def tokens_covering(self, path: ResourcePath) -> set[str]:
        """The tokens of the live locks that cover ``path``: those that If may state of it."""
        return {lock.token for lock in self._locks.covering(path)}

    def require_write(self, path: ResourcePath) -> None:
        """Content and properties of ``path`` may be changed. Raises RefusalError 423."""
        self._require(self._locks.covering(path))

    def require_owner(self, path: ResourcePath) -> None:
        """No other user has a lock on ``path``; needs no token. Raises RefusalError 423."""
        locks = self._locks.covering(path)
        self._require(lock for lock in locks if lock.user != self._request.user)

    def require_membership(self, path: ResourcePath) -> None:
        """``path`` may be added to, or removed from, its parent collection (§7.4). Raises
        RefusalError 423."""
        if path:
            self._require(self._locks.covering(path[:-1]))

    def require_tree(self, path: ResourcePath) -> None:
        """``path`` and everything inside it may be changed. Raises RefusalError 423."""
        self._require(self._locks.covering(path) + self._locks.rooted_below(path))

    def refusals_below(self, path: ResourcePath) -> list[tuple[str, RefusalError]]:
        """As in `Enforcement`."""
        site = self._request.site
        return [
            (site.href(lock.root, is_collection=lock.is_collection), locked_refusal([lock], site))
            for lock in self._blocking(self._locks.rooted_below(path))
        ]

    def tokens_at(self, path: ResourcePath) -> set[str]:
        """As in `Enforcement`."""
        root = canonical(path)
        found = self._locks.covering(path)
        return {lock.token for lock in found if canonical(lock.root) == root}

    def tokens_below(self, path: ResourcePath) -> set[str]:
        """As in `Enforcement`."""
        return {lock.token for lock in self._locks.rooted_below(path)}

    def release(self, tokens: Iterable[str]) -> None:
        """As in `Enforcement`."""
        for token in tokens:
            self._locks.release(token)

    def _require(self, locks: Iterable[Lock]) -> None:
        blocking = self._blocking(locks)
        if blocking:
            raise locked_refusal(blocking, self._request.site)

    def _blocking(self, locks: Iterable[Lock]) -> list[Lock]:
        """The locks without a submitted token of the user's own.

        One token is enough for a root with several shared locks (§6.2, §7).
        """
        found = list(locks)
        submitted = {lock.root for lock in found if self._is_submitted(lock)}
        return [lock for lock in found if lock.root not in submitted]

    def _is_submitted(self, lock: Lock) -> bool:
        request = self._request
        return lock.token in request.submitted_tokens and lock.user == request.user


def locked_refusal(locks: Iterable[Lock], site: Site) -> RefusalError:
    """423, naming the roots of the locks whose tokens are missing (§16 lock-token-submitted)."""
    hrefs = dict.fromkeys(site.href(lock.root, is_collection=lock.is_collection) for lock in locks)
    return RefusalError(
        423, "the resource is locked", condition="lock-token-submitted", hrefs=tuple(hrefs)
    )
