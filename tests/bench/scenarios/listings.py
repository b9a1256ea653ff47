"""PROPFIND: one large folder, and a walk through many small ones."""

from urllib.parse import quote

from tests.bench.answers import expect_listing
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import AtMost, InARow, Row, Sample, TimesBetter, Unit
from tests.bench.peers import DAVBRIDGE, HELLO, RCLONE_TUNED, RCLONES, Peer
from tests.bench.proxy import Seen, rounds
from tests.bench.runs import Run, Straight
from tests.bench.scenarios.base import ALL_PROPERTIES, Measured, files, scaled
from tests.bench.wire import Answer, Connection
from tests.replay.agents import EXPLORER, FINDER, FINDER_STAT

AGAIN = 3


class Listing:
    """A large folder, first from nothing and then from what is known."""

    name = "listing"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, entries: int) -> None:
        self._entries = entries
        what = f"PROPFIND Depth 1 of {entries:,}"
        self.rows = (
            Row("list", f"first {what}, 20 ms", Unit.SECONDS, (TimesBetter(60),)),
            Row(
                "list-first-byte",
                "its first byte",
                Unit.ROUND_TRIPS,
                (AtMost(3, Unit.ROUND_TRIPS),),
            ),
            Row("list-again", f"{what}, cached", Unit.SECONDS, (TimesBetter(10),)),
        )

    def prepare(self, bench: Bench) -> None:
        for entries in {bench.sizes.share(self._entries, peer) for peer in self.peers}:
            bench.fill(f"list-{entries}", files(entries))

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        entries = bench.sizes.share(self._entries, peer)
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            watch = run.watch()
            answer = _ask(connection, f"list-{entries}")
            sample = watch.stop()
            expect_listing(answer, f"/list-{entries}", {**files(entries)})
            yield "list", scaled(sample, entries, self._entries)
            yield "list-first-byte", _first_byte(answer, watch.seen)
            again = [_list_again(run, connection, entries) for _ in range(AGAIN)]
            yield "list-again", scaled(sorted(again)[AGAIN // 2], entries, self._entries)

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=True) as straight:
            watch = straight.watch()
            _list_pages(straight, f"list-{self._entries}/")
            yield "list", watch.stop(note="boto3, page by page")
        # As many bytes as davbridge's answer takes, about.
        with bench.serving(HELLO, latency=False) as run, run.connect() as connection:
            answer = connection.ask("GET", f"/{self._entries * 500}")
            yield "list-again", Sample(answer.seconds, "cheroot, as many bytes")


class FinderListing:
    """The same folder, when only four properties are asked for, none of which needs a HEAD."""

    name = "finder-listing"
    # rclone without --use-server-modtime asks for each object's time, as above.
    peers = (DAVBRIDGE, RCLONE_TUNED)

    def __init__(self, entries: int) -> None:
        self._entries = entries
        title = f"first PROPFIND Depth 1 of {entries:,} as Finder asks, 20 ms"
        self.rows = (Row("list-finder", title, Unit.SECONDS),)

    def prepare(self, bench: Bench) -> None:
        bench.fill(f"list-{self._entries}", files(self._entries))

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        folder = f"list-{self._entries}"
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            asked = {**FINDER, "Depth": "1"}
            watch = run.watch()
            answer = connection.ask("PROPFIND", f"/{folder}/", FINDER_STAT.encode(), asked)
            sample = watch.stop()
            expect_listing(answer, f"/{folder}", {**files(self._entries)})
            yield "list-finder", sample

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=True) as straight:
            watch = straight.watch()
            _list_pages(straight, f"list-{self._entries}/")
            yield "list-finder", watch.stop(note="boto3, page by page")


