"""A store that fails one request in ten, in every way that stores and networks do.

Between davbridge and the store answers are lost after the deed, connections reset, requests
refused or met with silence, bodies cut short, and failures told inside of a 200. Clients keep
book of what may be there: nothing is lost or torn, and no refusal is made up.

davbridge is told to try each request twice alone, so that one in a hundred fails for good.
"""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import repeat
from random import Random
from re import findall
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario, patient_client
from tests.endurance.possible import Bookkeeper
from tests.endurance.works import Worker
from tests.support.buckets import fresh_bucket
from tests.support.operations import operation_of
from tests.support.s3proxy import (
    Answer,
    Cut,
    Delay,
    Drop,
    Fault,
    Lose,
    Request,
    S3Proxy,
    error,
    s3_proxy,
)
from tests.support.served import Served, served

SHARE = 0.1
"""Of requests to the store that fail."""

READ_TIMEOUT = 0.3
SILENCE = 0.5
"""Seconds; more than davbridge waits for an answer."""

SETTINGS = f"""\
[s3]
connect_timeout = 1
read_timeout = {READ_TIMEOUT}
attempts = 2
"""

AT_ONCE = 10
"""Steps of a worker."""

EVERYWHERE: tuple[Fault, ...] = (
    Lose(),
    Drop(),
    Drop(SILENCE),
    Delay(SILENCE),
    error("SlowDown", 503),
    error("InternalError", 500),
)

LONG_WORK = ("CopyObject", "UploadPartCopy", "CompleteMultipartUpload")
"""What davbridge waits for five minutes: a store that is silent then isn't waited out here."""

INSIDE = b"<Error><Code>InternalError</Code><Message>We encountered an error.</Message></Error>"


class Size(NamedTuple):
    steps: int
    """Of clients, all together: a request each, most of them."""
    clients: int
    large_one_in: int
    """Of the files that are written: more than a part."""


class Trouble:
    """Which requests fail, and how. For many threads."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lock = threading.Lock()
        self.is_on = False
        self.seen = 0
        self.faults: Counter[str] = Counter()

    def __call__(self, request: Request) -> Fault | None:
        with self._lock:
            self.seen += 1
            if not self.is_on or self._random.random() >= SHARE:
                return None
            fault = self._random.choice(faults_of(request))
            self.faults[type(fault).__name__] += 1
            return fault


def faults_of(request: Request) -> tuple[Fault, ...]:
    """What can happen to a request."""
    operation = operation_of(request)
    if operation == "DeleteObjects":
        return (*EVERYWHERE, Answer(200, INSIDE), none_deleted(request))
    if operation in LONG_WORK:
        return Lose(), Drop(), error("SlowDown", 503), Answer(200, INSIDE), Cut(20)
    if request.method == "GET":
        return *EVERYWHERE, Cut(0), Cut(1), Cut(300)
    return EVERYWHERE


def none_deleted(request: Request) -> Answer:
    """Each key is refused, which DeleteObjects tells with a 200."""
    keys = findall(rb"<Key>.*?</Key>", request.body)
    errors = b"".join(
        b"<Error>%b<Code>InternalError</Code><Message>no</Message></Error>" % key for key in keys
    )
    return Answer(200, b"<DeleteResult>%b</DeleteResult>" % errors)


def run(ground: Ground, size: Size) -> Result:
    trouble = Trouble(ground.random("faults"))
    with fresh_bucket(ground.store) as bucket, s3_proxy(ground.store.url) as proxy:
        proxy.rule, proxy.keeps_alive, proxy.keeps_record = trouble, True, False
        with served(bucket, ground.folder, settings=SETTINGS, endpoint_url=proxy.url) as server:
            workers = work_all(ground, size, server, proxy, trouble)
        broken = [each for worker in workers for each in worker.book.broken]
        broken += [each for worker in workers for each in worker.differences(bucket)]
    asked = sum(each.book.asked for each in workers)
    failed = sum(each.book.failures.total() for each in workers)
    figures = {
        "requests": f"{asked:,}, of which {failed:,} failed",
        "to the store": f"{trouble.seen:,}, of which {trouble.faults.total():,} failed",
    }
    return Result(figures, tuple(broken))


def work_all(
    ground: Ground, size: Size, server: Served, proxy: S3Proxy, trouble: Trouble
) -> list[Worker]:
    """All workers side by side."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(size.clients))
        workers = [
            Worker(
                Bookkeeper(
                    stack.enter_context(patient_client(server.port)),
                    f"/worker-{number}/",
                    until_over=partial(proxy.wait_for_writes, f"worker-{number}/"),
                ),
                ground.random(number),
                size.large_one_in,
            )
            for number in range(size.clients)
        ]
        trouble.is_on = True
        list(pool.map(Worker.begin, workers))
        for _ in ground.rounds(-(-size.steps // size.clients // AT_ONCE)):
            list(pool.map(Worker.take, workers, repeat(AT_ONCE)))
        trouble.is_on = False
        list(pool.map(Worker.end, workers))
    return workers


FAULTS = Scenario(
    name="faults",
    promise="with one request in ten to the store failing nothing is lost, torn, or made up",
    short=Size(steps=120, clients=4, large_one_in=100),
    long=Size(steps=8400, clients=8, large_one_in=50),
    run=run,
)
