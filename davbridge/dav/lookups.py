"""What is at the paths that a request's conditions name, for one check of them.

Owns what was looked up where. Must not know the conditions. Invariant: nothing is looked up twice
in the same place, however many conditions name it.
"""

from collections.abc import Callable, Mapping

from davbridge.paths import ResourcePath
from davbridge.tree.resource import Resource

Find = Callable[[ResourcePath], Resource | None]


class Lookups:
    """Of one check, whose thread alone has them."""

    def __init__(
        self,
        cached: Find,
        current: Find,
        may_be_cached: Callable[[ResourcePath], bool],
        found: Mapping[ResourcePath, Resource | None],
    ) -> None:
        """``cached`` may tell what was so a while ago, ``current`` asks the store; ``found``: what
        is taken for granted."""
        self._cached = cached
        self._current = current
        self._may_be_cached = may_be_cached
        self._found = dict(found)
        self._from_cache: set[ResourcePath] = set()

    def find(self, path: ResourcePath) -> Resource | None:
        """What is at ``path``."""
        if path not in self._found:
            is_cached = self._may_be_cached(path)
            self._found[path] = (self._cached if is_cached else self._current)(path)
            if is_cached:
                self._from_cache.add(path)
        return self._found[path]

    def ask_store(self) -> bool:
        """Forgets what a cache told, and believes none from now on. Whether there was any."""
        was_cached = bool(self._from_cache)
        for path in self._from_cache:
            del self._found[path]
        self._from_cache.clear()
        self._may_be_cached = lambda _: False
        return was_cached
