"""How much memory a server takes: idle, for a huge folder, for many large uploads at once."""

import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.bench.answers import WrongAnswerError, expect_listing, expect_status
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import AtMost, Row, Sample, Unit
from tests.bench.peers import DAVBRIDGE, RCLONE_OFF, RCLONE_TUNED, Peer
from tests.bench.runs import Run
from tests.bench.scenarios.base import ALL_PROPERTIES, MB, MIB, Measured, files, rated

SETTLED = 2.0
"""Seconds after which a server has nothing more to do for a start."""

_BLOCK = random.Random(3).randbytes(16 * MIB)


class Idle:
    """Started, asked once, and left alone."""

    name = "idle"
    peers = (DAVBRIDGE, RCLONE_OFF)
    rows = (Row("idle", "memory: idle", Unit.MIB, (AtMost(90, Unit.MIB),)),)

    def prepare(self, bench: Bench) -> None:
        bench.fill("few", files(20))

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        with bench.serving(peer, latency=False) as run, run.connect() as connection:
            answer = connection.ask("PROPFIND", "/few/", b"", ALL_PROPERTIES)
            expect_listing(answer, "/few", {**files(20)})
            time.sleep(SETTLED)
            yield "idle", Sample(run.server.memory("VmRSS") / MIB)

    def measure_limit(self, bench: Bench) -> Measured:
        yield from ()


class HugeFolder:
    """Listed twice: from the store, and from what is known."""

    name = "huge"
    peers = (DAVBRIDGE, RCLONE_OFF, RCLONE_TUNED)

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._folder = f"list-{entries}"
        title = f"memory: {entries:,} entries listed, peak"
        self.rows = (
            Row("huge", title, Unit.MIB, (AtMost(200, Unit.MIB),)),
            Row("huge-time", "the time that takes, without latency", Unit.SECONDS),
        )

    def prepare(self, bench: Bench) -> None:
        bench.fill(self._folder, files(self._entries))

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        with bench.serving(peer, latency=False) as run, run.connect() as connection:
            watch = run.watch()
            first = connection.ask("PROPFIND", f"/{self._folder}/", b"", ALL_PROPERTIES)
            sample = watch.stop()
            connection.ask("PROPFIND", f"/{self._folder}/", b"", ALL_PROPERTIES)
            peak = _peak(run)
            expect_listing(first, f"/{self._folder}", {**files(self._entries)})
            yield "huge", Sample(peak)
            yield "huge-time", sample

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=False) as straight:
            watch = straight.watch()
            bench.stored(self._folder)
            yield "huge-time", watch.stop(note="boto3")


class ManyUploads:
    """Large files that come in at once."""

    name = "uploads"
    peers = (DAVBRIDGE, RCLONE_OFF, RCLONE_TUNED)

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._blocks = size // len(_BLOCK)
        what = f"{count} PUTs of {size // MIB:,} MiB at once"
        self.rows = (
            Row("uploads", f"memory: {what}, peak", Unit.MIB, (AtMost(350, Unit.MIB),)),
            Row("uploads-rate", what, Unit.MB_PER_SECOND),
        )

    def prepare(self, bench: Bench) -> None:
        """Each server gets a folder of its own."""

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        folder = f"uploads-{uuid.uuid4().hex[:6]}"
        bench.fill(folder, {"there before.bin": 1})
        targets = [f"{folder}/{number}.bin" for number in range(self._count)]
        try:
            with bench.serving(peer, latency=False) as run, ThreadPoolExecutor(self._count) as pool:
                watch = run.watch()
                for _ in pool.map(lambda target: self._put(run, target), targets):
                    pass
                sample = watch.stop()
                peak = _peak(run)
            for target in targets:
                self._check(bench, target)
        finally:
            bench.remove(folder)
        yield "uploads", Sample(peak)
        whole = self._count * self._blocks * len(_BLOCK)
        yield "uploads-rate", rated(sample, whole / MB)

    def _put(self, run: Run, target: str) -> None:
        with run.connect() as connection:
            answer = connection.ask("PUT", f"/{target}", _BLOCK, repeat=self._blocks)
            expect_status(answer, (201,), "PUT")

    def _check(self, bench: Bench, target: str) -> None:
        body = bench.client.get_object(Bucket=BUCKET, Key=target)["Body"]
        for _ in range(self._blocks):
            if body.read(len(_BLOCK)) != _BLOCK:
                raise WrongAnswerError(f"{target} in S3 has other bytes")
        if body.read(1):
            raise WrongAnswerError(f"{target} in S3 is too long")

    def measure_limit(self, bench: Bench) -> Measured:
        yield from ()


def _peak(run: Run) -> float:
    return run.server.memory("VmHWM") / MIB