class Walk:
    """Folder after folder, as a client does that was told to find something."""

    name = "walk"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, folders: int, entries: int) -> None:
        self._folders = folders
        self._entries = entries
        title = f"walk of {folders} folders x {entries} files, cold, 20 ms"
        # Beside the folders there is the one that they are in, and where that one is.
        goals = (TimesBetter(15), InARow(folders + 2))
        self.rows = (Row("walk", title, Unit.SECONDS, goals),)

    def prepare(self, bench: Bench) -> None:
        for folders in {bench.sizes.share(self._folders, peer) for peer in self.peers}:
            sizes = {f"{f}/{n}": s for f in _folders(folders) for n, s in self._members.items()}
            bench.fill(f"walk-{folders}", sizes)

    @property
    def _members(self) -> dict[str, int]:
        return files(self._entries)

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        folders = bench.sizes.share(self._folders, peer)
        root = f"walk-{folders}"
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            watch = run.watch()
            top = _ask(connection, root)
            answers = {name: _ask(connection, f"{root}/{name}") for name in _folders(folders)}
            sample = watch.stop()
            expect_listing(top, f"/{root}", dict.fromkeys(answers))
            for name, answer in answers.items():
                expect_listing(answer, f"/{root}/{name}", {**self._members})
            yield "walk", scaled(sample, folders, self._folders)

    def measure_limit(self, bench: Bench) -> Measured:
        root = f"walk-{self._folders}"
        with bench.straight(latency=True) as straight:
            watch = straight.watch()
            for prefix in ("", *(f"{name}/" for name in _folders(self._folders))):
                _list_pages(straight, f"{root}/{prefix}")
            yield "walk", watch.stop(note="boto3, folder by folder")


class TreeAtOnce:
    """The same folders with one PROPFIND of Depth: infinity, as clients ask that sync a tree."""

    name = "tree-at-once"
    peers = (DAVBRIDGE,)

    def __init__(self, folders: int, entries: int) -> None:
        title = f"Depth: infinity of {folders} folders x {entries} files, cold, 20 ms"
        # Where the folder is, and a page of all that is inside for each 1,000 keys.
        goals = (InARow(1 + -(-folders * entries // PAGE)),)
        self.rows = (Row("tree-at-once", title, Unit.SECONDS, goals),)
        self._root = f"walk-{folders}"
        self._files = {f"{f}/{n}": s for f in _folders(folders) for n, s in files(entries).items()}
        self._shown = {**self._files, **dict.fromkeys(_folders(folders))}

    def prepare(self, bench: Bench) -> None:
        bench.fill(self._root, self._files)

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            watch = run.watch()
            headers = {**EXPLORER, "Depth": "infinity"}
            answer = connection.ask("PROPFIND", f"/{self._root}/", b"", headers)
            sample = watch.stop()
            expect_listing(answer, f"/{self._root}", self._shown)
            yield "tree-at-once", sample

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=True) as straight:
            watch = straight.watch()
            lister = straight.client.get_paginator("list_objects_v2")
            for _ in lister.paginate(Bucket=BUCKET, Prefix=f"{self._root}/"):
                pass
            yield "tree-at-once", watch.stop(note="boto3, one flat listing")


PAGE = 1000
"""Keys of a listing."""


def _folders(count: int) -> list[str]:
    return [f"folder {number:02d}" for number in range(count)]


def _list_again(run: Run, connection: Connection, entries: int) -> Sample:
    watch = run.watch()
    answer = _ask(connection, f"list-{entries}")
    sample = watch.stop()
    expect_listing(answer, f"/list-{entries}", {**files(entries)})
    return sample


def _first_byte(answer: Answer, seen: list[Seen]) -> Sample:
    """The round trips that were over by then; requests under way weren't waited for."""
    before = [each for each in seen if each.end <= answer.first_byte_at]
    waited = answer.first_byte_at - answer.started_at
    return Sample(max(1, rounds(before)), f"{waited * 1000:.0f} ms")


def _ask(connection: Connection, folder: str) -> Answer:
    return connection.ask("PROPFIND", f"/{quote(folder)}/", b"", {**EXPLORER, **ALL_PROPERTIES})


def _list_pages(straight: Straight, prefix: str) -> None:
    lister = straight.client.get_paginator("list_objects_v2")
    for _ in lister.paginate(Bucket=BUCKET, Prefix=prefix, Delimiter="/"):
        pass
