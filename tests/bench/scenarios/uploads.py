"""A large upload, without latency: what a server costs beside the store."""

import io
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig

from tests.bench.answers import expect_bytes, expect_status
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import Row, Sample, TimesBetter, Unit
from tests.bench.peers import DAVBRIDGE, RCLONES, Peer
from tests.bench.scenarios.base import KIB, MB, MIB, Measured, late, noise, rated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Way = Callable[[str, bytes], None]


class Upload:
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
        self._whole = noise(self._size)
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
        yield "put", rated(late(sample, lateness), self._size / MB)

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
                best = max(best, rated(watch.stop(note=f"boto3, {way}"), self._size / MB))
                straight.client.delete_object(Bucket=BUCKET, Key=key)
            yield "put", best


def _ways(client: "S3Client") -> dict[str, Way]:
    def whole(key: str, body: bytes) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def in_parts(part: int, threads: int) -> Way:
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
