"""Which keys a journal may name: those of its operation's trees, and nothing else.

Pure functions. Journals are objects in a bucket: other programs can write them, damage them, and
copy them from mount to mount. A bridge that resumes one copies and deletes the keys that it names.

Invariants: no key is copied, written or deleted that is outside of the journal's source and target,
which both lie below the mount's prefix. An entry in which anything has another type than it should
is damaged.
"""

from collections.abc import Iterable
from typing import get_args
from unicodedata import normalize

from davbridge.paths import DELIMITER, ResourcePath, is_visible, key_of, prefix_of
from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import JournalEntry, Verb
from davbridge.tree.listing.markers import FOLDER_SUFFIX
from davbridge.tree.plan import Plan


def require_within(mount: str, entry: JournalEntry) -> None:
    """Raises ValueError, StoreError, TypeError or AttributeError where the entry is not a valid
    journal of this mount."""
    request, plan = entry.request, entry.plan
    is_removal = request.verb == "DELETE"
    if request.verb not in get_args(Verb) or not isinstance(request.user, str):
        raise ValueError("no operation")
    _require_path(entry.source, request.source)
    if entry.target or request.target or not is_removal:
        _require_path(entry.target, request.target)
    _require_rows((*_rows_of(plan), *(entry.undo or ())))
    sources = (*(copy.source for copy in plan.copies), *plan.deletions)
    _require_keys((row.key for row in sources), mount, entry.source)
    targets = [*plan.wanted, *([] if plan.marker is None else [plan.marker])]
    created = entry.undo or ()
    targets += [row.key for row in (*plan.clashes, *plan.extras, *plan.replaced, *created)]
    if is_removal:
        if targets or plan.copies or entry.target or entry.undo is not None:
            raise ValueError("a DELETE that has a target")
        return
    _require_keys(targets, mount, entry.target)
    if plan.target_prefix != prefix_of(mount, entry.target):
        raise ValueError("of another target")


def _rows_of(plan: Plan) -> Iterable[ObjectRow]:
    sources = (copy.source for copy in plan.copies)
    return (*sources, *plan.clashes, *plan.extras, *plan.deletions, *plan.replaced)


def _require_path(path: ResourcePath, asked: ResourcePath) -> None:
    """``asked``: the same path as the client spelled it."""
    if not path or not all(isinstance(each, str) and DELIMITER not in each for each in path):
        raise ValueError(f"not a path: {path!r}")
    if not all(map(is_visible, path)):
        raise ValueError(f"not a usable path: {path!r}")
    if [normalize("NFC", each) for each in path] != [normalize("NFC", each) for each in asked]:
        raise ValueError(f"{path!r} is not {asked!r}")


def _require_rows(rows: Iterable[ObjectRow]) -> None:
    for row in rows:
        if not (isinstance(row.size, int) and isinstance(row.etag, str)):
            raise ValueError(f"not an object: {row!r}")


def _require_keys(keys: Iterable[str], mount: str, path: ResourcePath) -> None:
    """Raises ValueError unless each key belongs to the resource at the path."""
    own, inside = key_of(mount, path), prefix_of(mount, path)
    for key in keys:
        if not key.startswith(inside) and key not in (own, own + FOLDER_SUFFIX):
            raise ValueError(f"{key!r} is not of {own!r}")
