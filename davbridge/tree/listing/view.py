"""What is at a path, and in a collection: the reading side of the namespace.

Invariants:
- ``find`` of a path and ``pages`` of its parent agree, except for files that are never listed
  because of their names. A marker, or any key inside, makes a
  collection. A collection hides an object of the same name. An object hides an ``x_$folder$`` of
  its name. An empty ``x_$folder$`` itself is never shown.
- A key without a path, or with a reserved one, is never shown.
- A listing costs no request per member, except the directory checks of empty objects. It yields
  each page as soon as it is classified. No member changes its kind later in the same listing.
"""

import logging
import unicodedata
from collections.abc import Container, Iterable, Iterator
from itertools import chain
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import InvalidNameError, NotACollectionError, NotFoundError
from davbridge.paths import DELIMITER, ResourcePath, is_visible, key_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore, Page
from davbridge.tree.listing.classification import NameFilter, classify_pages
from davbridge.tree.listing.markers import FOLDER_SUFFIX, DirectoryChecks, folder_stem
from davbridge.tree.listing.members import Member, MemberPage
from davbridge.tree.listing.tree_walk import TreePage, walk
from davbridge.tree.resource import Resource

_log = logging.getLogger(__name__)


class View:
    """Resources at paths, over the keys below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        prefix: str,
        directory_checks: DirectoryChecks,
        is_unlisted: NameFilter,
    ) -> None:
        """``is_unlisted``: whether files of this name are found, but not listed."""
        self.prefix = prefix
        self._store = store
        self._directory_checks = directory_checks
        self._is_unlisted = is_unlisted
        self._logged: LRUCache[str, None] = LRUCache(1000)
        self._lock = Lock()

    def find(self, path: ResourcePath) -> Resource | None:
        """What is at ``path``, or None. The resource's path is in the bucket's spelling."""
        found = self._find_exactly(path)
        if found is None and (other := self._in_other_form(path)) is not None:
            return self._find_exactly(other)
        return found

    def find_current(self, path: ResourcePath) -> Resource | None:
        """As `find`, but past all caches: one request, and one more for each other way in which the
        resource could be there. The spelling of the folders around it may come from a cache."""
        resolved = self._resolve(path)
        found = self._find_exactly(resolved, bypass_cache=True)
        if found is not None or not path:
            return found
        forms = dict.fromkeys((path[-1], *_other_forms(path[-1])))
        others = [(*resolved[:-1], form) for form in forms if form != resolved[-1]]
        asked = (self._find_exactly(other, bypass_cache=True) for other in others)
        there = [other for other in asked if other is not None]
        return there[0] if len(there) == 1 else None

    def lookup(self, path: ResourcePath) -> Resource:
        """What is at ``path``. Raises NotFoundError."""
        found = self.find(path)
        if found is None:
            raise NotFoundError(f"nothing is at /{'/'.join(path)}")
        return found

    def pages(self, path: ResourcePath) -> tuple[ResourcePath, Iterator[MemberPage]]:
        """The path of the collection at ``path``, as the bucket spells it, and its members.

        The first page is fetched here, so that a missing collection raises before an answer begins:
        NotFoundError, NotACollectionError.
        """
        try:
            prefix = prefix_of(self.prefix, path)
        except InvalidNameError as error:
            raise NotFoundError(str(error)) from error
        if not all(map(is_visible, path)):
            raise NotFoundError(f"nothing is at /{'/'.join(path)}")
        pages = self._store.list_objects(prefix, delimiter=DELIMITER)
        first = next(pages)
        if path and not first.rows and not first.prefixes and first.is_last:
            return self._pages_of_unlisted(path)
        return path, self._member_pages(path, prefix, chain((first,), pages))

    def tree(self, path: ResourcePath) -> tuple[ResourcePath, Iterator[TreePage]]:
        """As `pages`, for everything inside the collection, at any depth: one request for 1,000
        keys, past the cache."""
        try:
            prefix = prefix_of(self.prefix, path)
        except InvalidNameError as error:
            raise NotFoundError(str(error)) from error
        pages = self._store.list_objects(prefix)
        first = next(pages)
        if path and not first.rows:
            actual = self.lookup(path)
            if not actual.is_collection:
                raise NotACollectionError(f"/{'/'.join(path)} is not a collection")
            if actual.path != path:
                return self.tree(actual.path)
        return path, self._with_directories_of(walk(path, prefix, chain((first,), pages)))

    def _with_directories_of(self, pages: Iterable[TreePage]) -> Iterator[TreePage]:
        for page in pages:
            listed = [
                member
                for member in page.members
                if member.row is None or not self._is_unlisted(member.name)
            ]
            empty = [member.row for member in listed if member.row and not member.row.size]
            directories = self._directory_checks.find_directories(empty) if empty else set()
            members = [
                member._replace(row=None)
                if member.row and member.row.key in directories
                else member
                for member in listed
            ]
            yield TreePage(members, page.is_last)

    def folder_marker(self, key: str, *, bypass_cache: bool = False) -> ObjectRow | None:
        """The empty ``key_$folder$``, if there is one."""
        try:
            row = self._store.lookup(key + FOLDER_SUFFIX, bypass_cache=bypass_cache).row
        except InvalidNameError:  # Longer than keys can be.
            return None
        return row if row is not None and not row.size else None

    def hidden_file(self, path: ResourcePath) -> ObjectRow | None:
        """The object that a collection at ``path`` hides, looked up past all caches; None if there
        is none, or if it marks a directory."""
        row = self._store.lookup(key_of(self.prefix, path), bypass_cache=True).row
        return row if row is not None and not self._directory_checks.is_directory(row) else None

    def _resolve(self, path: ResourcePath) -> ResourcePath:
        """The path in the bucket's spelling, as far as it exists."""
        if all(map(str.isascii, path)):
            return path
        found = self.find(path)
        return found.path if found else (*self._resolve(path[:-1]), path[-1])

    def _pages_of_unlisted(self, path: ResourcePath) -> tuple[ResourcePath, Iterator[MemberPage]]:
        """For a prefix without keys: the marker may lie outside it, or the spelling may differ."""
        actual = self.lookup(path)
        if not actual.is_collection:
            raise NotACollectionError(f"/{'/'.join(path)} is not a collection")
        return (path, iter(())) if actual.path == path else self.pages(actual.path)

    def _find_exactly(self, path: ResourcePath, *, bypass_cache: bool = False) -> Resource | None:
        if not path:
            return Resource(path, None)
        if not all(map(is_visible, path)):
            return None
        try:
            key = key_of(self.prefix, path)
        except InvalidNameError:
            return None
        row, is_prefix = self._store.lookup(key, bypass_cache=bypass_cache)
        if is_prefix:
            if row is not None:
                self._log_hidden(row)
            return Resource(path, None)
        if row is None:
            is_marked = self.folder_marker(key, bypass_cache=bypass_cache) is not None
            return Resource(path, None) if is_marked else None
        if not row.size and folder_stem(key) is not None:
            return None
        return Resource(path, None if self._directory_checks.is_directory(row) else row)

    def _in_other_form(self, path: ResourcePath) -> ResourcePath | None:
        """The path in other Unicode forms; None unless exactly one exists.

        Finder sends decomposed names, other clients composed ones. A name that mixes both is not
        found: that would need the parent's listing.
        """
        respelled: ResourcePath = ()
        for segment in path:
            forms = dict.fromkeys((segment, *_other_forms(segment)))
            if len(forms) > 1:
                there = [form for form in forms if self._find_exactly((*respelled, form))]
                segment = there[0] if len(there) == 1 else segment
            respelled = (*respelled, segment)
        return respelled if respelled != path else None

    def _member_pages(
        self, path: ResourcePath, prefix: str, pages: Iterable[Page]
    ) -> Iterator[MemberPage]:
        for page, (members, empty, hidden, _) in classify_pages(prefix, pages, self._is_unlisted):
            for row in hidden:
                self._log_hidden(row)
            if empty and (directories := self._directory_checks.find_directories(empty)):
                members = _with_directories(prefix, members, directories)
            yield MemberPage(path, prefix, members, page.is_last, page.derived)

    def _log_hidden(self, row: ObjectRow) -> None:
        with self._lock:
            is_news = row.key not in self._logged
            self._logged[row.key] = None
        if is_news:
            _log.warning("hidden by a collection of the same name: object %r", row.key)


def _with_directories(
    prefix: str, members: tuple[Member, ...], directories: Container[str]
) -> tuple[Member, ...]:
    """The members, with the objects of these keys as collections."""
    return tuple(
        member.key[len(prefix) :]
        if isinstance(member, ObjectRow) and member.key in directories
        else member
        for member in members
    )


def _other_forms(segment: str) -> tuple[str, ...]:
    if segment.isascii():
        return ()
    return unicodedata.normalize("NFC", segment), unicodedata.normalize("NFD", segment)
