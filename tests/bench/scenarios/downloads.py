"""Downloads of a large file, without latency: what a server costs beside the store."""

import random

from tests.bench.answers import expect_bytes, expect_status
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import Row, TimesBetter, Unit
from tests.bench.peers import DAVBRIDGE, RCLONES, Peer
from tests.bench.scenarios.base import KIB, MB, MIB, Measured, noise, rated

RANGE = 64 * KIB
READ = MIB


class Download:
    """One GET of all, and GETs of parts."""

    name = "download"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, size: int, ranges: int) -> None:
        self._size = size
        # The same ranges for all contestants.
        chosen = random.Random(size)
        self._starts = [chosen.randrange(size - RANGE) for _ in range(ranges)]
        self.rows = (
            Row(
                "get",
                f"GET {size // MIB} MiB",
                Unit.MB_PER_SECOND,
                (TimesBetter(1.5), TimesBetter(0.7, "raw")),
            ),
            Row(
                "ranges",
                f"{ranges} random ranges of 64 KiB of it",
                Unit.PER_SECOND,
                (TimesBetter(2),),
            ),
        )
        self._whole = b""
        self._buffer = bytearray()

    def prepare(self, bench: Bench) -> None:
        self._whole = noise(self._size)
        # Its pages are there before the clock runs.
        self._buffer = bytearray(b"\1" * self._size)
        bench.client.put_object(Bucket=BUCKET, Key="big/file.bin", Body=self._whole)

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        target = "/big/file.bin"
        with bench.serving(peer, latency=False) as run, run.connect() as connection:
            expect_status(connection.ask("HEAD", target), (200,), "HEAD")
            into = memoryview(self._buffer)
            watch = run.watch()
            answer = connection.ask("GET", target, into=into)
            sample = watch.stop()
            expect_status(answer, (200,), "GET")
            expect_bytes(into, self._whole, "GET")
            yield "get", rated(sample, self._size / MB)
        with bench.serving(peer, latency=False) as run, run.connect() as connection:
            watch = run.watch()
            answers = [
                connection.ask("GET", target, b"", {"Range": f"bytes={at}-{at + RANGE - 1}"})
                for at in self._starts
            ]
            sample = watch.stop()
        for at, answer in zip(self._starts, answers, strict=True):
            expect_status(answer, (206,), "GET of a range")
            expect_bytes(answer.body, self._whole[at : at + RANGE], "GET of a range")
        yield "ranges", rated(sample, len(answers))

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=False) as straight:
            straight.client.head_object(Bucket=BUCKET, Key="big/file.bin")
            watch = straight.watch()
            body = straight.client.get_object(Bucket=BUCKET, Key="big/file.bin")["Body"]
            got = sum(map(len, body.iter_chunks(READ)))
            sample = watch.stop(note="boto3")
            assert got == self._size
            yield "get", rated(sample, got / MB)
            watch = straight.watch()
            for at in self._starts:
                asked = f"bytes={at}-{at + RANGE - 1}"
                straight.client.get_object(Bucket=BUCKET, Key="big/file.bin", Range=asked)[
                    "Body"
                ].read()
            yield "ranges", rated(watch.stop(note="boto3"), len(self._starts))
