"""The locks of WsgiDAV's lock manager, as a request to its own request server has to respect them.

Our own request server has LockEnforcement instead.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wsgidav import util
from wsgidav.lock_man.lock_manager import normalize_lock_root

from davbridge.dav.errors import RefusalError
from davbridge.dav.resources.wsgidav_environment import Environ
from davbridge.paths import ResourcePath

if TYPE_CHECKING:
    from davbridge.dav.provider import BucketProvider


class WsgidavLocks:
    """An Enforcement. Without a lock manager it allows everything."""

    def __init__(self, provider: "BucketProvider", environ: Environ) -> None:
        self._manager = provider.lock_manager
        self._provider = provider
        self._environ = environ

    def require_write(self, path: ResourcePath) -> None:
        if self._manager is not None:
            tokens, principal = self._submitted()
            self._manager.check_write_permission(
                url=self._provider.ref_url(path),
                depth="0",
                token_list=tokens,
                principal=principal,
            )

    def require_membership(self, path: ResourcePath) -> None:
        if path:
            self.require_write(path[:-1])

    def require_tree(self, path: ResourcePath) -> None:
        self.require_write(path)
        if self.refusals_below(path):
            raise _locked_refusal()

    def refusals_below(self, path: ResourcePath) -> list[tuple[str, RefusalError]]:
        """WsgiDAV's own check would also count locks whose tokens were submitted."""
        tokens, principal = self._submitted()
        locks = self._below(path)
        submitted = {
            lock["root"]
            for lock in locks
            if lock["principal"] == principal and lock["token"] in tokens
        }
        roots = dict.fromkeys(lock["root"] for lock in locks if lock["root"] not in submitted)
        return [(self._provider.href_of_ref_url(root), _locked_refusal()) for root in roots]

    def tokens_at(self, path: ResourcePath) -> set[str]:
        if self._manager is None:
            return set()
        url = self._provider.ref_url(path)
        return {lock["token"] for lock in self._manager.get_url_lock_list(url)}

    def tokens_below(self, path: ResourcePath) -> set[str]:
        return {lock["token"] for lock in self._below(path)}

    def release(self, tokens: Iterable[str]) -> None:
        if self._manager is not None:
            for token in tokens:
                self._manager.release(token)

    def _below(self, path: ResourcePath) -> list[dict[str, Any]]:
        if self._manager is None:
            return []
        url = self._provider.ref_url(path)
        while True:
            try:
                locks = self._manager.get_url_lock_list(url, recursive=True)
            except RuntimeError:
                # It has removed an expired lock from the dict that it iterates over (WsgiDAV
                # 4.4.0). There is one less now.
                continue
            root = normalize_lock_root(url)
            return [lock for lock in locks if lock["root"] != root]

    def _submitted(self) -> tuple[list[str], str]:
        """The tokens that the request submits, and who sent it."""
        if "wsgidav.conditions.if" not in self._environ:
            util.parse_if_header_dict(self._environ)
        principal = self._environ.get("wsgidav.user_name", "anonymous")
        return self._environ["wsgidav.ifLockTokenList"], principal


def _locked_refusal() -> RefusalError:
    return RefusalError(423, "the resource is locked")
