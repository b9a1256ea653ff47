"""Small files, one after another: a round trip each is all that they should cost."""

import uuid
from urllib.parse import quote

from tests.bench import seed
from tests.bench.answers import expect_bytes, expect_status
from tests.bench.bench import BUCKET, Bench
from tests.bench.measures import InARow, Row, Sample, TimesBetter, Unit
from tests.bench.peers import DAVBRIDGE, RCLONES, Peer
from tests.bench.scenarios.base import KIB, Measured, as_stored, files, late


class SmallFiles:
    """PUTs into a new folder, and GETs of files that nobody has asked for before."""

    name = "small"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, count: int) -> None:
        self._files = files(count)
        what = f"{count} {{}} of 1 KiB one after another, 20 ms".format
        # The folder has to be looked up once, beside.
        one_each = InARow(count + 2)
        self.rows = (
            Row("puts", what("PUTs"), Unit.SECONDS, (TimesBetter(2.5), one_each)),
            Row("gets", what("GETs"), Unit.SECONDS, (one_each,)),
        )

    def prepare(self, bench: Bench) -> None:
        bench.fill("small", self._files)

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        folder = f"puts-{uuid.uuid4().hex[:6]}"
        bench.fill(folder, {"there before.bin": KIB})
        yield "puts", self._put_all(bench, peer, folder)
        yield "gets", self._get_all(bench, peer)

    def _put_all(self, bench: Bench, peer: Peer, folder: str) -> Sample:
        bodies = {name: seed.content(name, size) for name, size in self._files.items()}
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            watch = run.watch()
            for name, body in bodies.items():
                answer = connection.ask("PUT", f"/{folder}/{quote(name)}", body)
                expect_status(answer, (201,), "PUT")
            sample = watch.stop()
            return late(
                sample, bench.lateness(folder, as_stored({"there before.bin": KIB, **self._files}))
            )

    def _get_all(self, bench: Bench, peer: Peer) -> Sample:
        with bench.serving(peer, latency=True) as run, run.connect() as connection:
            watch = run.watch()
            answers = {name: connection.ask("GET", f"/small/{quote(name)}") for name in self._files}
            sample = watch.stop()
        for name, answer in answers.items():
            expect_status(answer, (200,), "GET")
            expect_bytes(answer.body, seed.content(name, self._files[name]), "GET")
        return sample

    def measure_limit(self, bench: Bench) -> Measured:
        with bench.straight(latency=True) as straight:
            mark = uuid.uuid4().hex[:6]
            watch = straight.watch()
            for name, size in self._files.items():
                body = seed.content(name, size)
                straight.client.put_object(Bucket=BUCKET, Key=f"raw-{mark}/{name}", Body=body)
            yield "puts", watch.stop(note="boto3")
            watch = straight.watch()
            for name in self._files:
                straight.client.get_object(Bucket=BUCKET, Key=f"small/{name}")["Body"].read()
            yield "gets", watch.stop(note="boto3")
