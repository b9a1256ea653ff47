"""How often a request looks up paths and properties: what was looked up is passed on.

A look-up takes no S3 request while the cache holds the parent, but it takes processor time. A
method looks each path up once before it holds the path locks, to refuse early, and once while it
holds them, right before the write: then nobody else can write there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from davbridge.paths import ResourcePath, canonical
from davbridge.store.memory import MemoryStore
from davbridge.tree.listing.view import View
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.resource import Resource
from tests.support.bodies import lock_info
from tests.support.bridge import Client, running_bridge

PATCH = """<propertyupdate xmlns="DAV:"><set><prop><q xmlns="urn:q">1</q></prop></set>
</propertyupdate>"""


@dataclass
class Lookups:
    """The look-ups of one request, by path."""

    before: Counter[str] = field(default_factory=Counter)
    """Without path locks."""
    under: Counter[str] = field(default_factory=Counter)
    """While path locks are held."""
    of_properties: int = 0
    is_locked: bool = False


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Lookups:
    lookups = Lookups()
    find, of = View.find, PropertyStore.of

    def counted_find(self: View, path: ResourcePath) -> Resource | None:
        where = lookups.under if lookups.is_locked else lookups.before
        where["/" + "/".join(canonical(path))] += 1
        return find(self, path)

    def counted_of(self: PropertyStore, path: ResourcePath) -> Any:
        lookups.of_properties += 1
        return of(self, path)

    @contextmanager
    def locked(path_locks: AbstractContextManager[None]) -> Iterator[None]:
        with path_locks:
            lookups.is_locked = True
            try:
                yield
            finally:
                lookups.is_locked = False

    monkeypatch.setattr(View, "find", counted_find)
    monkeypatch.setattr(PropertyStore, "of", counted_of)
    for name in ("hold", "without_writes"):
        lock = getattr(PathLocks, name)
        monkeypatch.setattr(
            PathLocks, name, lambda *paths, lock=lock, **named: locked(lock(*paths, **named))
        )
    return lookups


@dataclass(frozen=True)
class Case:
    """A request, and the paths that it looks up once each. ``äd`` and ``ät`` are folders with the
    files ``äf`` and ``äg``."""

    method: str
    target: str
    status: int
    before: tuple[str, ...]
    under: tuple[str, ...] = ()
    of_properties: int = 0
    destination: str | None = None
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.target} {self.destination or ''}".strip()


F, G, NEW, D, T, N = "/äd/äf", "/äd/äg", "/äd/än", "/äd", "/ät", "/än"

CASES = (
    Case("GET", F, 200, (F,), (), 1),
    # Without a body, it asks for the dead properties as well.
    Case("PROPFIND", F, 207, (F,), (), 2, headers={"Depth": "0"}),
    # The parent is looked up before the body comes in.
    Case("PUT", NEW, 201, (NEW, D), (NEW,), 0, body="x"),
    Case("PUT", F, 204, (F,), (F,), 1, body="x"),
    Case("PROPPATCH", F, 207, (F,), (F,), 1, body=PATCH),
    Case("MKCOL", NEW, 201, (NEW,), (NEW, D)),
    Case("LOCK", NEW, 201, (NEW,), (NEW, D), body=lock_info()),
    Case("LOCK", F, 200, (F,), (F,), body=lock_info()),
    Case("DELETE", F, 204, (F,), (F,), 2),
    Case("DELETE", D, 204, (D,), (D,), 1),
    # Where nothing is at the destination, its parent is looked up as well.
    *(
        case
        for method in ("COPY", "MOVE")
        for case in (
            Case(method, F, 201, (F, NEW, D), (F, NEW, D), 2, NEW),
            Case(method, F, 204, (F, G), (F, G), 3, G),
            Case(method, D, 201, (D, N, "/"), (D, N, "/"), 1, N),
            Case(method, D, 204, (D, T), (D, T), 1, T),
        )
    ),
)


@pytest.mark.parametrize("letter", ["a", "ä", "a\u0308"], ids=["ascii", "composed", "decomposed"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_looks_each_path_up_once_before_and_once_under_the_path_locks(
    lookups: Lookups, case: Case, letter: str
) -> None:
    """Also if the client spells the names in another Unicode form than the bucket does."""
    stored = "ä" if letter == "a\u0308" else letter

    def url(path: str) -> str:
        return quote(path.replace("ä", letter))

    def paths(*looked_up: str) -> Counter[str]:
        return Counter(path.replace("ä", stored) for path in looked_up)

    with running_bridge(MemoryStore()) as bridge, bridge.client() as client:
        fill(client, stored)
        lookups.before.clear()
        lookups.under.clear()
        lookups.of_properties = 0
        headers = dict(case.headers)
        if case.destination is not None:
            headers["Destination"] = url(case.destination)
        answer = client(case.method, url(case.target), case.body, headers)
    assert answer.status == case.status
    assert (lookups.before, lookups.under) == (paths(*case.before), paths(*case.under))
    assert lookups.of_properties == case.of_properties


def fill(client: Client, letter: str) -> None:
    for folder in ("d", "t"):
        assert client("MKCOL", quote(f"/{letter}{folder}/")).status == 201
        for file in ("f", "g"):
            target = quote(f"/{letter}{folder}/{letter}{file}")
            assert client("PUT", target, target).status == 201  # No two are equal.
