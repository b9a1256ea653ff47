"""The members of a collection, a page of its listing at a time: for who has many to deal with.

Where the listing itself is kept, making a Resource of each of 10,000 members would take longer than
all else. So a member is what the listing has of it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.store.derived import DerivedValues
from davbridge.tree.properties.sidecar_format import MemberProperties
from davbridge.tree.resource import Resource

Member = str | ObjectRow
"""The name of a collection, or the row of an object."""


class MemberPage(NamedTuple):
    """The members that one page of a listing shows."""

    path: ResourcePath
    """The collection's."""
    prefix: str
    """Its keys'."""
    members: tuple[Member, ...]
    is_last: bool
    derived: DerivedValues
    """Of the page of the listing: the members can be others, for the same page."""

    def name_of(self, member: Member) -> str:
        """The last segment of its path."""
        return member if isinstance(member, str) else member.key[len(self.prefix) :]

    def resource(self, member: Member) -> Resource:
        """The member as a resource, less what was told of it."""
        if isinstance(member, str):
            return Resource((*self.path, member), None)
        return Resource((*self.path, member.key[len(self.prefix) :]), member)


class Members(NamedTuple):
    """All members of a collection."""

    path: ResourcePath
    """The collection's, in the spelling that the bucket has."""
    told: MemberProperties
    """Dead properties, and what clients told, of those members that have any, by name."""
    pages: Iterator[MemberPage]
