"""The properties of a resource, live and dead.

Invariants: WsgiDAV's request server gives the same values as ours. A PROPPATCH is done as a whole
or not at all, in one write.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import fromstring

from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import _DAVResource
from wsgidav.util import etree
from wsgidav.xml_tools import string_to_xml

from davbridge.dav.errors import RefusalError, as_refusals
from davbridge.dav.headers.content_type import guess_type
from davbridge.dav.headers.upload_headers import (
    lacks_its_time,
    modification_time_set_by,
    parse_time_property,
)
from davbridge.dav.headers.validators import entity_tag
from davbridge.dav.locking.enforcement import Enforcement
from davbridge.dav.propfind.live_properties import (
    ALLPROP,
    LIVE_PROPERTIES,
    OWNCLOUD,
    PROTECTED,
    PropertyContext,
)
from davbridge.dav.resources.wsgidav_environment import Environ
from davbridge.dav.xml_elements import lang_of, serialise
from davbridge.paths import ResourcePath
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.resource import Resource

if TYPE_CHECKING:
    from davbridge.dav.provider import BucketProvider

_LOCK_PROPERTIES = ("{DAV:}lockdiscovery", "{DAV:}supportedlock")

_PROPERTY_CONTEXT = "davbridge.property_context"
"""The key of the property context in a request's environment."""


class PropertyUpdate:
    """The changes of a PROPPATCH. WsgiDAV calls for each change twice: first, for all of them, as a
    dry run; then to make it. The first call of the second kind makes all changes."""

    def __init__(self, write: Callable[[Mapping[str, str | None]], None]) -> None:
        self._write = write
        self._changes: dict[str, str | None] = {}
        self._calls: Counter[str] = Counter()
        """The calls of the dry run, by name, that haven't had their second call yet."""
        self._failure: DAVError | None = None

    def plan(self, name: str, text: str | None) -> None:
        """Adds a change. The last one of a name counts."""
        self._changes.pop(name, None)
        self._changes[name] = text
        self._calls[name] += 1

    def do(self, name: str, text: str | None) -> None:
        """Makes all planned changes. Raises DAVError; if the write failed, for each of them."""
        if not self._calls[name]:
            self._write({name: text})
            return
        self._calls[name] -= 1
        if self._changes:
            changes, self._changes = self._changes, {}
            self._failure = None
            try:
                self._write(changes)
            except DAVError as failure:
                self._failure = failure
        if self._failure is not None:
            raise self._failure


