"""Answers, read as clients read them."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, fromstring

from tests.replay.agents import named
from tests.support.bridge import DAV, Answer, Client

WIN32 = "{urn:schemas-microsoft-com:}"
OC = "{http://owncloud.org/ns}"


@dataclass(frozen=True)
class Entry:
    """One response element of a multistatus."""

    href: str
    status: int | None
    """Of the resource as a whole; None where there are propstats."""
    properties: dict[str, tuple[int, Element]]
    """Clark name → status and element."""

    def status_of(self, name: str) -> int:
        return self.properties[name][0]

    def element(self, name: str) -> Element:
        """A property that has to be there."""
        status, element = self.properties[name]
        assert status == 200, (self.href, name, status)
        return element

    def text(self, name: str) -> str:
        return self.element(name).text or ""

    @property
    def is_collection(self) -> bool:
        return self.element(f"{DAV}resourcetype").find(f"{DAV}collection") is not None

    @property
    def modified(self) -> datetime:
        return parsedate_to_datetime(self.text(f"{DAV}getlastmodified"))


def entries(answer: Answer) -> dict[str, Entry]:
    """A multistatus by decoded path; no path but the root's ends in a slash."""
    assert answer.status == 207, (answer.status, answer.body)
    read = [_entry(each) for each in fromstring(answer.body).iter(f"{DAV}response")]
    return {unquote(urlsplit(each.href).path).rstrip("/") or "/": each for each in read}


def look(client: Client, target: str, *names: str) -> Entry:
    """One resource's properties."""
    answer = client("PROPFIND", target, named(*names), depth="0")
    (entry,) = entries(answer).values()
    return entry


def modified(client: Client, target: str) -> datetime:
    """The one modification time that PROPFIND, HEAD and GET must agree on."""
    told = look(client, target, f"{DAV}getlastmodified").modified
    for method in ("HEAD", "GET"):
        assert parsedate_to_datetime(client(method, target).header("Last-Modified")) == told
    return told


def token_of(answer: Answer) -> str:
    """The token of a lock just granted, which header and body tell alike (RFC 4918 §9.10.1)."""
    assert answer.status in (200, 201), (answer.status, answer.body)
    token = answer.header("Lock-Token")
    assert token.startswith("<")
    assert token.endswith(">")
    assert token[1:-1] in tokens_in(answer)
    return token[1:-1]


def tokens_in(answer: Answer) -> list[str]:
    """The tokens of a DAV:lockdiscovery."""
    return [
        (href.text or "").strip()
        for href in fromstring(answer.body).iterfind(f".//{DAV}locktoken/{DAV}href")
    ]


def seconds_left(answer: Answer) -> int:
    """The timeout that the only lock in an answer has."""
    found = re.findall(rb"Second-(\d+)", answer.body)
    assert len(found) == 1, answer.body
    return int(found[0])


def _entry(element: Element) -> Entry:
    properties = {
        each.tag: (_status(propstat.findtext(f"{DAV}status")), each)
        for propstat in element.iterfind(f"{DAV}propstat")
        for each in propstat.iterfind(f"{DAV}prop/*")
    }
    whole = element.findtext(f"{DAV}status")
    href = element.findtext(f"{DAV}href") or ""
    return Entry(href, _status(whole) if whole else None, properties)


def _status(line: str | None) -> int:
    return int((line or "").split()[1])
