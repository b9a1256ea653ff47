"""The names of davbridge's own objects in the bucket: pure.

Sidecars lie inside the collections whose members' properties they hold, and go along with them.
Housekeeping lies below ``.davbridge/`` in the mount: journals. Where a mount is inside another
one, that is a folder in the other's tree; it goes when the tree goes, and is never copied.
"""

from davbridge.paths import DELIMITER, RESERVED_PREFIX, path_of
from davbridge.tree.properties.sidecar_format import is_sidecar

HOUSE = f"{RESERVED_PREFIX}{DELIMITER}"
"""Below the mount's prefix: housekeeping."""

JOURNALS_FOLDER = f"journals{DELIMITER}"
"""Below that. There is nothing else: what others have put there isn't davbridge's to drop."""


def is_housekeeping(key: str) -> bool:
    """Whether a key is one of housekeeping, in this mount or in one inside it."""
    _, house, rest = (DELIMITER + key).partition(DELIMITER + HOUSE)
    return bool(house) and (not rest or rest.startswith(JOURNALS_FOLDER))


def is_own(key: str) -> bool:
    """Whether a key is davbridge's own: no member of the collection that it lies in."""
    return is_sidecar(key) or is_housekeeping(key)


def is_shown_own(mount: str, key: str) -> bool:
    """The same, of a collection that has a path."""
    if is_housekeeping(key):
        around = (DELIMITER + key).partition(DELIMITER + HOUSE)[0][1:]
        return not around or path_of(mount, around + DELIMITER) is not None
    parent = key.rpartition(DELIMITER)[0]
    return is_sidecar(key) and (not parent or path_of(mount, parent + DELIMITER) is not None)
