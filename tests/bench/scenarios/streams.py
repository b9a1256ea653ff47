"""Large files, without latency: what a server costs beside the store."""

import io
import random
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig

from tests.bench.answers import expect_bytes, expect_status
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import Row, Sample, TimesBetter, Unit
from tests.bench.scenarios.base import KIB, Measured, late
from tests.bench.servers import DAVBRIDGE, RCLONES, Peer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MB = 1e6
MIB = 1 << 20
RANGE = 64 * KIB
READ = MIB

Upload = Callable[[str, bytes], None]


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
        self._whole = _noise(self._size)
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
            yield "get", _rate(sample, self._size / MB)
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
        yield "ranges", _rate(sample, len(answers))

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=False) as straight:
            straight.client.head_object(Bucket=BUCKET, Key="big/file.bin")
            watch = straight.watch()
            body = straight.client.get_object(Bucket=BUCKET, Key="big/file.bin")["Body"]
            got = sum(map(len, body.iter_chunks(READ)))
            sample = watch.stop(note="boto3")
            assert got == self._size
            yield "get", _rate(sample, got / MB)
            watch = straight.watch()
            for at in self._starts:
                asked = f"bytes={at}-{at + RANGE - 1}"
                straight.client.get_object(Bucket=BUCKET, Key="big/file.bin", Range=asked)[
                    "Body"
                ].read()
            yield "ranges", _rate(watch.stop(note="boto3"), len(self._starts))


class UploadOne:
    """A PUT counts until S3 has all of it, whatever the server says before."""

    name = "upload"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, size: int) -> None:
        self._size = size
        self._whole = b""
        self.rows = (
            Row(
                "put",
                f"PUT {size // MIB} MiB, until S3 has it",
                Unit.MB_PER_SECOND,
                (TimesBetter(1.4), TimesBetter(0.9, "raw")),
            ),
        )

    def prepare(self, bench: Bench) -> None:
        self._whole = _noise(self._size)
        bench.fill("up", {"there before.bin": KIB})

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        name = f"{uuid.uuid4().hex[:6]}.bin"
        with bench.serving(peer, latency=False) as run, run.connect() as connection:
            watch = run.watch()
            answer = connection.ask("PUT", f"/up/{name}", memoryview(self._whole))
            sample = watch.stop()
            expect_status(answer, (201,), "PUT")
            lateness = bench.wait_for(lambda: self._is_there(bench, name), f"up/{name}")
        self._check(bench, name)
        yield "put", _rate(late(sample, lateness), self._size / MB)

    def _is_there(self, bench: Bench, name: str) -> bool:
        stored = bench.stored("up").get(name)
        return stored is not None and stored.size == self._size

    def _check(self, bench: Bench, name: str) -> None:
        body = bench.client.get_object(Bucket=BUCKET, Key=f"up/{name}")["Body"]
        expect_bytes(body.read(), self._whole, "PUT")
        bench.client.delete_object(Bucket=BUCKET, Key=f"up/{name}")

    def measure_limit(self, bench: Bench) -> Measured:
        """The best of the ways that boto3 has."""
        with bench.straight(latency=False) as straight:
            best = Sample(0)
            for way, upload in _ways(straight.client).items():
                key = f"up/{uuid.uuid4().hex[:6]}"
                watch = straight.watch()
                upload(key, self._whole)
                best = max(best, _rate(watch.stop(note=f"boto3, {way}"), self._size / MB))
                straight.client.delete_object(Bucket=BUCKET, Key=key)
            yield "put", best


def _rate(sample: Sample, done: float) -> Sample:
    return sample._replace(value=done / sample.value)


def _noise(size: int) -> bytes:
    """The same bytes each time, no MiB of them like another."""
    source = random.Random(1)
    return b"".join(source.randbytes(MIB) for _ in range(size // MIB))


def _ways(client: "S3Client") -> dict[str, Upload]:
    def whole(key: str, body: bytes) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def in_parts(part: int, threads: int) -> Upload:
        config = TransferConfig(
            multipart_chunksize=part, max_concurrency=threads, preferred_transfer_client="classic"
        )

        def upload(key: str, body: bytes) -> None:
            client.upload_fileobj(io.BytesIO(body), BUCKET, key, Config=config)

        return upload

    return {
        "put_object": whole,
        "2 x 16 MiB": in_parts(16 * MIB, 2),
        "4 x 8 MiB": in_parts(8 * MIB, 4),
        "8 x 8 MiB": in_parts(8 * MIB, 8),
    }
