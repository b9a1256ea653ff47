"""Properties files whose heads hold next to nothing: a handful of members makes several segments,
and has them merged."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from davbridge.store.base import ObjectStore
from davbridge.tree.properties import sidecars
from davbridge.tree.properties.merging import Limits
from davbridge.tree.properties.sidecar_files import SidecarFiles
from davbridge.tree.properties.sidecar_format import head_of, is_head, is_segment, segment_key
from davbridge.tree.reads import rows_below

SMALL = Limits(head_entries=1, head_bytes=200, fan_in=2, final_bytes=1000, piece_bytes=500)


@contextmanager
def small_segments(limits: Limits = SMALL) -> Iterator[None]:
    """Of bridges that begin inside of this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sidecars, "DEFAULT_LIMITS", limits)
        yield


def orphans(bucket: ObjectStore) -> set[str]:
    """The keys of segments that no head names."""
    keys = rows_below(bucket, "").keys()
    return set(filter(is_segment, keys)) - named(bucket)


def missing(bucket: ObjectStore) -> set[str]:
    """The keys of segments that a head names, and that aren't there."""
    return named(bucket) - rows_below(bucket, "").keys()


def named(bucket: ObjectStore) -> set[str]:
    files = SidecarFiles(bucket)
    heads = filter(is_head, rows_below(bucket, "").keys())
    return {segment_key(key, segment.id) for key in heads for segment in files.fetch(key).segments}


def without_segments(keys: set[str]) -> set[str]:
    """The keys, without those of segments whose head is among them."""
    return {key for key in keys if not is_segment(key) or head_of(key) not in keys}
