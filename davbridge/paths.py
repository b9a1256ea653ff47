"""Resource path ↔ key. Pure.

A resource path is a tuple of segments; the root is ``()``. A path doesn't say whether a collection
or an object is there. A key begins with the mount's *prefix*, which is empty or ends in ``/``.

Invariants:
- ``path_of(prefix, key_of(prefix, p)) == p`` for every valid path ``p``.
- What can't be represented (``a//b``, a leading ``/``, ``.`` and ``..`` segments, NUL, reserved
  names) has no path: ``path_of`` returns None, and ``parse`` raises. Nothing is guessed.
- No valid path leads out of the prefix.
"""

import unicodedata

from davbridge.errors import InvalidNameError

ResourcePath = tuple[str, ...]

ROOT: ResourcePath = ()

DELIMITER = "/"

MAX_KEY_BYTES = 1024
"""S3's limit for a key, in bytes of UTF-8."""

RESERVED_PREFIX = ".davbridge"
"""Segments that begin with this, in any case, are davbridge's own. No request reaches them."""


def parse(text: str) -> ResourcePath:
    """The path that a decoded, slash-separated ``text`` names; repeated slashes count as one.

    Raises InvalidNameError for ``.`` and ``..`` segments, NUL, and text that UTF-8 can't hold.
    Reserved names are parsed; the namespace refuses them.
    """
    segments = tuple(segment for segment in text.split(DELIMITER) if segment)
    for segment in segments:
        if not _is_representable(segment):
            raise InvalidNameError(f"not a usable name: {segment!r}")
    return segments


def key_of(prefix: str, path: ResourcePath) -> str:
    """The key of the object at ``path``.

    Raises InvalidNameError for the root, and for keys over MAX_KEY_BYTES.
    """
    if not path:
        raise InvalidNameError("the root is a collection, not an object")
    key = prefix + DELIMITER.join(path)
    require_key_length(key)
    return key


def prefix_of(prefix: str, path: ResourcePath) -> str:
    """The prefix of all keys inside the collection at ``path``: empty, or ending in ``/``.

    It is also the key of the collection's directory marker. Raises InvalidNameError as key_of.
    """
    return prefix if not path else key_of(prefix, path) + DELIMITER


def path_of(prefix: str, key: str) -> ResourcePath | None:
    """The path of ``key``, which is an object's or a common prefix; None if it has no path."""
    if not key.startswith(prefix):
        return None
    inside = key[len(prefix) :]
    segments = tuple(inside.removesuffix(DELIMITER).split(DELIMITER)) if inside else ROOT
    return segments if all(map(is_visible, segments)) else None


def is_visible(segment: str) -> bool:
    """Whether a segment of a key may be shown: representable in a path, and not reserved."""
    return _is_representable(segment) and not is_reserved(segment)


def is_reserved(segment: str) -> bool:
    """Whether a segment belongs to davbridge itself. Case is ignored: some clients fold it."""
    return segment[: len(RESERVED_PREFIX)].lower() == RESERVED_PREFIX


def canonical_name(name: str) -> str:
    """The form that is the same for all Unicode spellings of a name."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def canonical(path: ResourcePath) -> ResourcePath:
    """The form that is the same for all Unicode spellings of a path."""
    return path if all(map(str.isascii, path)) else tuple(map(canonical_name, path))


def require_key_length(key: str) -> None:
    """Raises InvalidNameError if ``key`` is longer than S3 allows."""
    if len(key.encode()) > MAX_KEY_BYTES:
        raise InvalidNameError(f"the name is too long: over {MAX_KEY_BYTES} bytes of UTF-8")


def _is_representable(segment: str) -> bool:
    if segment in ("", ".", "..") or "\0" in segment:
        return False
    return segment.isascii() or not any("\ud800" <= char <= "\udfff" for char in segment)
