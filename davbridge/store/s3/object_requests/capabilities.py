"""Which features that davbridge uses a store has, and which promises are weaker without them."""

from collections.abc import Iterator
from typing import NamedTuple

from davbridge.paths import RESERVED_PREFIX

CANARY = f"{RESERVED_PREFIX}.canary."
"""How the name of an object begins on which a capability is tested."""


class Capabilities(NamedTuple):
    """Each that is there is used; each that isn't has a fallback."""

    conditional_put: bool = True
    """If-None-Match: * and If-Match hold on PutObject. Else a HEAD looks just before."""
    conditional_complete: bool = True
    """The same on CompleteMultipartUpload."""
    conditional_copy: bool = True
    """The same on CopyObject's target."""
    pinned_copy: bool = True
    """x-amz-copy-source-if-match holds. Else a HEAD looks just before."""
    conditional_delete: bool = True
    """If-Match holds on DeleteObject. Else a HEAD looks just before."""
    conditional_delete_batch: bool = True
    """ETags hold in DeleteObjects. Else none is sent: who deletes a tree has just listed it."""
    checksums: bool = True
    """The store keeps the CRC32 that comes with an object. Else none is sent."""
    part_copy: bool = True
    """UploadPartCopy. Else large files are copied by way of davbridge."""
    expiring: bool = True
    """A request that is signed in its query is refused once its time is over, so that nothing that
    arrives late is done. Else it is signed in headers, for a quarter of an hour."""
    marks: bool = True
    """A part that CompleteMultipartUpload doesn't name goes without a trace, so that an upload
    can be marked by one. Else nothing is swept."""


ALL = Capabilities()
"""What AWS does."""

UNPROBED = Capabilities(conditional_delete_batch=False, part_copy=False, marks=False)
"""Conditions do no harm where nobody heeds them. The rest isn't tried on anybody's files."""

_LOST = {
    "conditional_put": "conditional PUT (of two who write a file at once, both may succeed)",
    "conditional_complete": "conditional uploads in parts (the same, for files over 8 MiB)",
    "conditional_copy": "conditional COPY (it may replace what is written at the same moment)",
    "pinned_copy": "copies of one version (what is written meanwhile may be what is copied)",
    "conditional_delete": "conditional DELETE (what is written at the same moment goes as well)",
    "conditional_delete_batch": "conditional DELETE of many (the same, at the end of a MOVE)",
    "checksums": "checksums (bytes are checked on the way in alone)",
    "part_copy": "copies in parts (files over 5 GiB are copied by way of davbridge)",
    "expiring": "requests that expire (a DELETE, COPY or PUT that is held up on its way for longer "
    "than seconds is still done)",
    "marks": "uploads that can be marked (those that a crash leaves are not swept)",
}


def lost(capabilities: Capabilities) -> Iterator[str]:
    """What is missing, each with the promise that is weaker for it."""
    for name, is_there in zip(capabilities._fields, capabilities, strict=True):
        if not is_there:
            yield _LOST[name]
