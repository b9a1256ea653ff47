"""Clients of three bridges move, write and delete the same few names, all at once.

A round has a folder of its own. In it files or folders, of equal or other contents, are moved onto
one another in pairs and circles, or names that are now a file and now a folder are written, moved,
copied and deleted. Every bridge has one client in a round, so that nothing but the store is between
them. Then all the content has to be there that some order of what they were told gives; and at the
end nothing may have changed that was seen after its round.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any, NamedTuple

from davbridge.paths import ResourcePath
from davbridge.tree.reserved import is_own
from tests.endurance.base import Ground, Result, Scenario, patient_client
from tests.endurance.journals import open_journals
from tests.support.bridge import Client
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.served import Served, served
from tests.tree.model import Model, Shown
from tests.tree.possible_states import Told, fault, taken

BRIDGES = 3

STEPS = 3
"""Of each client in a round."""

EQUAL = b"equal"

SETTINGS = "[server]\nthreads = 150\ntimeout = 600\n"
"""A client may wait for the others of its round for longer than a connection is kept otherwise."""


class Size(NamedTuple):
    operations: int
    tracks: int
    """Rounds at once. Most of a round is waiting: SeaweedFS takes a second where writes race on one
    name, and bridges wait until no request can come late any more."""


class Step(NamedTuple):
    """What a client asks for, in the words of `Model`. Paths are below the round's folder."""

    verb: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        words = (
            "/".join(each) if isinstance(each, tuple) else repr(each) for each in self.arguments
        )
        return f"{METHODS[self.verb]} {' '.join(words)}"


class Plot(NamedTuple):
    """What a round is about."""

    before: Sequence[Step]
    clients: Sequence[Sequence[Step]]
    """What each of them asks for, one after the other."""


class Held(NamedTuple):
    """A round that was held."""

    folder: str
    etags: Mapping[str, str]
    """What was there afterwards."""
    broken: str
    refused: int
    failed: int
    slowest: tuple[float, str]
    """Seconds, and what took them."""


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
        told = [each for each, _ in asked]
        there = self.bucket.below(folder)
        broken = fault(model_of(plot.before), told, shown_in(there), bridges=BRIDGES)
        answers = [answer for _, answer in sorted(asked, key=lambda each: each[0].began)]
        strange = [answer for answer in answers if answer.endswith(STRANGE)]
        if broken or strange:
            before = "; ".join(map(str, plot.before))
            broken = f"{folder} {strange or broken}; there was {before}; then {'; '.join(answers)}"
        refused = sum(each.is_refused for each in told)
        failed = sum(not (each.is_done or each.is_refused) for each in told)
        slowest = max((each.ended - each.began, answer) for each, answer in asked)
        return Held(folder, there.etags(), broken, refused, failed, slowest)

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


METHODS = {
    "put": "PUT",
    "make_collection": "MKCOL",
    "move": "MOVE",
    "copy": "COPY",
    "delete": "DELETE",
}


STRANGE = (" 0", " 400", " 403", " 500")
"""Statuses for which there is no reason; 0 is an answer that didn't come."""


def model_of(steps: Sequence[Step]) -> Model:
    model = Model()
    for step in (Step("put", (("stays",), b"")), *steps):
        changed = taken(model, *step)
        assert changed is not None, step
        model = changed
    return model


def shown_in(bucket: Bucket) -> Shown:
    """What a bridge would show of what is there."""
    shown: Shown = {}
    keys = bucket.listed()
    for key in keys:
        around = key.split("/")[:-1]
        shown |= {tuple(around[:end]): (None, None) for end in range(1, len(around) + 1)}
    for key in keys:
        path = tuple(key.split("/"))
        if path[-1] and path not in shown and not is_own(key):
            shown[path] = (bucket.get(key).body, None)
    return shown


# What rounds are about


def plot_of(random: Random) -> Plot:
    return random.choice(PLOTS)(random)


def pair(random: Random) -> Plot:
    """Two names that are moved onto one another."""
    return circle_of(random, [("a",), ("b",)])


def circle(random: Random) -> Plot:
    """Three names that are moved in a circle."""
    return circle_of(random, [("a",), ("b",), ("c",)])


def circle_of(random: Random, names: list[ResourcePath]) -> Plot:
    make = random.choice((file, folder))
    is_equal = random.random() < 0.5
    before = [step for at, name in enumerate(names) for step in make(name, at, is_equal=is_equal)]
    count = random.randint(1, STEPS)
    moves = [
        Step("move", (name, names[(at + 1) % len(names)])) for at, name in enumerate(names)
    ] + [any_step(random, 9)] * (BRIDGES - len(names))
    return Plot(before, [[move] * count for move in moves])


def file(name: ResourcePath, number: int, *, is_equal: bool) -> list[Step]:
    return [Step("put", (name, EQUAL if is_equal else b"file %d" % number))]


def folder(name: ResourcePath, number: int, *, is_equal: bool) -> list[Step]:
    members = [file((*name, each), number, is_equal=is_equal) for each in ("x", "y")]
    return [Step("make_collection", (name,)), *(step for steps in members for step in steps)]


def shared(random: Random) -> Plot:
    """Names that are files and folders."""
    before = [*file(("a",), 0, is_equal=False), *folder(("b",), 1, is_equal=False)]
    numbers = iter(range(10, 100))
    clients = [[any_step(random, next(numbers)) for _ in range(STEPS)] for _ in range(BRIDGES)]
    return Plot(before, clients)


def any_step(random: Random, number: int) -> Step:
    [verb] = random.choices(("put", "make_collection", "move", "copy", "delete"), (4, 4, 5, 1, 1))
    one, other = random.sample(NAMES, 2)
    if verb == "put":
        return Step(verb, (one, random.choice((EQUAL, b"body %d" % number))))
    if verb not in ("move", "copy"):
        return Step(verb, (one,))
    return Step(verb, (one, other)) if one[0] != other[0] else any_step(random, number)


NAMES: Sequence[ResourcePath] = (("a",), ("b",), ("c",), ("a", "x"), ("b", "x"))

PLOTS: Sequence[Callable[[Random], Plot]] = (pair, circle, shared, shared)


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
        broken = [each.broken for each in held if each.broken]
        broken += [f"a journal is left: {key}" for key in open_journals(bucket)]
        broken += changes(bucket, held)
    figures = {
        "rounds": f"{len(held):,} of up to {BRIDGES * STEPS} operations",
        "refused": f"{sum(each.refused for each in held):,}",
        "failed": f"{sum(each.failed for each in held):,}",
        "slowest": "{:.0f} s, {}".format(*max((each.slowest for each in held), default=(0, ""))),
    }
    return Result(figures, tuple(broken))


def changes(bucket: Bucket, held: Sequence[Held]) -> Iterator[str]:
    """What isn't as it was after its round."""
    now = bucket.etags()
    for each in held:
        for name, etag in each.etags.items():
            if not name.endswith("/") and now.get(each.folder + name) != etag:
                yield f"{each.folder}{name} has changed after its round"


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
