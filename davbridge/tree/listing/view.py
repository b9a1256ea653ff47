"""What there is: the reading side of the namespace.

Owns the decision which keys are shown as what; lookups and listings decide alike. Must not write.

Invariants:
- ``find`` of a path and ``members`` of its parent agree, key by key, on the decision table:
  a marker or any key inside makes a collection; a collection hides an object of the same name; an
  object hides an ``x_$folder$`` of its name; an empty ``x_$folder$`` itself is never shown.
- What has no path, or a reserved one, is never shown.
- A listing costs no request per member, except the directory checks of empty objects. It yields each
  page as soon as it is classified. No member changes its kind later in the same listing.
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
from davbridge.tree.listing.classification import classify_pages
from davbridge.tree.listing.markers import FOLDER_SUFFIX, DirectoryChecks, folder_stem
from davbridge.tree.listing.members import Member, MemberPage
from davbridge.tree.resource import Resource

_log = logging.getLogger(__name__)


class View:
    """Resources at paths, over the keys below one prefix of a store."""

    def __init__(self, store: ObjectStore, prefix: str, directory_checks: DirectoryChecks) -> None:
        self.prefix = prefix
        self._store = store
        self._directory_checks = directory_checks
        self._logged: LRUCache[str, None] = LRUCache(1000)
        self._lock = Lock()

    def find(self, path: ResourcePath) -> Resource | None:
        """What is at ``path``; its path is in the spelling that the bucket has."""
        found = self._find_exactly(path)
        if found is None and (spelled := self._respell(path)) is not None:
            return self._find_exactly(spelled)
        return found

    def find_current(self, path: ResourcePath) -> Resource | None:
        """As `find`, asked of the store past all caches: one request, and one more for
        each other way in which it could be there. How the folders around it are spelled may be as
        old as a cache."""
        spelled = self.spelled(path)
        found = self._find_exactly(spelled, bypass_cache=True)
        if found is not None or not path:
            return found
        forms = dict.fromkeys((path[-1], *_other_forms(path[-1])))
        others = [(*spelled[:-1], form) for form in forms if form != spelled[-1]]
        asked = (self._find_exactly(other, bypass_cache=True) for other in others)
        there = [other for other in asked if other is not None]
        return there[0] if len(there) == 1 else None

    def lookup(self, path: ResourcePath) -> Resource:
        """What is at ``path``. Raises NotFoundError."""
        found = self.find(path)
        if found is None:
            raise NotFoundError(f"nothing is at /{'/'.join(path)}")
        return found

    def spelled(self, path: ResourcePath) -> ResourcePath:
        """The path that a write to ``path`` goes to: in existing spelling, as far as it exists."""
        if all(map(str.isascii, path)):
            return path
        found = self.find(path)
        return found.path if found else (*self.spelled(path[:-1]), path[-1])

    def members(self, path: ResourcePath) -> Iterator[Resource]:
        """The members of the collection at ``path``, page by page. Raises as `pages`."""
        pages = self.pages(path)[1]
        return (page.resource(member) for page in pages for member in page.members)

    def pages(self, path: ResourcePath) -> tuple[ResourcePath, Iterator[MemberPage]]:
        """The path of the collection at ``path``, as the bucket spells it, and its members.

        The first page is fetched here, so that a missing collection is told before an answer
        begins: raises NotFoundError and NotACollectionError.
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

    def folder_row(self, key: str, *, bypass_cache: bool = False) -> ObjectRow | None:
        """The empty ``key_$folder$``, where there is one."""
        try:
            row = self._store.lookup(key + FOLDER_SUFFIX, bypass_cache=bypass_cache).row
        except InvalidNameError:  # Longer than keys can be.
            return None
        return row if row is not None and not row.size else None

    def file_beside(self, path: ResourcePath) -> ObjectRow | None:
        """The object that a collection at ``path`` hides, asked of the store past all caches; None
        where there is none, or it marks a directory."""
        row = self._store.lookup(key_of(self.prefix, path), bypass_cache=True).row
        return row if row is not None and not self._directory_checks.is_directory(row) else None

    def _pages_of_unlisted(self, path: ResourcePath) -> tuple[ResourcePath, Iterator[MemberPage]]:
        """For a prefix without keys: marked from outside, or in another spelling."""
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
            is_marked = self.folder_row(key, bypass_cache=bypass_cache) is not None
            return Resource(path, None) if is_marked else None
        if not row.size and folder_stem(key) is not None:
            return None
        return Resource(path, None if self._directory_checks.is_directory(row) else row)

    def _respell(self, path: ResourcePath) -> ResourcePath | None:
        """The path of the same text in other Unicode forms, where exactly one exists.

        Finder sends decomposed names, the others composed ones; mixtures within one name are not
        looked for, since that would take the listing of the parent.
        """
        spelled: ResourcePath = ()
        for segment in path:
            forms = dict.fromkeys((segment, *_other_forms(segment)))
            if len(forms) > 1:
                there = [form for form in forms if self._find_exactly((*spelled, form))]
                segment = there[0] if len(there) == 1 else segment
            spelled = (*spelled, segment)
        return spelled if spelled != path else None

    def _member_pages(
        self, path: ResourcePath, prefix: str, pages: Iterable[Page]
    ) -> Iterator[MemberPage]:
        for page, (members, empty, hidden, _) in classify_pages(prefix, pages):
            for row in hidden:
                self._log_hidden(row)
            if empty and (directories := self._directory_checks.among(empty)):
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
    """The same members, of which some objects, by their keys, are directories."""
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
