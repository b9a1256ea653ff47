"""Content types of files, and the headers that keep browsers from running a file.

A listing has no content types, so PROPFIND guesses them from names.

Invariants: every bridge on a bucket guesses the same. No stored file runs with the rights of the
drive's own pages.
"""

import re
from functools import lru_cache

from davbridge.dav.headers.media_types import type_and_encoding

DEFAULT_TYPE = "application/octet-stream"


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
    kind, encoding = type_and_encoding(suffix)
    if encoding is not None:
        return _COMPRESSED.get(encoding, DEFAULT_TYPE)
    return kind or DEFAULT_TYPE


_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/bzip2", "xz": "application/x-xz"}


SANDBOX = ("Content-Security-Policy", "sandbox")
"""Sent with every file, whatever its type: a browser then runs nothing of it in this server's
origin. Which types run is up to the browser (of ``text/plain, text/html`` it takes the last), and
the content is up to whoever wrote the file."""

_MEDIA_SANDBOX = ("Content-Security-Policy", "sandbox allow-same-origin")
"""As strict with scripts. Chromium's page around a sound or a video requests the file once more,
which a sandbox without this origin forbids. Firefox's tools for PDF need it, too."""

_IS_MEDIA = re.compile(r"((audio|video)/[\w.-]+|application/pdf)\s*(;[^,]*)?", re.ASCII | re.I)
"""One type, and none of XML (``audio/a+xml``)."""

SAME_SITE = ("Cross-Origin-Resource-Policy", "same-site")
"""Without it, any web page could have a browser load a file as a script or a style sheet, with the
login that the browser remembers or without one, and so read it."""

_IS_EMBEDDED = re.compile(r"(image|audio|video)/[\w.+-]+\s*(;[^,]*)?", re.ASCII | re.I)
"""What pages can show but not read. A page on the drive itself can show it only without the policy,
because its sandbox belongs to no site."""


def browser_policies(content_type: str) -> list[tuple[str, str]]:
    """The headers that go with a file of this type."""
    sandbox = _MEDIA_SANDBOX if _IS_MEDIA.fullmatch(content_type) else SANDBOX
    return [sandbox] if _IS_EMBEDDED.fullmatch(content_type) else [sandbox, SAME_SITE]
