"""Collections: WsgiDAV's DAVCollection.

Invariant: the members come from one listing.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from wsgidav.dav_provider import DAVCollection

from davbridge.dav.errors import RefusalError, as_refusals
from davbridge.dav.headers.upload_headers import UploadHeaders
from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.enforcement import Enforcement
from davbridge.dav.locking.locks import LockStore
from davbridge.dav.propfind.member_list import MemberList
from davbridge.dav.propfind.renderer import Renderer
from davbridge.dav.propfind.tree_responses import TreeResponses
from davbridge.dav.resources.base import BucketResource
from davbridge.dav.resources.file import File
from davbridge.dav.resources.wsgidav_environment import Environ, header
from davbridge.paths import ResourcePath
from davbridge.store.base import IF_ABSENT
from davbridge.tree.listing.members import MemberListing
from davbridge.tree.properties.client_metadata import Properties, without_client_metadata
from davbridge.tree.resource import Resource, add_client_metadata

CREATED_RESOURCE = "davbridge.created_resource"
"""The key, in the environment of a LOCK, of the empty file that it has made."""


class RenderedMembers(NamedTuple):
    """The responses of the members that one page of a listing has."""

    responses: bytes
    is_last: bool


class TooManyMembersError(Exception):
    """More is inside a collection than may be in one answer."""


class Collection(BucketResource, DAVCollection):
    """A collection."""

    is_collection = True
    listing: MemberListing | None = None
    """The members, where they are known already."""

    # --- For any request server. They raise StoreErrors, and DAVErrors for locks.

    def members_as_responses(
        self, renderer: Renderer, site: Site, locks: LockStore
    ) -> Iterator[RenderedMembers]:
        """The DAV:response elements of all members, a page of the listing at a time. Raises as
        `Namespace.listing`."""
        members = self.listing or self.provider.namespace.listing(self.requested_path)
        rendered = MemberList(members, renderer, site, locks)
        return (RenderedMembers(rendered.responses(page), page.is_last) for page in members.pages)

    def tree_as_responses(
        self, renderer: Renderer, site: Site, locks: LockStore, limit: int
    ) -> Iterator[RenderedMembers]:
        """The DAV:response elements of everything inside, at any depth, a page of one flat listing
        at a time. Raises as `Namespace.tree`, and TooManyMembersError before the page with which
        there are more than ``limit``."""
        tree = self.provider.namespace.tree(self.requested_path)
        responses, count = TreeResponses(tree.path, renderer, site, locks), 0
        for page in tree.pages:
            count += len(page.resources)
            if count > limit:
                raise TooManyMembersError(f"over {limit} resources are inside")
            yield RenderedMembers(responses.of(page), page.is_last)

    def make_collection(self, name: str, recheck: Callable[[], object] = lambda: None) -> None:
        """Makes a collection in this one, whether or not this one is known to exist.

        ``recheck`` is called right before, while nobody else writes there. Raises as
        `Namespace.make_collection`.
        """

        def recheck_with_locks(*, is_new: bool) -> None:
            recheck()
            self.require_creatable(name)

        self.provider.namespace.make_collection((*self.requested_path, name), recheck_with_locks)

    def require_creatable(self, name: str) -> None:
        """That no lock forbids to create a member of this name."""
        path = (*self.requested_path, name)
        self.enforcement.require_write(path)
        self.enforcement.require_membership(path)

    # --- For WsgiDAV's request server.

    def get_used_bytes(self) -> int | None:
        """The bytes of the whole mount."""
        return self._property_context.used_bytes

    def get_available_bytes(self) -> int | None:
        return self._property_context.available_bytes

    def get_member_names(self) -> list[str]:
        return [member.resource.name for member in self.get_member_list()]

    def get_member_list(self) -> list["Collection | File"]:
        """The members, all from one listing."""
        with as_refusals():
            return list(self._members())

    def _members(self) -> Iterator["Collection | File"]:
        members = self.provider.namespace.listing(self.resource.path)
        for page in members.pages:
            for member in page.members:
                properties = members.properties.get(page.name_of(member), {})
                resource = add_client_metadata(page.resource(member), properties)
                yield instance(resource, self.environ, dead=without_client_metadata(properties))

    @as_refusals()
    def create_empty_resource(self, name: str) -> "File":
        """A file that will exist after `File.end_write`. For a LOCK it is made here."""
        path = (*self.resource.path, name)
        if self.environ["REQUEST_METHOD"] != "LOCK":
            if header(self.environ, "IF_MATCH") is not None:
                raise RefusalError(412, "If-Match does not hold")
            return File(Resource(path, None), self.environ)
        # WsgiDAV checks the locks only afterwards, and doesn't delete the file if they forbid it.
        self.enforcement.require_write(self.resource.path)
        attributes = UploadHeaders().attributes(name)
        writer = self.provider.namespace.open_writer(path, attributes, IF_ABSENT, length=0)
        made = writer.commit()
        self.environ[CREATED_RESOURCE] = made
        return File(made, self.environ)

    @as_refusals()
    def create_collection(self, name: str) -> None:
        self.make_collection(name)


def instance(
    resource: Resource,
    environ: Environ,
    *,
    requested_path: ResourcePath | None = None,
    enforcement: Enforcement | None = None,
    dead: Properties | None = None,
) -> Collection | File:
    """The resource as request servers work on it. The arguments are `BucketResource`'s."""
    kind = Collection if resource.is_collection else File
    return kind(
        resource, environ, requested_path=requested_path, enforcement=enforcement, dead=dead
    )
