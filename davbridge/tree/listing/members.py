"""The members of a collection, a page of its listing at a time.

A member is only what the listing has of it: once the listing is cached, making a Resource of each
of 10,000 members would take longer than everything else.
"""

from collections.abc import Iterator
from typing import NamedTuple

from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.store.derived import DerivedValues
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.entries import Members
from davbridge.tree.resource import Resource

Member = str | ObjectRow
"""The name of a collection, or the row of an object."""


class MemberPage(NamedTuple):
    """The members that one page of a listing shows."""

    path: ResourcePath
    """The collection's."""
    prefix: str
    """The collection's."""
    members: tuple[Member, ...]
    is_last: bool
    derived: DerivedValues
    """The page's. A directory check can change the members of the same page."""

    def name_of(self, member: Member) -> str:
        """The last segment of the member's path."""
        return member if isinstance(member, str) else member.key[len(self.prefix) :]

    def resource(self, member: Member) -> Resource:
        """The member as a resource, without client metadata."""
        if isinstance(member, str):
            return Resource((*self.path, member), None)
        return Resource((*self.path, member.key[len(self.prefix) :]), member)


class MemberListing(NamedTuple):
    """All members of a collection."""

    path: ResourcePath
    """The collection's, in the spelling that the bucket has."""
    properties: Members
    """Dead properties and client metadata, of the members that have any, by name."""
    pages: Iterator[MemberPage]


class ResourcePage(NamedTuple):
    """Resources, with their dead properties."""

    resources: list[tuple[Resource, Properties]]
    is_last: bool


class TreeListing(NamedTuple):
    """Everything inside a collection, at any depth."""

    path: ResourcePath
    """The collection's, in the spelling that the bucket has."""
    pages: Iterator[ResourcePage]
