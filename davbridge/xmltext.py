"""Text in XML 1.0: which characters it can hold, and how the others are dealt with. Pure."""

import re
from xml.sax.saxutils import escape

_UNHOLDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""§2.2. One of them makes a whole document malformed."""

_LINE_ENDS = {"\r": "&#13;", "\n": "&#10;"}


def can_hold(text: str) -> bool:
    """Whether XML has all the characters of ``text``."""
    return _UNHOLDABLE.search(text) is None


def holdable(text: str) -> str:
    """The same, with a replacement character for each that XML hasn't got."""
    return _UNHOLDABLE.sub("\ufffd", text)


def escaped(text: str) -> str:
    """As the content of an element. A bare CR would be read as LF (§2.11)."""
    return escape(text, _LINE_ENDS)
