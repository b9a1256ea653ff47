"""Exceptions from RFC 4918 for single clients, each with its reason and source.

Invariant: everything else answers all clients alike.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientQuirks:
    """The exceptions for one client."""

    lenient_unlock: bool = False
    """204 for a lock that is gone: on 404 or 409 macOS drops the file node it has just written
    (webdavfs, webdav_agent/OpenWebDAVFS, ``network_unlock``)."""


NO_QUIRKS = ClientQuirks()

_QUIRKS = ((re.compile(r"WebDAVFS/|WebDAVLib/"), ClientQuirks(lenient_unlock=True)),)


def quirks_of(agent: str) -> ClientQuirks:
    """The exceptions for the client that sends this User-Agent."""
    return next((quirks for pattern, quirks in _QUIRKS if pattern.search(agent)), NO_QUIRKS)