class ResourceProperties(_DAVResource):
    """Live and dead properties: a base class of files and collections."""

    provider: "BucketProvider"
    environ: Environ
    resource: Resource
    _dead: Properties | None
    """The dead properties, once they are known."""
    requested_path: ResourcePath
    enforcement: Enforcement

    # --- For any request server. They raise StoreErrors, and DAVErrors for locks.

    def dead_properties(self) -> Properties:
        """The dead properties; read once."""
        if self._dead is None:
            self._dead = self.provider.namespace.properties(self.resource.path)
        return self._dead

    def change_properties(
        self,
        changes: Mapping[str, str | None],
        *,
        modified: datetime | None = None,
        recheck: Callable[[], object],
    ) -> None:
        """Sets dead properties, removes those whose value is None, and sets the time of a file: all
        or none.

        The time is ``modified``, or the one that a change has. ``recheck`` is called right before,
        while nobody else writes there. Raises as `Namespace.update_properties`.
        """
        self.provider.namespace.update_properties(
            self.requested_path,
            changes,
            modified=modified or modification_time_set_by(changes),
            recheck=lambda *, is_new: recheck(),
        )
        self._dead = None

    # --- For WsgiDAV's request server.

    def get_creation_date(self) -> float:
        """S3 has no other time than the last write's."""
        return self.get_last_modified()

    def get_last_modified(self) -> float:
        return self.resource.modified.timestamp()

    def get_display_name(self) -> str | None:
        """None for a name that XML can't hold."""
        name = self.resource.name
        return (
            name
            if LIVE_PROPERTIES["{DAV:}displayname"](self.resource, self._property_context)
            else None
        )

    def get_property_names(self, *, is_allprop: bool) -> list[str]:
        """The same as our own request server gives for allprop and propname."""
        live = [name for name in (ALLPROP if is_allprop else LIVE_PROPERTIES) if self._has(name)]
        return [*live, *self._dead_properties()]

    def get_property_value(self, name: str) -> Any:
        """Text, or an element for a value of XML. Raises DAVError 404."""
        if name in _LOCK_PROPERTIES:
            return super().get_property_value(name)
        if name in LIVE_PROPERTIES:
            if not self._has(name):
                raise RefusalError(404, "the resource has no such property")
            return self._live_value(name)
        text = self._dead_properties().get(name)
        if text is None:
            raise RefusalError(404, "the resource has no such property")
        return string_to_xml(text)

    def _has(self, name: str) -> bool:
        if name in _LOCK_PROPERTIES:
            return self.provider.lock_manager is not None
        return LIVE_PROPERTIES[name](self.resource, self._property_context) is not None

    def _live_value(self, name: str) -> Any:
        match name:
            case "{DAV:}getetag":
                return entity_tag(self.resource)
            case "{DAV:}getcontenttype":
                return guess_type(self.resource.name)
            case "{DAV:}quota-used-bytes":
                return str(self._property_context.used_bytes)
            case "{DAV:}quota-available-bytes":
                return str(self._property_context.available_bytes)
        if name.startswith(f"{{{OWNCLOUD}}}"):
            return string_to_xml(LIVE_PROPERTIES[name](self.resource, self._property_context))
        return super().get_property_value(name)

    @property
    def _property_context(self) -> PropertyContext:
        """The same for all resources of a request."""
        context: PropertyContext | None = self.environ.get(_PROPERTY_CONTEXT)
        if context is None:
            context = self.environ[_PROPERTY_CONTEXT] = self.provider.property_context()
        return context

    # --- Dead properties

    def set_property_value(self, name: str, value: Any, *, dry_run: bool = False) -> None:
        """Sets a dead property, or removes it where ``value`` is None."""
        if name in PROTECTED:
            raise RefusalError(403, "a live property", condition="cannot-modify-protected-property")
        text = None if value is None else _text_of(value)
        if text is not None and lacks_its_time(name, text):
            raise RefusalError(409, "not a time from 1970 to 2107")
        if dry_run:
            self._update.plan(name, text)
        else:
            self._update.do(name, text)

    def set_last_modified(self, _path: str, time_stamp: float | str, *, dry_run: bool) -> bool:
        """Sets the modification time of a file. That of a collection isn't stored."""
        moment = parse_time_property(str(time_stamp))
        if moment is None:
            raise RefusalError(409, "not a time")
        if not dry_run:
            self._update_properties({}, modified=moment)
        return True

    def remove_all_properties(self, *, recursive: bool) -> None:
        """Does nothing: the namespace removes dead properties along with their resource."""

    @cached_property
    def _update(self) -> PropertyUpdate:
        return PropertyUpdate(self._update_properties)

    @as_refusals()
    def _update_properties(
        self, changes: Mapping[str, str | None], *, modified: datetime | None = None
    ) -> None:
        self.change_properties(
            changes,
            modified=modified,
            recheck=lambda: self.enforcement.require_write(self.resource.path),
        )

    @as_refusals()
    def _dead_properties(self) -> Properties:
        return self.dead_properties()


def _text_of(element: Any) -> str:
    """An element of WsgiDAV's XML library, as dead properties are stored."""
    ancestors: Iterable[Any] = getattr(element, "iterancestors", tuple)()
    langs = (lang_of(ancestor) for ancestor in ancestors)
    lang = next(filter(None, langs), None)
    element.tail = None  # It would be written along with the element.
    return serialise(fromstring(etree.tostring(element)), lang=lang)
