"""The names of davbridge's own objects in the bucket. Pure.

A sidecar is inside the collection whose members' properties it has, and is moved with it. Journals
are in the mount's folder ``.davbridge/``. If one mount is inside another, that folder is part of
the outer mount's tree: it is deleted with the tree, and never copied.
"""

from davbridge.paths import DELIMITER, RESERVED_PREFIX, path_of
from davbridge.tree.properties.sidecar_format import is_sidecar

HOUSEKEEPING = f"{RESERVED_PREFIX}{DELIMITER}"
"""The folder of journals, below the mount's prefix."""

JOURNALS_FOLDER = f"journals{DELIMITER}"
"""Below that folder. Anything else in it belongs to others, and is never deleted."""


def is_housekeeping(key: str) -> bool:
    """Whether a key is a journal's, or the folder's itself, in this mount or in one inside it."""
    _, folder, rest = (DELIMITER + key).partition(DELIMITER + HOUSEKEEPING)
    return bool(folder) and (not rest or rest.startswith(JOURNALS_FOLDER))


def is_own(key: str) -> bool:
    """Whether a key is davbridge's own, and so not a member of its collection."""
    return is_sidecar(key) or is_housekeeping(key)


def is_own_in_visible_collection(mount: str, key: str) -> bool:
    """Whether a key is davbridge's own, and its collection has a path."""
    if is_housekeeping(key):
        around = (DELIMITER + key).partition(DELIMITER + HOUSEKEEPING)[0][1:]
        return not around or path_of(mount, around + DELIMITER) is not None
    parent = key.rpartition(DELIMITER)[0]
    return is_sidecar(key) and (not parent or path_of(mount, parent + DELIMITER) is not None)
