"""Collections and objects as WsgiDAV's resources.

Owns what RFC 4918 calls the live state of a resource: length, type, times, entity tag, quota.
Must not know requests or responses.

Invariants: a resource object lives for one request; listing a collection's members never asks
the store per member.
"""

import mimetypes
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from davbridge.dav.target import Site
from davbridge.tree.namespace import Namespace
from davbridge.tree.resource import Resource

Environ = dict[str, Any]

DEFAULT_TYPE = "application/octet-stream"

_TYPES = mimetypes.MimeTypes(filenames=())
"""Python's own table, not the machine's: every bridge on a bucket guesses the same."""


def guess_type(name: str) -> str:
    """The content type that a name suggests; a compressed file's is that of the compression."""
    stem, _, suffix = name.rpartition(".")
    return _type_of("." + suffix) if stem.strip(".") else DEFAULT_TYPE


@lru_cache(maxsize=1024)
def _type_of(suffix: str) -> str:
    kind, encoding = _TYPES.guess_type("name" + suffix, strict=False)
    if encoding is not None or kind is None:
        return f"application/{encoding}" if encoding in ("gzip", "bzip2") else DEFAULT_TYPE
    return kind


class Mount(Protocol):
    """What a resource needs to know of its provider."""

    namespace: Namespace
    site: Site
    publishes_quota: bool

    def is_readonly(self) -> bool: ...


class _BucketResource:
    """What both kinds have. ``node`` is the namespace's view of the resource."""

    provider: Mount
    node: Resource

    @property
    def href(self) -> str:
        return self.provider.site.href(self.node.path, is_collection=self.node.is_collection)

    @property
    def namespace(self) -> Namespace:
        return self.provider.namespace

    def get_display_name(self) -> str:
        return self.node.name

    def get_last_modified(self) -> float:
        """Seconds since the epoch."""
        return self.node.modified.timestamp()

    def get_creation_date(self) -> float:
        """S3 keeps no other time than the last write's."""
        return self.node.modified.timestamp()

    def support_etag(self) -> bool:
        return not self.node.is_collection


class BucketCollection(_BucketResource, DAVCollection):
    """A prefix."""

    def __init__(self, node: Resource, environ: Environ) -> None:
        self.node = node
        super().__init__("/" + "/".join(node.path), environ)

    def iter_members(self) -> Iterator["BucketMember"]:
        """The members, as the pages of the listing come in; NotFoundError at the call."""
        members = self.namespace.members(self.node)
        return (member_of(node, self.environ) for node in members)

    def get_member_list(self) -> list["BucketMember"]:
        return list(self.iter_members())

    def get_member_names(self) -> list[str]:
        return [member.node.name for member in self.iter_members()]

    def get_member(self, name: str) -> "BucketMember | None":
        node = self.namespace.find((*self.node.path, name))
        return member_of(node, self.environ) if node else None

    def get_etag(self) -> None:
        """None: a prefix has no state of its own to tag."""

    def get_used_bytes(self) -> int | None:
        """RFC 4331 §4, of the whole mount; None while not counted yet, or not published."""
        return self.namespace.used_bytes() if self.provider.publishes_quota else None

    def get_available_bytes(self) -> int | None:
        """RFC 4331 §3; None without a quota."""
        return self.namespace.available_bytes() if self.provider.publishes_quota else None


class BucketObject(_BucketResource, DAVNonCollection):
    """An object."""

    def __init__(self, node: Resource, environ: Environ) -> None:
        self.node = node
        super().__init__("/" + "/".join(node.path), environ)

    def get_content_length(self) -> int:
        return self.node.size

    def get_content_type(self) -> str:
        """Guessed: a listing has no types, and asking for each would cost a request a member."""
        return guess_type(self.node.name)

    def get_etag(self) -> str:
        """Strong and unquoted, as the store gave it."""
        return self.node.etag

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> Any:
        """A reader of the whole, pinned to this version."""
        return self.namespace.open_reader(self.node)


BucketMember = BucketCollection | BucketObject


def member_of(node: Resource, environ: Environ) -> BucketMember:
    """The resource object for what the namespace shows."""
    return (BucketCollection if node.is_collection else BucketObject)(node, environ)
