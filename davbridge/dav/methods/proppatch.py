"""PROPPATCH (RFC 4918 §9.2).

Invariant: all changes are made or none: one property that is refused prevents them all.
"""

from functools import partial
from xml.etree.ElementTree import Element, fromstring

from davbridge.dav import multistatus
from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.upload_headers import WIN32, lacks_its_time
from davbridge.dav.multistatus import PropStat
from davbridge.dav.propfind.live_properties import OWNCLOUD, PROTECTED
from davbridge.dav.resources.collection import Collection
from davbridge.dav.resources.file import File
from davbridge.dav.response import Response
from davbridge.dav.xml_elements import (
    DAV,
    MAX_NAMES,
    empty_element,
    lang_of,
    parse_document,
    refuse,
    serialise,
)

Changes = dict[str, str | None]
"""Clark name → the property's element, or None for a removal; in the order of the body."""

_CHECKSUMS = f"{{{OWNCLOUD}}}checksums"

_PROTECTED = RefusalError(403, "a live property", condition="cannot-modify-protected-property")
_NO_TIME = RefusalError(409, "not a time from 1970 to 2107")
_WRONG_CHECKSUM = RefusalError(409, "not the checksum of this file")


def proppatch(context: Context) -> Response:
    """207 with 200 for every property; or with a status for those that are refused, and 424 for the
    rest."""
    changes = parse_changes(context.request.xml_body())
    resource = context.require()
    _check(context, changes)
    refusals = {
        name: refusal
        for name, element in changes.items()
        if (refusal := _refusal(resource, name, element))
    }
    # A checksum that is accepted is the file's own: there is nothing to store.
    stored = {name: element for name, element in changes.items() if name != _CHECKSUMS}
    if stored and not refusals:
        resource.change_properties(stored, recheck=partial(_check, context, changes))
    propstats = [
        PropStat(
            refusal.status,
            [empty_element(name) for name, other in refusals.items() if other is refusal],
            refusal.error_element(),
        )
        for refusal in dict.fromkeys(refusals.values())
    ]
    done = [empty_element(name) for name in changes if name not in refusals]
    propstats.append(PropStat(424 if refusals else 200, done))
    href = context.request.site.href(resource.resource.path, is_collection=resource.is_collection)
    return multistatus.answer([multistatus.response(href, propstats)])


def _refusal(resource: Collection | File, name: str, element: str | None) -> RefusalError | None:
    """Why a change can't be made; None if it can. ``element``: None for a removal."""
    if name == _CHECKSUMS and element is not None and isinstance(resource, File):
        # rclone sets it along with the time, and would lose the time (vendor=owncloud).
        texts = fromstring(element).itertext()
        checksums = [text for each in texts for text in each.split()]
        return None if all(map(resource.may_have_checksum, checksums)) else _WRONG_CHECKSUM
    if name in PROTECTED:
        return _PROTECTED
    return _NO_TIME if element is not None and lacks_its_time(name, element) else None


def _check(context: Context, changes: Changes) -> None:
    """Checks conditions and locks. Called before, and again right before the properties are set.
    Raises RefusalError 412, 423.

    Windows sets its properties while Office has a lock, without submitting the token: the owner of
    the lock may do that.
    """
    context.check_conditions()
    if all(name.startswith(f"{{{WIN32}}}") for name in changes):
        context.enforcement.require_owner(context.path)
    else:
        context.enforcement.require_write(context.path)


def parse_changes(body: bytes) -> Changes:
    """The instructions of a propertyupdate, in document order: the last on a name counts."""
    document = parse_document(body, "propertyupdate")
    changes: Changes = {}
    for instruction in document:
        if instruction.tag not in (DAV + "set", DAV + "remove"):
            continue
        for prop in instruction.findall(DAV + "prop"):
            lang = lang_of(prop, lang_of(instruction, lang_of(document)))
            for element in prop:
                changes.pop(element.tag, None)
                changes[element.tag] = _value(instruction, element, lang)
    if not changes:
        refuse("propertyupdate changes no property")
    if len(changes) > MAX_NAMES:
        refuse(f"at most {MAX_NAMES} properties can be changed at once")
    return changes


def _value(instruction: Element, element: Element, lang: str | None) -> str | None:
    return serialise(element, lang=lang) if instruction.tag == DAV + "set" else None
