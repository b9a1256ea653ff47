"""Compares the ETags of one object in the answers to a PUT, a HEAD and a listing.

An object that was uploaded in parts is compared as well: some stores list it under another ETag.
"""

import logging
from collections.abc import Iterable
from typing import NamedTuple

from davbridge.errors import StoreError
from davbridge.store.base import ObjectRow
from davbridge.store.s3.bucket.bucket import Bucket, head_object
from davbridge.store.s3.bucket.capabilities import ALL, Capabilities, lost
from davbridge.store.s3.object_requests.listing import pages

SAMPLE = 50
"""Rows of a listing from which a drive that can't be written to takes the objects to compare."""

_log = logging.getLogger(__name__)


class EtagForms(NamedTuple):
    """The capabilities of these names."""

    listed_etags: bool
    etag_case: bool
    written_etags: bool = True


def compare_canaries(bucket: Bucket, written: ObjectRow, other: str) -> EtagForms | None:
    """``written``: a canary, as the answer to its PUT had it; ``other``: the key of a canary that
    may have been uploaded in parts. None if the listing doesn't show the first. Raises
    StoreError."""
    stem = written.key.rpartition(".")[0]
    listed = {row.key: row for row in next(pages(bucket, stem, "", SAMPLE)).rows}
    if written.key not in listed:
        return None
    heads = [head_object(bucket, key).row for key in (written.key, other) if key in listed]
    forms = _compared((listed[head.key], head) for head in heads)
    return forms._replace(written_etags=heads[0].etag == written.etag)


def compare_existing(bucket: Bucket, prefix: str) -> Capabilities:
    """The capabilities of ``bucket``, changed by what up to two objects show that are there
    already: one in parts, as far as its ETag tells. Logs what is missing. Raises StoreError."""
    rows = [row for row in next(pages(bucket, prefix, "", SAMPLE)).rows if row.size]
    whole = [row for row in rows if "-" not in row.etag][:1]
    in_parts = [row for row in rows if "-" in row.etag][:1]
    pairs = []
    for row in (*whole, *in_parts):
        try:
            head = head_object(bucket, row.key).row
        except StoreError:
            continue
        if (head.size, head.modified) == (row.size, row.modified):
            pairs.append((row, head))
    forms = _compared(pairs)._asdict()
    if missing := "; ".join(lost(ALL._replace(**forms))):
        _log.warning("the store lacks %s", missing)
    return bucket.can._replace(**forms)


def _compared(pairs: Iterable[tuple[ObjectRow, ObjectRow]]) -> EtagForms:
    """``pairs``: each object as the listing and as a HEAD shows it."""
    etags = [(listed.etag, head.etag) for listed, head in pairs]
    if all(listed == head for listed, head in etags):
        return EtagForms(listed_etags=True, etag_case=True)
    is_case = all(listed.swapcase() == head for listed, head in etags)
    return EtagForms(listed_etags=is_case, etag_case=not is_case)
