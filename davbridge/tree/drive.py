"""The namespace of a drive, as its settings have it."""

from davbridge.config import DriveSettings
from davbridge.store.base import ObjectStore
from davbridge.tree.composition import SYSTEM_CLOCKS, Clocks, DriveLimits
from davbridge.tree.junk.names import junk_names
from davbridge.tree.junk.namespace import JunkDroppingNamespace
from davbridge.tree.listing.classification import lists_all
from davbridge.tree.namespace import Namespace


def open_namespace(
    drive: DriveSettings,
    store: ObjectStore,
    *,
    uncached: ObjectStore,
    prefix: str = "",
    clocks: Clocks = SYSTEM_CLOCKS,
) -> Namespace:
    """The resources of a drive, over the keys below ``prefix``. ``uncached``: the same store past
    its cache. The caller closes it."""
    limits = DriveLimits(max_file_size=drive.max_file_size, quota=drive.quota)
    is_junk = lists_all if drive.junk == "keep" else junk_names(drive.junk_names)
    if drive.junk == "drop":
        return JunkDroppingNamespace(
            store, is_junk, uncached=uncached, prefix=prefix, limits=limits, clocks=clocks
        )
    return Namespace(
        store,
        uncached=uncached,
        prefix=prefix,
        limits=limits,
        clocks=clocks,
        is_unlisted=is_junk,
    )
