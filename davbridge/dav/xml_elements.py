"""XML elements: the bodies of requests, and dead properties.

Invariant: parsing takes time and memory in proportion to the body. There is no DTD, hence no
entities. The size and shape of a document are checked before a tree is built. A namespace, for
example, is declared once and is then part of every name: half a megabyte of it in 50,000 names
would be 25 GB.
"""

from collections.abc import Sequence
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, tostring
from xml.parsers import expat
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from davbridge.dav.errors import RefusalError
from davbridge.dav.xml_encodings import as_utf8

DAV = "{DAV:}"

_XML = "http://www.w3.org/XML/1998/namespace"

_XML_LANG = f"{{{_XML}}}lang"

MAX_NAMES = 200
"""Properties in one request. No known client sends more than 11."""

_MAX_NESTING = 200
"""Levels of elements: serialising them recurses."""

_MAX_ELEMENTS = 10_000
_MAX_ATTRIBUTES = 100
"""Of one element."""

_MAX_TAG = 64 * 1024
"""Bytes of a tag: expat collects all attributes before it calls a handler."""

_SLICE = 32 * 1024

_MAX_NAME = 256
"""Characters of an element's, an attribute's or a namespace's name."""


def parse_document(body: bytes, root: str) -> Element:
    """The document element, which must be ``root`` of DAV:. Raises RefusalError 400."""
    try:
        text = as_utf8(body)
        _require_modest(text)
        element: Element = fromstring(text, forbid_dtd=True)
    except (expat.ExpatError, ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise RefusalError(
            400, "the body is not well-formed XML, or uses what is not allowed"
        ) from error
    if element.tag != DAV + root:
        raise RefusalError(400, f"the body must be a DAV:{root} element")
    return element


def _require_modest(body: bytes) -> None:
    """Checks the document's shape without building anything. Raises RefusalError 400, and
    expat's error where it isn't well-formed."""
    parser, shape = expat.ParserCreate(), _Shape()
    parser.ordered_attributes = True
    parser.XmlDeclHandler = shape.declare
    parser.StartDoctypeDeclHandler = shape.refuse_dtd
    parser.StartElementHandler = shape.start
    parser.EndElementHandler = shape.end
    for end in range(_SLICE, len(body) + _SLICE, _SLICE):
        parser.Parse(body[end - _SLICE : end], False)
        if min(end, len(body)) - parser.CurrentByteIndex > _MAX_TAG:
            refuse(f"a tag has over {_MAX_TAG} bytes")
    parser.Parse(b"", True)


class _Shape:
    """Counts what a document has, and raises RefusalError as soon as that is too much."""

    def __init__(self) -> None:
        self._elements = 0
        self._depth = 0

    def declare(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding not in (None, "utf-8"):
            refuse("the body's XML declaration is malformed")

    def refuse_dtd(self, *_: object) -> None:
        refuse("the body must not have a document type")

    def start(self, name: str, attributes: Sequence[str]) -> None:
        """``attributes``: a name, its value, the next name and so on."""
        self._elements += 1
        self._depth += 1
        if self._elements > _MAX_ELEMENTS:
            refuse(f"the body has over {_MAX_ELEMENTS} elements")
        if self._depth > _MAX_NESTING:
            refuse(f"the body nests over {_MAX_NESTING} elements")
        if len(attributes) > 2 * _MAX_ATTRIBUTES:
            refuse(f"an element has over {_MAX_ATTRIBUTES} attributes")
        if max(map(len, (name, *attributes[::2]))) > _MAX_NAME:
            refuse(f"a name has over {_MAX_NAME} characters")
        for at in range(0, len(attributes), 2):
            if attributes[at].startswith("xmlns") and len(attributes[at + 1]) > _MAX_NAME:
                refuse(f"a namespace has over {_MAX_NAME} characters")

    def end(self, _name: str) -> None:
        self._depth -= 1


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
    """Refuses a document that is XML, but not what RFC 4918 §14 allows."""
    raise RefusalError(400, message)
