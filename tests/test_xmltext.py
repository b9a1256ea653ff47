"""What text becomes in XML, and comes back as."""

from xml.etree.ElementTree import fromstring

import pytest

from davbridge.xmltext import escape_text, is_xml_text, replace_invalid


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb\n", "<&>]]>", "\t\ud7ff\ue000\ufffd🎉"])
def test_text_that_xml_can_hold_survives_escaping(text: str) -> None:
    assert is_xml_text(text)
    assert replace_invalid(text) == text
    assert fromstring(f"<a>{escape_text(text)}</a>").text == text


@pytest.mark.parametrize("char", ["\0", "\x08", "\x1f", "\ud800", "\ufffe"])
def test_characters_that_xml_cannot_hold_are_replaced(char: str) -> None:
    assert not is_xml_text(f"a{char}b")
    assert replace_invalid(f"a{char}b") == "a\ufffdb"
