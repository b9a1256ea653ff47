"""XML as WebDAV clients send it, and text as XML can hold it.

Parsing goes through defusedxml: no entities, no DTD. Pure.
"""

import re
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, tostring
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from davbridge.dav.errors import RefusalError

DAV = "{DAV:}"

_UNHOLDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_XML = "http://www.w3.org/XML/1998/namespace"

_XML_LANG = f"{{{_XML}}}lang"

_MAX_NESTING = 200
"""Elements inside one another: serialising them recurses."""


def parse_document(body: bytes, root: str) -> Element:
    """The document element, which must be ``root`` of DAV:. Raises RefusalError 400."""
    try:
        element: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise RefusalError(
            400, "the body is not well-formed XML, or uses what is not allowed"
        ) from error
    if element.tag != DAV + root:
        raise RefusalError(400, f"the body must be a DAV:{root} element")
    if _nesting_exceeds(element, _MAX_NESTING):
        raise RefusalError(400, f"the body nests over {_MAX_NESTING} elements")
    return element


def _nesting_exceeds(element: Element, limit: int) -> bool:
    level, depth = [element], 0
    while level and depth < limit:
        level = [child for parent in level for child in parent]
        depth += 1
    return bool(level)


def can_hold(text: str) -> bool:
    """Whether XML 1.0 has all the characters of ``text``."""
    return _UNHOLDABLE.search(text) is None


def escaped(text: str) -> str:
    """As the content of an element; what XML can't hold is replaced."""
    return escape(_UNHOLDABLE.sub("\ufffd", text))


def serialise(element: Element, *, lang: str | None = None) -> str:
    """The element with all its namespaces declared, and ``lang`` as xml:lang unless it has its
    own (RFC 4918 §4.3: the language in scope is part of a property's value)."""
    copy = Element(element.tag, element.attrib)
    copy.text = element.text
    copy.extend(element)
    if lang and _XML_LANG not in copy.attrib:
        copy.set(_XML_LANG, lang)
    return tostring(copy, encoding="unicode")


def lang_of(element: Element, inherited: str | None = None) -> str | None:
    """The language in scope inside ``element``."""
    return element.get(_XML_LANG, inherited)


def empty_element(name: str) -> str:
    """An element of a Clark name without content; DAV: names take the ``D`` prefix."""
    namespace, local = split_name(name)
    if namespace == "DAV:":
        return f"<D:{local}/>"
    if namespace == _XML:
        return f"<xml:{local}/>"  # No other prefix may be bound to it, nor the default one.
    # Unescaped white space in an attribute would be read as spaces.
    declaration = escape(namespace, {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
    return f'<{local} xmlns="{declaration}"/>'


def split_name(name: str) -> tuple[str, str]:
    """``{namespace}local`` → namespace, local."""
    namespace, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    return namespace, local


def refuse(message: str) -> NoReturn:
    """A document that is XML, but not what RFC 4918 §14 allows there."""
    raise RefusalError(400, message)
