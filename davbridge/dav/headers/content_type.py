"""Content types of names, for what has none of its own: a listing tells no types.

Pure. Invariant: every bridge on a bucket guesses the same.
"""

import mimetypes
from functools import lru_cache

DEFAULT_TYPE = "application/octet-stream"

_TYPES = mimetypes.MimeTypes(filenames=())
"""Python's own table, not the machine's."""


def guess_type(name: str) -> str:
    """The content type that a name suggests; a compressed file's is that of the compression."""
    stem, _, suffix = name.rpartition(".")
    return _type_of("." + suffix) if stem.strip(".") else DEFAULT_TYPE


def shown_type(stored: str, name: str) -> str:
    """The stored content type, where a header can hold it; else what the name suggests."""
    is_header_text = bool(stored) and stored.isascii() and stored.isprintable()
    return stored if is_header_text else guess_type(name)


@lru_cache(maxsize=1024)
def _type_of(suffix: str) -> str:
    kind, encoding = _TYPES.guess_type("name" + suffix, strict=False)
    if encoding is not None or kind is None:
        return f"application/{encoding}" if encoding in ("gzip", "bzip2") else DEFAULT_TYPE
    return kind
