"""What a large folder costs: the first listing, the next one, and the memory of both."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.bench.answers import expect_listing
from tests.bench.bench import Bench
from tests.bench.measures import Row, Sample, Unit
from tests.bench.peers import DAVBRIDGE, Peer
from tests.bench.runs import Run
from tests.bench.scenarios.base import MIB, Measured, files, names
from tests.bench.wire import Answer, Connection
from tests.replay.agents import FINDER, FINDER_STAT

ASKED = {**FINDER, "Depth": "1"}


class _Folder(NamedTuple):
    """A folder of the bucket. Its name is short: it is part of every href."""

    name: str
    what: str
    stored: Mapping[str, int]
    """The objects inside."""
    shown: Mapping[str, int | None]
    """The members; None for a collection."""

    @property
    def rows(self) -> tuple[Row, ...]:
        return (
            Row(f"{self.name}-first", f"first listing of {self.what}, 20 ms", Unit.SECONDS),
            Row(f"{self.name}-again", f"{self.what} again", Unit.SECONDS),
            Row(f"{self.name}-peak", f"memory: {self.what} listed twice, peak", Unit.MIB),
        )


class LargeFolders:
    """Files, fewer and more, and as many folders; each listed by a fresh server, as Finder does."""

    name = "large-folders"
    peers = (DAVBRIDGE,)

    def __init__(self, fewer: int, more: int) -> None:
        self._folders = (_of_files(fewer), _of_files(more), _of_folders(more))
        self.rows = tuple(row for folder in self._folders for row in folder.rows)

    def prepare(self, bench: Bench) -> None:
        for folder in self._folders:
            bench.fill(folder.name, folder.stored)

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        for folder in self._folders:
            with bench.serving(peer, latency=True) as run, run.connect() as connection:
                for row in folder.rows[:2]:
                    yield row.key, _listed(run, connection, folder)
                yield folder.rows[2].key, Sample(run.server.memory("VmHWM") / MIB)

    def measure_limit(self, bench: Bench) -> Measured:
        yield from ()


def _of_files(count: int) -> _Folder:
    sizes = files(count)
    return _Folder(f"list-{count}", f"{count:,} files", sizes, {**sizes})


def _of_folders(count: int) -> _Folder:
    markers = {f"{name}/": 0 for name in names(count)}
    return _Folder(f"folders-{count}", f"{count:,} folders", markers, dict.fromkeys(names(count)))


def _listed(run: Run, connection: Connection, folder: _Folder) -> Sample:
    watch = run.watch()
    answer: Answer = connection.ask("PROPFIND", f"/{folder.name}/", FINDER_STAT.encode(), ASKED)
    sample = watch.stop()
    expect_listing(answer, f"/{folder.name}", folder.shown)
    return sample
