"""How a change in the store changes the cached entries.

Every function here needs the lock of the CacheState. A key is a row in the listing of the prefix
that it lies in (for the marker ``a/`` that is ``a/`` itself), and every prefix is a common prefix
in the listing of the one above it.

Invariants: after `record_present` and `record_absent`, no cached entry contradicts the fact.
`invalidate` adds nothing, and drops everything that an unknown change of the key could have made
wrong. The answers to requests in progress about the key, or about a prefix whose listing it may
change, are not cached.
"""

from collections.abc import Iterator

from davbridge.cache.listing import same_version
from davbridge.cache.state import CacheState, EntryKey
from davbridge.paths import DELIMITER
from davbridge.store.base import Lookup, ObjectRow


def home_of(key: str) -> str:
    """The prefix in whose listing a key is a row."""
    return key[: key.rfind(DELIMITER) + 1]


def record_present(state: CacheState, row: ObjectRow) -> None:
    """An object is at the key now, and this is its row."""
    _forget_answers(state, row.key)
    _add(state, row.key, home_of(row.key), row)


def record_absent(state: CacheState, key: str) -> None:
    """No object is at the key now."""
    _forget_answers(state, key)
    for name, prefix in _places(key, home_of(key)):
        listing = state.listing(prefix)
        if listing is None:
            _invalidate_above(state, name, prefix)
            return
        state.detach_fetch(prefix)
        listing.discard(name)
        state.put_collection(prefix, listing)
        if listing.has_other_than(name):
            return


def invalidate(state: CacheState, key: str) -> None:
    """It isn't known whether an object is at the key now, and which one."""
    _forget_answers(state, key)
    is_inhabited = False
    for name, prefix in _places(key, home_of(key)):
        listing = state.listing(prefix)
        # Up to the root, even if something else is inside. Another program may have deleted that;
        # a newer listing above, cached or in progress, may then lack the key's prefix.
        if is_inhabited and listing and listing.lookup(name.removesuffix(DELIMITER)).is_prefix:
            state.detach_fetch(prefix)
        else:
            state.drop_collection(prefix)
        is_inhabited = is_inhabited or bool(listing and listing.has_other_than(name))


def record_lookup(state: CacheState, key: str, answer: Lookup, started: float) -> None:
    """A look-up of a slashless key was sent to the store at ``started``."""
    prefix = home_of(key)
    listing = state.listing(prefix)
    if listing is None or started < listing.started:
        return
    if answer.row:
        listing.set(key, answer.row)
    if answer.is_prefix:
        listing.set(key + DELIMITER, None)
    state.put_collection(prefix, listing)


def replace_lookup(state: CacheState, key: str, answer: Lookup, started: float) -> None:
    """A look-up of a slashless key was sent to the store at ``started``, whatever was cached. Older
    entries that differ are corrected or dropped."""
    home, inside = home_of(key), key + DELIMITER
    listing = state.listing(home)
    if listing is None:
        state.drop_collection(home)
    elif started < listing.started:
        return
    else:
        state.detach_fetch(home)
        if listing.lookup(key) == answer:
            return
    _forget_answers(state, key)
    if answer.row:
        _add(state, key, home, answer.row)
    else:
        _remove(state, key, key)
    if answer.is_prefix:
        _add(state, inside, home, None)
        if (members := state.listing(inside)) and not members.has_other_than(""):
            state.drop_collection(inside)
    else:
        state.drop_collection(inside)
        _remove(state, key, inside)


def compare_head(state: CacheState, key: str, row: ObjectRow | None, started: float) -> None:
    """A HEAD of a key was sent to the store at ``started``. A listing that differs is dropped.

    A marker that no listing shows proves nothing: SeaweedFS answers for any collection.
    """
    prefix = home_of(key)
    listing = state.listing(prefix)
    if listing is None or started < listing.started or same_version(row, listing.row(key)):
        return
    if listing.row(key) or not key.endswith(DELIMITER):
        state.drop_collection(prefix)


def _add(state: CacheState, name: str, prefix: str, row: ObjectRow | None) -> None:
    """Adds a name, with its row if it is an object's, to the listing of ``prefix``, and that prefix
    to the listings above. Continues up to the root, even if one of them has it already: one above
    may be older."""
    fact = row
    for each, place in _places(name, prefix):
        if listing := state.listing(place):
            state.detach_fetch(place)
            listing.set(each, fact)
            state.put_collection(place, listing)
        else:
            state.drop_collection(place)
        fact = None


def _remove(state: CacheState, key: str, name: str) -> None:
    """The name, which is ``key`` or ``key`` with a delimiter, is no longer in the listing around
    it. If it was the last one there, others may have been added since that listing was
    requested."""
    home = home_of(key)
    listing = state.listing(home)
    if listing is None:
        return
    if listing.has_other_than(name):
        listing.discard(name)
        state.put_collection(home, listing)
    else:
        invalidate(state, key)


def _invalidate_above(state: CacheState, name: str, prefix: str) -> None:
    """A name was removed from a prefix whose listing isn't cached."""
    for child, above in _places(name, prefix):
        listing = state.listing(above)
        state.drop_collection(above)
        if listing and listing.has_other_than(child):
            return


def _places(name: str, prefix: str) -> Iterator[tuple[str, str]]:
    """A name and the prefix whose listing it is in; then the same for that prefix, up to the
    root."""
    yield name, prefix
    while prefix:
        name, prefix = prefix, home_of(prefix.removesuffix(DELIMITER))
        yield name, prefix


def _forget_answers(state: CacheState, key: str) -> None:
    state.drop(EntryKey("info", key))
    for name, _ in _places(key, home_of(key)):
        # A prefix is part of the answer about the slashless key.
        state.drop(EntryKey("lookup", name.removesuffix(DELIMITER)))
