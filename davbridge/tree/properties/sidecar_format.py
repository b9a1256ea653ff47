"""The sidecar's name, format and limits. Pure.

A collection's sidecar holds the properties of each *member* by name, of files and collections
alike; the root's own are in its own sidecar, under the empty name. So one GET serves a whole
PROPFIND, and a tree's properties are inside the tree. Properties have Clark names; their values are
serialised XML elements.

Invariants: a sidecar that can't be read counts as empty and damaged. A member is encoded once, and
not again when the sidecar is written because of other members.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from davbridge.errors import OutOfSpaceError
from davbridge.paths import RESERVED_PREFIX
from davbridge.store.base import ObjectRow
from davbridge.tree.properties.client_metadata import CLIENT_METADATA, Properties

SIDECAR_NAME = f"{RESERVED_PREFIX}.properties.json"

MAX_RESOURCE_BYTES = 1024 * 1024
MAX_SIDECAR_BYTES = 8 * 1024 * 1024

_FORMAT = 1

MemberProperties = Mapping[str, Properties]
"""Name of the member → its properties. Members without any are absent."""

NO_PROPERTIES: MemberProperties = MappingProxyType({})

_BEGINS_ELEMENT = re.compile(r"<[^?!]").match
"""A declaration may stand before a document's element, but not inside another element."""

_log = logging.getLogger(__name__)


class Sidecar(NamedTuple):
    """One version of a sidecar; ``row`` is None where there is none."""

    row: ObjectRow | None
    members: MemberProperties
    is_damaged: bool = False


NO_SIDECAR = Sidecar(None, NO_PROPERTIES)


class _Entry(dict[str, str]):
    """A member's properties, and their encoded form."""

    __slots__ = ("encoded", "name")

    def __init__(self, name: str, properties: Properties) -> None:
        super().__init__(properties)
        self.name = name
        self.encoded = f"{_json(name)}: {_json(self)}".encode()


def is_sidecar(key: str) -> bool:
    """Whether a key is a sidecar's, or that of the copy of a damaged one."""
    return key.rpartition("/")[2].startswith(SIDECAR_NAME)


def weight(sidecar: Sidecar) -> int:
    """Bytes in memory, roughly: the texts, their encoded form, and what each string and dict entry
    takes besides."""
    entries = (_entry(name, properties) for name, properties in sidecar.members.items())
    return 1000 + sum(400 + 200 * len(entry) + 2 * len(entry.encoded) for entry in entries)


def with_change(
    members: MemberProperties, name: str, change: Callable[[Properties], Properties]
) -> MemberProperties:
    """The members, with one member's properties changed. Raises OutOfSpaceError."""
    old = members.get(name, {})
    properties = change(old)
    if properties == old:
        return members
    if sum(len(key.encode()) + len(value.encode()) for key, value in properties.items()) > (
        MAX_RESOURCE_BYTES
    ):
        raise OutOfSpaceError(f"over {MAX_RESOURCE_BYTES} bytes of properties on one resource")
    others = {key: value for key, value in members.items() if key != name}
    return {**others, name: _Entry(name, properties)} if properties else others


def with_changes(
    there: MemberProperties,
    before: MemberProperties,
    after: MemberProperties,
    names: Iterable[str],
) -> MemberProperties:
    """``there``, with the changes between ``before`` and ``after`` to the members of these names.
    Raises OutOfSpaceError."""
    for name in names:
        old, new = before.get(name, {}), after.get(name, {})
        there = with_change(there, name, partial(apply_changes, old, new))
    return there


def apply_changes(old: Properties, new: Properties, there: Properties) -> Properties:
    """``there``, with the changes between ``old`` and ``new``."""
    removed = old.keys() - new.keys()
    changes = {name: text for name, text in new.items() if old.get(name) != text}
    return {name: text for name, text in {**there, **changes}.items() if name not in removed}


def encode(members: MemberProperties, nonce: str = "") -> bytes:
    """The body that `decode` reads. ``nonce`` makes its ETag differ from that of any other sidecar
    with the same properties. Raises OutOfSpaceError."""
    entries = (_entry(name, members[name]).encoded for name in sorted(members))
    content = _FORMAT, nonce.encode(), b", ".join(entries)
    body = b'{"format": %d, "nonce": "%s", "members": {%s}}' % content
    if len(body) > MAX_SIDECAR_BYTES:
        raise OutOfSpaceError(f"over {MAX_SIDECAR_BYTES} bytes of properties in one collection")
    return body


def decode(row: ObjectRow, body: bytes) -> Sidecar:
    """The sidecar with this body."""
    try:
        return Sidecar(row, _members_in(json.loads(body)))
    except (ValueError, RecursionError):
        _log.warning("the properties in %r are damaged, and read as none", row.key)
        return Sidecar(row, NO_PROPERTIES, is_damaged=True)


def _json(value: str | Properties) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _entry(name: str, properties: Properties) -> _Entry:
    if isinstance(properties, _Entry) and properties.name == name:
        return properties
    return _Entry(name, properties)


def _members_in(content: object) -> MemberProperties:
    """Raises ValueError for anything that `encode` doesn't write."""
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError("of another format")
    members = content.get("members")
    if not isinstance(members, dict) or not all(map(_is_properties, members.values())):
        raise ValueError("not names and properties")
    return {name: _Entry(name, properties) for name, properties in members.items()}


def _is_properties(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_property, value.items()))


def _is_property(item: tuple[str, object]) -> bool:
    """Whether the value is an element of that name: answers contain it unchanged."""
    name, text = item
    if name == CLIENT_METADATA:
        return isinstance(text, str)
    if not isinstance(text, str) or not _BEGINS_ELEMENT(text):
        return False
    try:
        return bool(fromstring(text).tag == name)
    except (ParseError, DefusedXmlException):
        return False
