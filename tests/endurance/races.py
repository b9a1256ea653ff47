"""Clients that race on one name, over one bridge and over two: exactly one of them wins.

Bodies are small: SeaweedFS 4.48 lets several multipart uploads through that are completed at the
same moment, whatever their conditions are; a PutObject it decides properly. It polls the lock that
it decides under once a second, so that a race takes seconds of waiting: several are held at once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from random import Random
from threading import Barrier
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario, patient_client
from tests.support.bridge import Answer, Client
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.served import Served, served

LARGEST = 4096
"""Bytes of a body."""

SETTINGS = "[server]\nthreads = 220\n"


class Size(NamedTuple):
    rounds: int
    writers: int
    tracks: int
    """Races at once."""


class Track(NamedTuple):
    """Writers that race one another, and where their races are decided."""

    bucket: Bucket
    clients: Sequence[Client]
    pool: ThreadPoolExecutor
    barrier: Barrier

    def hold(self, name: str, random: Random) -> list[str]:
        """A race for a new name, for its next version, and for the file. What was broken."""
        bodies = self.bodies(random)
        etag, broken = self.race(name, bodies, {"If-None-Match": "*"}, 201)
        bodies = self.bodies(random)
        broken += self.race(name, bodies, {"If-Match": etag}, 204)[1]
        return broken + self.claim(name)

    def claim(self, name: str) -> list[str]:
        """All move the file, each to a name of his own: one is told that he has it, and a copy of
        another bridge's may be left. What was broken."""
        body = self.bucket.get(name).body
        mine = [f"{name}.{number}" for number in range(len(self.clients))]

        def move(client: Client, target: str) -> int:
            self.barrier.wait()
            return client("MOVE", f"/{name}", destination=f"/{target}").status

        statuses = list(self.pool.map(move, self.clients, mine))
        there = [key for key in self.bucket.listed() if key.startswith(name)]
        left = {key: self.bucket.get(key).body for key in there}
        winners = [own for own, status in zip(mine, statuses, strict=True) if status == 201]
        refused = [status for status in statuses if status != 201]
        is_whole = name not in left and {*winners} <= left.keys() and {*left.values()} == {body}
        if not is_whole or len(winners) != 1 or {*refused} - {404, 412}:
            return [f"{name}: claimed with {statuses}; there is {sorted(left)}"]
        return []

    def bodies(self, random: Random) -> list[bytes]:
        """One for each writer."""
        count = len(self.clients)
        return [b"%d %b" % (n, random.randbytes(random.randrange(LARGEST))) for n in range(count)]

    def race(
        self, name: str, bodies: Sequence[bytes], condition: dict[str, str], success: int
    ) -> tuple[str, list[str]]:
        """The entity tag of what is there then, and what was broken."""

        def put(client: Client, body: bytes) -> Answer:
            self.barrier.wait()
            return client("PUT", f"/{name}", body, condition)

        statuses = [answer.status for answer in self.pool.map(put, self.clients, bodies)]
        stored = self.bucket.get(name)
        if sorted(statuses) != [success] + [412] * (len(bodies) - 1):
            return stored.etag, [f"{name}: statuses {statuses} under {condition}"]
        if stored.body != bodies[statuses.index(success)]:
            return stored.etag, [f"{name} isn't what its winner wrote"]
        return stored.etag, []


def run(ground: Ground, size: Size) -> Result:
    with fresh_bucket(ground.store) as bucket, ExitStack() as stack:
        bridges = [stack.enter_context(bridge(bucket, ground.folder / side)) for side in "ab"]
        # Every other race is over both.
        over = islice(cycle([bridges, bridges[:1]]), size.tracks)
        tracks = [stack.enter_context(track(bucket, each, size.writers)) for each in over]
        officials = stack.enter_context(ThreadPoolExecutor(size.tracks))
        done, broken = 0, []
        for number in ground.rounds(-(-size.rounds // size.tracks)):
            names = [f"{number}-{lane}.txt" for lane in range(size.tracks)]
            chances = [ground.random(name) for name in names]
            broken += [
                b for held in officials.map(Track.hold, tracks, names, chances) for b in held
            ]
            done += size.tracks
    figure = f"{done:,} creations, and as many updates and moves, {size.writers} clients each"
    return Result({"races": figure}, tuple(broken))


@contextmanager
def bridge(bucket: Bucket, folder: Path) -> Iterator[Served]:
    folder.mkdir()
    with served(bucket, folder, settings=SETTINGS) as server:
        yield server


@contextmanager
def track(bucket: Bucket, bridges: Sequence[Served], writers: int) -> Iterator[Track]:
    """Writers that take turns in which bridge they write over."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(writers))
        chosen = islice(cycle(bridges), writers)
        clients = [stack.enter_context(patient_client(each.port)) for each in chosen]
        yield Track(bucket, clients, pool, Barrier(writers))


RACES = Scenario(
    name="races",
    promise="of those who create, update or move a file one wins, over one bridge and over two",
    short=Size(rounds=4, writers=16, tracks=4),
    long=Size(rounds=1000, writers=16, tracks=12),
    run=run,
)
