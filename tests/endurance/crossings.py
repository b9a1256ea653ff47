"""Clients of three bridges move, write and delete the same few names, all at once.

A round has a folder of its own. In it files or folders, of equal or other contents, are moved onto
one another in pairs and circles, or names that are now a file and now a folder are written, moved,
copied and deleted. Every bridge has one client in a round, so that nothing but the store is between
them. At the end all the content of each round has to be there that some order of what they were
told gives.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from random import Random
from threading import Barrier
from typing import NamedTuple

from davbridge.tree.reserved_names import is_own
from tests.endurance.base import Ground, Result, Scenario, patient_client
from tests.endurance.journals import open_journals
from tests.endurance.plots import BRIDGES, METHODS, STEPS, Plot, Step, model_of, plot_of
from tests.support.bridge import Client
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.served import Served, served
from tests.tree.model import Shown
from tests.tree.possible_states import HIDDEN, Told, fault

SETTINGS = "[server]\nthreads = 150\ntimeout = 600\n"
"""A client may wait for the others of its round for longer than a connection is kept otherwise."""


class Size(NamedTuple):
    operations: int
    tracks: int
    """Rounds at once. Most of a round is waiting: SeaweedFS takes a second where writes race on one
    name, and bridges wait until no request can come late any more."""


class Held(NamedTuple):
    """A round that was held."""

    folder: str
    plot: Plot
    asked: Sequence[tuple[Told, str]]
    """What came of each operation, and that in words."""

    def broken(self, bucket: Bucket) -> str:
        """What is wrong with what is there now; empty if nothing is."""
        told = [each for each, _ in self.asked]
        before, shown = model_of(self.plot.before), shown_in(bucket.below(self.folder))
        answers = [answer for _, answer in sorted(self.asked, key=lambda each: each[0].began)]
        strange = [answer for answer in answers if answer.endswith(STRANGE)]
        wrong = strange or fault(before, told, shown, bridges=BRIDGES)
        there_was = "; ".join(map(str, self.plot.before))
        told_as = "; ".join(answers)
        return f"{self.folder} {wrong}; there was {there_was}; then {told_as}" if wrong else ""


class Track(NamedTuple):
    """Where rounds are held, one after the other."""

    bucket: Bucket
    clients: Sequence[Client]
    pool: ThreadPoolExecutor
    barrier: Barrier

    def hold(self, number: int, random: Random) -> Held:
        folder, plot = f"round-{number}/", plot_of(random)
        self.prepare(folder, plot, is_listed=random.random() < 0.5)

        def play(bridge: int) -> list[tuple[Told, str]]:
            self.barrier.wait()
            return [self.ask(bridge, f"/{folder}", step) for step in plot.clients[bridge]]

        asked = [each for done in self.pool.map(play, range(BRIDGES)) for each in done]
        return Held(folder, plot, asked)

    def prepare(self, folder: str, plot: Plot, *, is_listed: bool) -> None:
        """``is_listed``: each bridge keeps a listing from before."""
        there = self.bucket.below(folder)
        for verb, (path, *body) in plot.before:
            there.put("/".join(path) + ("/" if verb == "make_collection" else ""), *body)
        for client in self.clients if is_listed else ():
            answer = client("PROPFIND", f"/{folder}", depth="1")
            assert answer.status == 207, answer

    def ask(self, bridge: int, folder: str, step: Step) -> tuple[Told, str]:
        """What came of it, and that in words."""
        client, began_at = self.clients[bridge], time.monotonic()
        (target, *more), headers, body = step.arguments, {}, None
        if step.verb in ("move", "copy"):
            there = folder + "/".join(more[0])
            headers = {"Destination": f"http://127.0.0.1:{client.port}{there}"}
        elif step.verb == "put":
            [body] = more
        try:
            status = client(METHODS[step.verb], folder + "/".join(target), body, headers).status
        except (HTTPException, OSError):
            client.close()
            status = 0
        is_refused = 400 <= status < 500
        is_done = status in (201, 204)
        told = Told(step, is_done, is_refused, began_at, time.monotonic())
        return told, f"{step} over {bridge}: {status}"


STRANGE = (" 0", " 400", " 403", " 500")
"""Statuses for which there is no reason; 0 is an answer that didn't come."""


def shown_in(bucket: Bucket) -> Shown:
    """What a bridge would show of what is there, and what it keeps and hides."""
    shown: Shown = {}
    keys = bucket.listed()
    for key in keys:
        around = key.split("/")[:-1]
        shown |= {tuple(around[:end]): (None, None) for end in range(1, len(around) + 1)}
    for key in keys:
        path = tuple(key.split("/"))
        if path[-1] and not is_own(key):
            shown[(*path, HIDDEN) if path in shown else path] = (bucket.get(key).body, None)
    return shown


def run(ground: Ground, size: Size) -> Result:
    with ExitStack() as stack:
        bucket = stack.enter_context(fresh_bucket(ground.store))
        rounds = -(-size.operations // (BRIDGES * STEPS * size.tracks))
        # Before any bridge keeps a listing without them.
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(bucket.put, (f"round-{n}/stays" for n in range(rounds * size.tracks))))
        folders = [ground.folder / str(number) for number in range(BRIDGES)]
        bridges = [stack.enter_context(bridge(bucket, folder)) for folder in folders]
        tracks = [stack.enter_context(track(bucket, bridges)) for _ in range(size.tracks)]
        officials = stack.enter_context(ThreadPoolExecutor(size.tracks))
        held: list[Held] = []
        for number in ground.rounds(rounds):
            numbers = [number * size.tracks + lane for lane in range(size.tracks)]
            chances = [ground.random(each) for each in numbers]
            held += officials.map(Track.hold, tracks, numbers, chances)
        # What was left is ended, and what could come late has come.
        broken = [f"a journal is left: {key}" for key in open_journals(bucket)]
        broken += filter(None, officials.map(lambda each: each.broken(bucket), held))
    return Result(figures_of(held), tuple(broken))


def figures_of(held: Sequence[Held]) -> Mapping[str, str]:
    asked = [told for each in held for told in each.asked]
    slowest, answer = max(((t.ended - t.began, answer) for t, answer in asked), default=(0.0, ""))
    return {
        "operations": f"{len(asked):,} in {len(held):,} rounds",
        "done": f"{sum(told.is_done for told, _ in asked):,}",
        "refused": f"{sum(told.is_refused for told, _ in asked):,}",
        "slowest": f"{slowest:.0f} s, {answer}",
    }


@contextmanager
def bridge(bucket: Bucket, folder: Path) -> Iterator[Served]:
    folder.mkdir()
    with served(bucket, folder, settings=SETTINGS) as server:
        yield server


@contextmanager
def track(bucket: Bucket, bridges: Sequence[Served]) -> Iterator[Track]:
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(bridges)))
        clients = [stack.enter_context(patient_client(each.port)) for each in bridges]
        yield Track(bucket, clients, pool, Barrier(len(bridges)))


CROSSINGS = Scenario(
    name="crossings",
    promise="what clients of three bridges move onto one another, or write beside it, isn't lost",
    short=Size(operations=360, tracks=40),
    long=Size(operations=20_000, tracks=40),
    run=run,
)
