"""PROPPATCH (RFC 4918 §9.2).

Invariant: all changes are made or none: one protected property prevents them all.
"""

from functools import partial
from xml.etree.ElementTree import Element

from davbridge.dav import multistatus
from davbridge.dav.context import Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.upload_headers import WIN32
from davbridge.dav.multistatus import PropStat
from davbridge.dav.propfind.live_properties import PROTECTED
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

_PROTECTED_ERROR = RefusalError(
    403, "a live property", condition="cannot-modify-protected-property"
).error_element()


def proppatch(context: Context) -> Response:
    """207 with 200 for every property; or with 403 for the protected ones, and 424 for the rest."""
    changes = parse_changes(context.request.xml_body())
    resource = context.require()
    _check(context, changes)
    protected = [name for name in changes if name in PROTECTED]
    if not protected:
        resource.change_properties(changes, recheck=partial(_check, context, changes))
    done = PropStat(
        424 if protected else 200,
        [empty_element(name) for name in changes if name not in PROTECTED],
    )
    refused = PropStat(403, [empty_element(name) for name in protected], _PROTECTED_ERROR)
    href = context.request.site.href(resource.resource.path, is_collection=resource.is_collection)
    response = multistatus.response(href, [refused, done])
    return multistatus.answer([response])


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
