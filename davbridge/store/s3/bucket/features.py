"""What objects in this bucket can have in addition to their bytes, and which rights are missing."""

from typing import NamedTuple


class Features(NamedTuple):
    """The defaults are those of a bucket that AWS makes today."""

    has_acls: bool = False
    has_locks: bool = False
    has_tags: bool = True
    owner: str = ""
    """The canonical id under which davbridge's own objects are owned, where there are ACLs."""
    missing_rights: frozenset[str] = frozenset()
    """Rights to read these, as policies name them."""


MODERN = Features()
