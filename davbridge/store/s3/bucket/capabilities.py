"""Which features that davbridge uses a store has, and which promises are weaker without them."""

from collections.abc import Iterator
from typing import NamedTuple

from davbridge.paths import RESERVED_PREFIX

CANARY = f"{RESERVED_PREFIX}.canary."
"""The prefix of the names of objects on which capabilities are tested."""


class Capabilities(NamedTuple):
    """Each capability that the store has is used; for each that it lacks there is a fallback."""

    conditional_put: bool = True
    """If-None-Match: * and If-Match work on PutObject. Otherwise a HEAD right before checks
    them."""
    conditional_complete: bool = True
    """The same on CompleteMultipartUpload."""
    conditional_copy: bool = True
    """The same on CopyObject's target."""
    pinned_copy: bool = True
    """x-amz-copy-source-if-match works. Otherwise a HEAD right before checks it."""
    conditional_delete: bool = True
    """If-Match works on DeleteObject. Otherwise a HEAD right before checks it."""
    conditional_delete_batch: bool = True
    """ETags work in DeleteObjects. Otherwise none is sent: a tree has just been listed when it is
    deleted."""
    deletes: bool = True
    """The credentials may delete. Otherwise a MOVE is refused before it writes anything."""
    checksums: bool = True
    """The store keeps the CRC32 that is sent with an object. Otherwise none is sent."""
    plain_writes: bool = True
    """The store takes bodies without a checksum, as far as none is sent anyway. Otherwise each has
    a Content-MD5: a bucket with a default retention may demand it."""
    content_md5: bool = True
    """Content-MD5 is enough where plain writes aren't taken. Otherwise each body has a CRC32."""
    listed_etags: bool = True
    """Listings have the ETags that HEAD has. Otherwise a HEAD asks for them, once for each version
    of an object."""
    etag_case: bool = True
    """Listings write ETags in the same case as HEAD. Otherwise it is swapped."""
    written_etags: bool = True
    """The answers to PutObject and CopyObject have the ETag that HEAD has. Otherwise a HEAD after
    the write asks for it."""
    part_copy: bool = True
    """UploadPartCopy works. Otherwise the bytes of large files are copied through davbridge."""
    expiring: bool = True
    """A request that is signed in its query is refused once it has expired, so that nothing that
    arrives late is carried out. Otherwise requests are signed in headers, for a quarter of an
    hour."""
    marks: bool = True
    """A part that CompleteMultipartUpload doesn't name is discarded, so that an upload can be
    marked by one. Otherwise nothing is swept."""


ALL = Capabilities()
"""AWS has all of them."""

UNPROBED = Capabilities(conditional_delete_batch=False, part_copy=False, marks=False)
"""What is assumed if nothing can be tested. Conditions do no harm if the store ignores them. The
rest isn't tried on people's files."""

_LOST = {
    "conditional_put": "conditional PUT (of two who write a file at once, both may succeed; of two "
    "bridges that change properties in one folder at once, one may undo the other's and others)",
    "conditional_complete": "conditional uploads in parts (the same, for files over 8 MiB)",
    "conditional_copy": "conditional COPY (it may replace what is written at the same moment)",
    "pinned_copy": "copies of one version (what is written meanwhile may be what is copied)",
    "conditional_delete": "conditional DELETE (what is written at the same moment goes as well)",
    "conditional_delete_batch": "conditional DELETE of many (the same, at the end of a MOVE)",
    "deletes": "the right s3:DeleteObject (every MOVE is refused, and what davbridge writes for "
    "itself stays)",
    "checksums": "checksums (bytes are checked on the way in alone)",
    "plain_writes": "uploads without checksums (each costs the processor an MD5 or CRC32)",
    "content_md5": "uploads with Content-MD5 (each has a CRC32 instead)",
    "listed_etags": "ETags in listings (each object that is listed costs a HEAD, once for each of "
    "its versions)",
    "etag_case": "ETags of one case (those of listings are changed to the case of HEAD)",
    "written_etags": "ETags in the answers to writes (each write costs a HEAD)",
    "part_copy": "copies in parts (files over 5 GiB are copied by way of davbridge)",
    "expiring": "requests that expire (a DELETE, COPY or PUT that is held up on its way for longer "
    "than seconds is still done)",
    "marks": "uploads that can be marked (those that a crash leaves are not swept)",
}


def lost(capabilities: Capabilities) -> Iterator[str]:
    """The missing capabilities, each with the promise that is weaker without it."""
    for name, is_there in zip(capabilities._fields, capabilities, strict=True):
        if not is_there:
            yield _LOST[name]
