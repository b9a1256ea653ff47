"""Many clients at once, doing a bit of everything: no request fails, and nothing leaks.

What a bridge costs is compared at rest, between two moments: when all that it makes once is made,
and at the end.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario, patient_client
from tests.endurance.possible import Bookkeeper
from tests.endurance.works import Worker
from tests.support.buckets import fresh_bucket
from tests.support.proc import MIB, Cost, cost_of
from tests.support.served import Served, served

WARM = 0.2
"""Of the rounds, after which what is made once is made."""

GROWTH = Cost(threads=32, sockets=32, memory=32 * MIB)
"""That may be from one moment at rest to another: pools and caches fill, and arenas tear. What
leaks with each request, or with each of its failures, is hundreds by then."""

REST = 2.0
"""Seconds, after which nothing is under way any more."""


class Size(NamedTuple):
    clients: int
    rounds: int
    steps: int
    """Of each client in a round."""
    large_one_in: int


def run(ground: Ground, size: Size) -> Result:
    with fresh_bucket(ground.store) as bucket:
        with served(bucket, ground.folder) as server, ExitStack() as stack:
            workers = [
                Worker(
                    Bookkeeper(
                        stack.enter_context(patient_client(server.port)), f"/worker-{number}/"
                    ),
                    ground.random(number),
                    size.large_one_in,
                )
                for number in range(size.clients)
            ]
            began_at = time.monotonic()
            warm, end = work(ground, size, server, workers)
            seconds = time.monotonic() - began_at
            left = bucket.open_uploads()
        broken = [each for worker in workers for each in worker.book.broken]
        broken += [each for worker in workers for each in worker.differences(bucket)]
    broken += [f"{worker.book.failures}" for worker in workers if worker.book.failures]
    broken += [f"{key} is open still" for key in left] + leaks(warm, end)
    asked = sum(worker.book.asked for worker in workers)
    figures = {
        "requests": f"{asked:,} of {size.clients} clients, {asked / seconds:.0f}/s",
        "warm": str(warm),
        "at the end": str(end),
    }
    return Result(figures, tuple(broken))


def work(
    ground: Ground, size: Size, server: Served, workers: Sequence[Worker]
) -> tuple[Cost, Cost]:
    """What the server costs when it is warm, and at the end."""
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(Worker.begin, workers))
        warm = None
        for number in ground.rounds(size.rounds):
            list(pool.map(Worker.take, workers, repeat(size.steps)))
            if warm is None and number + 1 >= WARM * size.rounds:
                warm = at_rest(server)
        list(pool.map(Worker.end, workers))
    end = at_rest(server)
    return warm or end, end


def at_rest(server: Served) -> Cost:
    time.sleep(REST)
    return cost_of(server.pid)


def leaks(warm: Cost, end: Cost) -> list[str]:
    costs = zip(Cost._fields, warm, end, GROWTH, strict=True)
    grown = [name for name, was, now, most in costs if now > was + most]
    return [f"{name} leak: {warm} when warm, {end} at the end" for name in grown]


LOAD = Scenario(
    name="load",
    promise="64 clients with work of all kinds see no failure, and leave nothing behind",
    short=Size(clients=64, rounds=2, steps=3, large_one_in=400),
    long=Size(clients=64, rounds=350, steps=10, large_one_in=200),
    run=run,
)
