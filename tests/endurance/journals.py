"""The journals of unfinished operations, as they lie in a bucket."""

import time

from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.journal.scanner import SCAN_SECONDS
from davbridge.tree.reserved_names import HOUSEKEEPING
from tests.support.buckets import Bucket

PATIENCE = LEASE_SECONDS + SCAN_SECONDS + 60.0
"""Seconds in which a bridge that runs has finished what another has left."""


def open_journals(bucket: Bucket, seconds: float = PATIENCE) -> list[str]:
    """The keys of those that are left still when nothing more has to be done."""
    deadline = time.monotonic() + seconds
    while True:
        found = [
            key for key in bucket.listed() if key.startswith(HOUSEKEEPING) and ".left" not in key
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)
