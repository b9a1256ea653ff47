"""What may be in a folder, when some of its changes have failed and nobody knows how far they got.

A client that keeps book: after a success exactly one thing can be there; after a failure the old
one or the new one can be, until a look tells which. Whatever else it is shown is a broken promise.

A request that has failed may be done later still, and one that was done may have been sent twice.
Nothing can be concluded until that is over, so that it is waited for.

Must not know why requests fail.
"""

import http.client
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from re import findall

from tests.support.bridge import Answer, Client
from tests.support.properties import COLOUR, colour_ask, colour_update

Body = bytes | None
"""None: there is no such file."""

FAILURES = (502, 503, 504)
"""What a server may tell of a store in trouble. 500 would be one that it wasn't prepared for."""

TRIES = 30
"""After which something that should be done in the end is given up."""


@dataclass
class Bookkeeper:
    """A client, alone in its folder."""

    client: Client
    folder: str
    """As a request target, with a slash at its end."""
    may_be: dict[str, set[Body]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    asked: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """By the method, and the status that was told, or 0 for an end in the middle."""
    until_over: Callable[[], None] = lambda: None
    """Returns when nothing is under way any more that was asked for in the folder."""

    def ask(
        self, method: str, name: str, body: bytes | str | None = None, **headers: str
    ) -> Answer | None:
        """None where the request failed, in a way in which requests may."""
        self.until_over()
        self.asked += 1
        fields = {field.replace("_", "-"): value for field, value in headers.items()}
        try:
            answer = self.client(method, self.folder + name, body, fields)
        except (http.client.HTTPException, ConnectionError):
            # A download that broke off: the client has no more to go by than a short body.
            if method not in ("GET", "PROPFIND"):
                self.broken.append(f"{method} {name}: no answer")
            self.client.close()
            answer = None
        if answer is None or answer.status in FAILURES:
            self.failures[f"{method} {answer.status if answer else 0}"] += 1
            return None
        return answer

    def note(self, fault: str, answer: Answer | None = None) -> None:
        told = f": {answer.status} {answer.body[:200]!r}" if answer else ""
        self.broken.append(f"{self.folder}{fault}{told}")

    def change(
        self,
        method: str,
        name: str,
        success: Iterable[int],
        becomes: Mapping[str, Body],
        body: bytes | None = None,
        **headers: str,
    ) -> None:
        """A request that, if it is done, makes the names what they then are."""
        answer = self.ask(method, name, body, **headers)
        if answer is None:
            for each, new in becomes.items():
                self.may_be.setdefault(each, {None}).add(new)
        elif answer.status in success:
            self.may_be |= {each: {new} for each, new in becomes.items()}
        else:
            self.note(f"{method} {name} {headers}", answer)
            for each in becomes:
                self.may_be.setdefault(each, {None}).add(becomes[each])

    def insist(
        self, method: str, name: str, success: Iterable[int], done: Iterable[int], **headers: str
    ) -> None:
        """Asks until it is done; ``done`` tells so of what an earlier try may have done."""
        for number in range(TRIES):
            answer = self.ask(method, name, **headers)
            if answer and answer.status in (*success, *(done if number else ())):
                return
            if answer and not has_failed(answer):
                self.note(f"{method} {name}, try {number + 1}", answer)
                return
        self.note(f"{method} {name} isn't done after {TRIES} tries")

    def look(self, name: str) -> str | None:
        """Reads a file, which settles what it is. Its entity tag, if it is there."""
        answer = self.ask("GET", name)
        if answer is None:
            return None
        if answer.status not in (200, 404):
            self.note(f"GET {name}", answer)
            return None
        found = None if answer.status == 404 else answer.body
        if found not in self.may_be[name]:
            self.note(f"GET {name}: {shown(found)}, not {[*map(shown, self.may_be[name])]}", answer)
        self.may_be[name] = {found}
        return None if found is None else answer.header("ETag")

    def look_at_part(self, name: str, start: int, end: int) -> None:
        """Reads a range of a file that is there, and known."""
        (body,) = self.may_be[name]
        assert body is not None
        answer = self.ask("GET", name, range=f"bytes={start}-{end - 1}")
        if answer and (answer.status, answer.body) != (206, body[start:end]):
            self.note(f"GET {name}, bytes {start} to {end} of {len(body)}", answer)

    def look_around(self) -> None:
        """Lists the folder, and compares it with what must and what can't be there."""
        answer = self.ask("PROPFIND", "", depth="1")
        if answer is None:
            return
        if answer.status != 207:
            self.note("PROPFIND", answer)
            return
        listed = {href.removeprefix(self.folder) for href in answer.multistatus()}
        for name, bodies in self.may_be.items():
            if name in listed and bodies == {None}:
                self.note(f"PROPFIND shows {name}, which is gone")
            if name not in listed and None not in bodies:
                self.note(f"PROPFIND doesn't show {name}, which is there")

    def paint(self, name: str, colours: set[str | None], value: str) -> None:
        """Sets a property that may be any of ``colours``, which are changed."""
        answer = self.ask("PROPPATCH", name, colour_update(value))
        if answer is None:
            colours.add(value)
            return
        target = self.folder + name
        if answer.status == 207 and answer.property(target, COLOUR) is not None:
            colours.clear()
        elif not has_failed(answer):
            self.note(f"PROPPATCH {name}", answer)
        colours.add(value)

    def look_at_paint(self, name: str, colours: set[str | None]) -> None:
        answer = self.ask("PROPFIND", name, colour_ask(), depth="0")
        if answer is None:
            return
        found = answer.property(self.folder + name, COLOUR) if answer.status == 207 else None
        text = None if found is None else found.text
        if text not in colours:
            self.note(f"the property of {name} is {text}, not one of {colours}", answer)
        colours.clear()
        colours.add(text)


def has_failed(answer: Answer) -> bool:
    """Whether a 207 tells of members that have failed, in a way in which requests may."""
    if answer.status != 207:
        return False
    statuses = {int(status) for status in findall(rb"HTTP/1\.1 (\d{3})", answer.body)}
    return bool(statuses) and statuses <= {*FAILURES, 424}


def shown(body: Body) -> str:
    """A body in a message."""
    return "nothing" if body is None else f"{len(body)} bytes ({body[:12]!r}…)"
