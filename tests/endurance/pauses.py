"""A bridge stands still, or is cut off from its store, for longer than its lease, while it works.

Several operations on folders are under way over it, each of them at another request, which comes to
the store late. Another bridge starts, finds what has been left, and ends it; users ask it for the
same again, move folders back, and write new files, equal ones among them. Then the first one goes
on, and what it had still under way arrives. What was acknowledged has to be there, and nothing else
may be left: no copies, no folders, no journals, and no operation that others would wait for.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario, patient_client
from tests.endurance.interrupted import PHASES, Job
from tests.endurance.journals import open_journals
from tests.endurance.possible import Bookkeeper
from tests.endurance.works import Worker
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.pauses import HeldRequests, stopped, wait_for
from tests.support.s3proxy import S3Proxy, s3_proxy
from tests.support.served import Served, served
from tests.support.tcp_proxy import TcpProxy, proxied

HOWS = ("stopped", "cut off", "broken off")
"""The process; its network, which keeps all bytes; its network, which loses them."""

SETTINGS = "[s3]\nconnect_timeout = 2\nread_timeout = 5\n"

HOLD_SECONDS = 20.0
"""In which each operation comes to where it is held, or to its end."""


class Size(NamedTuple):
    pauses: int
    """Each of all operations and phases."""
    pairs: int
    """Of bridges, side by side: a pause is waiting, most of the time."""


class Pair(NamedTuple):
    """A bridge that is paused, again and again, and room for another."""

    number: int
    bucket: Bucket
    """What both of them show."""
    whole: Bucket
    folder: Path
    network: TcpProxy
    """Between the bridge and the store."""
    store: S3Proxy
    server: Served

    def hold(self, number: int, random: Random) -> "Held":
        how = HOWS[number % len(HOWS)]
        jobs = [
            Job(
                f"pause{number}-{at}",
                phase,
                is_equal=random.random() < 0.5,
                is_asked_again=random.random() < 0.7,
                comes_back=random.random() < 0.7,
            )
            for at, phase in enumerate(PHASES)
        ]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda job: job.fill(self.bucket, random), jobs))
        held = HeldRequests([job.moment for job in jobs], [job.refused for job in jobs])
        self.store.rule = held
        with ThreadPoolExecutor(len(jobs)) as clients:
            asked = [clients.submit(job.ask, self.server, "first") for job in jobs]
            wait_for(
                lambda: len(held.held) + sum(each.done() for each in asked) >= len(jobs),
                HOLD_SECONDS,
            )
            reached = len(held.held)
            with self.paused(how):
                broken = self.meanwhile(number, jobs, random)
                if is_early := random.random() < 0.5:
                    held.deliver()
            if not is_early:
                held.deliver()
            for each in asked:
                each.result()
        broken += [f"a journal is left: {key}" for key in open_journals(self.bucket)]
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(lambda job: job.check(self.bucket), jobs))
        broken += [each for job in jobs for each in job.broken]
        broken += self.blocked(jobs)
        return Held(reached, [f"{how}: {each}" for each in broken])

    @contextmanager
    def paused(self, how: str) -> Iterator[None]:
        if how == "cut off":
            self.network.stall()
        elif how == "broken off":
            self.network.break_off()
        with stopped(self.server.pid) if how == "stopped" else nullcontext():
            yield
        if how != "stopped":
            self.network.recover()

    def meanwhile(self, number: int, jobs: Sequence[Job], random: Random) -> list[str]:
        """Over another bridge. What users there were told wrongly."""
        folder = self.folder / f"other-{number}"
        folder.mkdir()
        with ExitStack() as stack:
            other = stack.enter_context(
                served(self.whole, folder, prefix=self.bucket.prefix, settings=SETTINGS)
            )
            users = stack.enter_context(working(other, f"/users-{number}/", random))
            pool = stack.enter_context(ThreadPoolExecutor(len(jobs)))
            again = [job for job in jobs if job.is_asked_again]
            list(pool.map(lambda job: job.ask(other, "again"), again))
            broken = [f"a journal isn't ended: {key}" for key in open_journals(self.bucket)]
            list(pool.map(lambda job: job.go_on(other, self.bucket), jobs))
        return broken + users.book.broken + users.differences(self.bucket)

    def blocked(self, jobs: Sequence[Job]) -> list[str]:
        """What the first bridge doesn't let through afterwards."""
        broken = []
        with self.server.client() as client:
            for job in jobs:
                for folder in (job.source, job.target):
                    name = f"{folder}after"
                    statuses = [
                        client(method, f"/{path}").status
                        for method, path in (("MKCOL", folder), ("PUT", name), ("DELETE", folder))
                    ]
                    if statuses[1:] not in ([201, 204], [204, 204]):
                        broken.append(f"{job}: afterwards {statuses} at {folder}")
        return broken


class Held(NamedTuple):
    """A pause that was."""

    reached: int
    """Operations that were held."""
    broken: list[str]


@contextmanager
def working(server: Served, folder: str, random: Random) -> Iterator[Worker]:
    """A user who works on other names until the end."""
    is_over = threading.Event()

    def work() -> None:
        worker.begin()
        while not is_over.wait(0.05):
            worker.take(1)
        worker.end()

    with patient_client(server.port) as client, ThreadPoolExecutor(1) as pool:
        worker = Worker(Bookkeeper(client, folder), random, large_one_in=10**9)
        done = pool.submit(work)
        try:
            yield worker
        finally:
            is_over.set()
        done.result()


def run(ground: Ground, size: Size) -> Result:
    with ExitStack() as stack:
        whole = stack.enter_context(fresh_bucket(ground.store))
        pairs = [stack.enter_context(pair(whole, ground.folder, n)) for n in range(size.pairs)]
        pool = stack.enter_context(ThreadPoolExecutor(size.pairs))
        held: list[Held] = []
        for number in ground.rounds(-(-size.pauses // size.pairs)):
            numbers = [number * size.pairs + each.number for each in pairs]
            last = list(pool.map(Pair.hold, pairs, numbers, map(ground.random, numbers)))
            for fault in (fault for each in last for fault in each.broken):
                ground.tell(f"BROKEN: {fault}")
            held += last
    figures = {
        "pauses": f"{len(held):,}",
        "operations held": f"{sum(each.reached for each in held):,}",
    }
    return Result(figures, tuple(fault for each in held for fault in each.broken))


@contextmanager
def pair(whole: Bucket, folder: Path, number: int) -> Iterator[Pair]:
    own, prefix = folder / f"pair-{number}", f"pair-{number}/"
    own.mkdir()
    with ExitStack() as stack:
        store = stack.enter_context(s3_proxy(whole.endpoint.url))
        store.keeps_alive, store.keeps_record = True, False
        network = stack.enter_context(proxied(store.url))
        server = stack.enter_context(
            served(whole, own, prefix=prefix, settings=SETTINGS, endpoint_url=network.url)
        )
        yield Pair(number, whole.below(prefix), whole, own, network, store, server)


PAUSES = Scenario(
    name="pauses",
    promise="a bridge that stands still while another ends its work does no harm when it goes on",
    short=Size(pauses=3, pairs=3),
    long=Size(pauses=200, pairs=5),
    run=run,
)
