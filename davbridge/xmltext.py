"""Text in XML 1.0: which characters are valid, and how text is escaped. Pure."""

import re
from xml.sax.saxutils import escape

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""§2.2. One of them makes a whole document malformed."""

_LINE_ENDS = {"\r": "&#13;", "\n": "&#10;"}


def is_xml_text(text: str) -> bool:
    """Whether XML can contain all characters of ``text``."""
    return _INVALID.search(text) is None


def replace_invalid(text: str) -> str:
    """The text, with U+FFFD for each character that XML can't contain."""
    return _INVALID.sub("\ufffd", text)


def escape_text(text: str) -> str:
    """The text as an element's content. CR is escaped: a parser would read it as LF (§2.11)."""
    return escape(text, _LINE_ENDS)
