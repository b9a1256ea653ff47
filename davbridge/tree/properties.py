"""Dead properties: one sidecar object per collection.

Owns the sidecar's name and format, its cache and its updates. Must not know what a property means:
names are Clark names, values serialised XML elements.

The sidecar of a collection holds the dead properties of each *member* by name, files and
collections alike; the root's own stand in its own sidecar under the empty name. So one GET serves
a whole PROPFIND, what is inside a tree travels with the tree, and the bucket holds the truth.

Invariants:
- Without a sidecar nothing is asked: its presence and ETag are seen in the collection's listing.
- Updates are compare-and-swap, so that bridges don't undo each other's. (Only the removal of an
  emptied sidecar can't be conditional; it follows its GET at once.)
- What isn't understood is read as empty, and set aside under another reserved name before it is
  replaced.
- A sidecar's content is cached by key and ETag, thus never stale; the cache is bounded in bytes.
"""

import json
import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

from cachetools import LRUCache
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from davbridge.errors import (
    InvalidNameError,
    NotFoundError,
    OutOfSpaceError,
    PreconditionFailedError,
    UnavailableError,
)
from davbridge.paths import RESERVED_PREFIX, require_key_length
from davbridge.store.base import (
    IF_ABSENT,
    Attributes,
    Condition,
    ObjectReader,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.facts import FACTS, Properties

SIDECAR_NAME = f"{RESERVED_PREFIX}.properties.json"

MAX_RESOURCE_BYTES = 1024 * 1024
MAX_SIDECAR_BYTES = 8 * 1024 * 1024
MAX_CACHE_BYTES = 32 * 1024 * 1024

_ATTEMPTS = 10
_LOCKS = 64
_BLOCK = 1024 * 1024
_JSON = Attributes(content_type="application/json")
_FORMAT = 1

MemberProperties = Mapping[str, Properties]
"""Name of the member → its properties; members without any are absent."""

NONE: MemberProperties = MappingProxyType({})

_log = logging.getLogger(__name__)


class _Sidecar(NamedTuple):
    """One version of a sidecar; ``row`` is None where there is none."""

    row: ObjectRow | None
    members: MemberProperties
    is_damaged: bool = False


_ABSENT = _Sidecar(None, NONE)


def is_sidecar(key: str) -> bool:
    """Whether a key is a sidecar's, or that of a damaged one that was set aside."""
    return key.rpartition("/")[2].startswith(SIDECAR_NAME)


class Sidecars:
    """The dead properties of the members of collections, each named by its prefix."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._cache: LRUCache[tuple[str, str], _Sidecar] = LRUCache(MAX_CACHE_BYTES, _weight)
        self._cache_lock = Lock()
        # Threads of one bridge take turns; between bridges the conditions decide.
        self._locks = [Lock() for _ in range(_LOCKS)]

    def read(self, prefix: str) -> MemberProperties:
        """The properties of all members of the collection."""
        return self._current(prefix + SIDECAR_NAME).members

    def put(self, prefix: str, name: str, properties: Properties) -> None:
        """Gives one member exactly these properties; none removes its entry."""
        self.update(prefix, name, lambda _: properties)

    def update(self, prefix: str, name: str, change: Callable[[Properties], Properties]) -> None:
        """Replaces one member's properties by what ``change`` makes of them; all or nothing."""
        self.update_members(prefix, lambda members: _changed(members, name, change))

    def update_members(
        self, prefix: str, change: Callable[[MemberProperties], MemberProperties]
    ) -> None:
        """The same for all members of a collection, in one write."""
        key = prefix + SIDECAR_NAME
        with self._locks[hash(key) % _LOCKS]:
            sidecar, is_fresh = self._current(key), False
            for _ in range(_ATTEMPTS):
                members = change(sidecar.members)
                if members == sidecar.members:
                    return
                if not members and not is_fresh:
                    # A deletion has no condition that would tell of another bridge's update.
                    sidecar, is_fresh = self._fetch(key), True
                    continue
                try:
                    self._replace(key, sidecar, members)
                    return
                except PreconditionFailedError:
                    sidecar, is_fresh = self._fetch(key), True
        raise UnavailableError("the properties are being changed by too many others; try again")

    def _replace(self, key: str, old: _Sidecar, members: MemberProperties) -> None:
        body = _encoded(members)
        if old.is_damaged and old.row is not None:
            self._set_aside(old.row)
        if not members:
            self._store.delete_object(key)
            return
        require_key_length(key)
        condition = Condition(if_match=old.row.etag) if old.row else IF_ABSENT
        row = self._store.put_object(key, body, _JSON, condition)
        self._remember(_Sidecar(row, members))

    def _set_aside(self, row: ObjectRow) -> None:
        """Keeps a damaged sidecar, under a name that the same damage gives again."""
        aside = f"{row.key}.damaged-{sha256(row.etag.encode()).hexdigest()[:16]}"
        self._store.copy_object(row, aside)
        _log.warning("kept the damaged properties %r as %r", row.key, aside)

    def _current(self, key: str) -> _Sidecar:
        """As the listing shows it, from the cache where that holds this version."""
        try:
            require_key_length(key)
        except InvalidNameError:
            return _ABSENT
        row = self._store.lookup(key).row
        if row is None:
            return _ABSENT
        with self._cache_lock:
            cached = self._cache.get((key, row.etag))
        return cached or self._fetch(key)

    def _fetch(self, key: str) -> _Sidecar:
        """As the store has it now, whatever listings say."""
        try:
            with self._store.get_object(key) as reader:
                sidecar = _decoded(reader.info.row, _read_all(reader))
        except NotFoundError:
            return _ABSENT
        self._remember(sidecar)
        return sidecar

    def _remember(self, sidecar: _Sidecar) -> None:
        if sidecar.row is not None and _weight(sidecar) <= MAX_CACHE_BYTES:
            with self._cache_lock:
                self._cache[sidecar.row.key, sidecar.row.etag] = sidecar


def _weight(sidecar: _Sidecar) -> int:
    """Bytes in memory, roughly: an ASCII string has as many as characters, and 50 more."""
    return 1000 + sum(
        200 + sum(200 + len(key) + len(value) for key, value in properties.items())
        for properties in sidecar.members.values()
    )


def _changed(
    members: MemberProperties, name: str, change: Callable[[Properties], Properties]
) -> MemberProperties:
    properties = change(members.get(name, {}))
    if sum(len(key.encode()) + len(value.encode()) for key, value in properties.items()) > (
        MAX_RESOURCE_BYTES
    ):
        raise OutOfSpaceError(f"over {MAX_RESOURCE_BYTES} bytes of properties on one resource")
    others = {key: value for key, value in members.items() if key != name}
    return {**others, name: dict(properties)} if properties else others


def _encoded(members: MemberProperties) -> bytes:
    content = {"format": _FORMAT, "members": members}
    body = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    if len(body) > MAX_SIDECAR_BYTES:
        raise OutOfSpaceError(f"over {MAX_SIDECAR_BYTES} bytes of properties in one collection")
    return body


def _decoded(row: ObjectRow, body: bytes) -> _Sidecar:
    try:
        return _Sidecar(row, _members_in(json.loads(body)))
    except (ValueError, RecursionError):
        _log.warning("the properties in %r are damaged, and read as none", row.key)
        return _Sidecar(row, NONE, is_damaged=True)


def _members_in(content: object) -> MemberProperties:
    """Raises ValueError for anything but what ``_encoded`` writes."""
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError("of another format")
    members = content.get("members")
    if not isinstance(members, dict) or not all(map(_is_properties, members.values())):
        raise ValueError("not names and properties")
    return members


def _is_properties(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_property, value.items()))


def _is_property(item: tuple[str, object]) -> bool:
    """Whether a value is what its name says: it goes into answers as it stands."""
    name, text = item
    if name == FACTS:
        return isinstance(text, str)
    try:
        return isinstance(text, str) and fromstring(text).tag == name
    except (ParseError, DefusedXmlException):
        return False


def _read_all(reader: ObjectReader) -> bytes:
    """The body, unless it is longer than any sidecar: then its beginning, which doesn't parse."""
    body = bytearray()
    while len(body) <= MAX_SIDECAR_BYTES and (block := reader.read(_BLOCK)):
        body += block
    return bytes(body)
