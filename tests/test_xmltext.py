"""What text becomes in XML, and comes back as."""

from xml.etree.ElementTree import fromstring

import pytest

from davbridge.xmltext import can_hold, escaped, holdable


@pytest.mark.parametrize("text", ["a\rb", "a\r\nb\n", "<&>]]>", "\t\ud7ff\ue000\ufffd🎉"])
def test_what_xml_can_hold_comes_back_as_it_was(text: str) -> None:
    assert can_hold(text)
    assert holdable(text) == text
    assert fromstring(f"<a>{escaped(text)}</a>").text == text


@pytest.mark.parametrize("char", ["\0", "\x08", "\x1f", "\ud800", "\ufffe"])
def test_what_it_cannot_hold_is_replaced(char: str) -> None:
    assert not can_hold(f"a{char}b")
    assert holdable(f"a{char}b") == "a\ufffdb"
