"""COPY, MOVE and DELETE of a folder with all that is in it."""

import uuid
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.answers import expect_status
from tests.bench.bench import BUCKET, Bench, Stored
from tests.bench.measures import Row, Sample, TimesBetter, Unit
from tests.bench.peers import DAVBRIDGE, RCLONES, Peer
from tests.bench.runs import Straight
from tests.bench.scenarios.base import Measured, as_stored, files, late, scaled

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_State = dict[str, dict[str, Stored]]
"""What S3 is to hold, by folders."""


class _Step(NamedTuple):
    verb: str
    folder: str
    target: str | None
    after: _State


FOLDER = 100
"""Files in each of a tree's folders."""
THREADS = 32


class Trees:
    """Each verb is asked of a server of its own, which knows nothing of the tree."""

    name = "trees"
    peers = (DAVBRIDGE, *RCLONES)

    def __init__(self, objects: int) -> None:
        self._objects = objects
        what = f"a tree of {objects:,}, 20 ms"
        self.rows = (
            # With a cache on disk rclone copies what it has read before, and uploads it later.
            Row("copy", f"COPY {what}", Unit.SECONDS, (TimesBetter(40, "rclone off"),)),
            Row(
                "move",
                f"MOVE {what}",
                Unit.SECONDS,
                (TimesBetter(12), TimesBetter(4, "rclone tuned")),
            ),
            Row("delete", f"DELETE {what}", Unit.SECONDS, (TimesBetter(50),)),
        )

    def prepare(self, bench: Bench) -> None:
        for objects in {bench.sizes.share(self._objects, peer) for peer in self.peers}:
            bench.fill(f"tree-{objects}", _tree(objects))

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        objects = bench.sizes.share(self._objects, peer)
        whole = as_stored(_tree(objects))
        source, mark = f"tree-{objects}", uuid.uuid4().hex[:6]
        copied, moved = f"copied-{mark}", f"moved-{mark}"

        def step(verb: str, folder: str, target: str | None, after: _State) -> Sample:
            sample, lateness = _ask(bench, peer, _Step(verb, folder, target, after))
            # A server that writes late waits for a fixed time, mostly.
            return late(scaled(sample, objects, self._objects), lateness)

        yield "copy", step("COPY", source, copied, {source: whole, copied: whole})
        yield "move", step("MOVE", copied, moved, {copied: {}, moved: whole})
        yield "delete", step("DELETE", moved, None, {moved: {}})

    def measure_limit(self, bench: Bench) -> Measured:
        source, mark = f"tree-{self._objects}/", uuid.uuid4().hex[:6]
        copied, moved = f"copied-{mark}/", f"moved-{mark}/"
        note = f"boto3, {THREADS} threads"
        with bench.straight(latency=True) as straight, ThreadPoolExecutor(THREADS) as pool:
            yield "copy", _timed(straight, lambda: _copy(straight, pool, source, copied), note)
            yield "move", _timed(straight, lambda: _move(straight, pool, copied, moved), note)
            yield "delete", _timed(straight, lambda: _delete(straight, moved), "boto3")


def _tree(objects: int) -> dict[str, int]:
    return {
        f"folder {at // FOLDER}/{name}": size
        for at, (name, size) in enumerate(files(objects).items())
    }


def _ask(bench: Bench, peer: Peer, step: _Step) -> tuple[Sample, float]:
    """What it took, and how many seconds later S3 was as it should be."""
    with bench.serving(peer, latency=True) as run, run.connect() as connection:
        origin = f"http://127.0.0.1:{run.server.port}"
        headers = {"Destination": f"{origin}/{step.target}/"} if step.target else {}
        watch = run.watch()
        answer = connection.ask(step.verb, f"/{step.folder}/", b"", headers)
        sample = watch.stop()
        expect_status(answer, (201, 204), step.verb)
        return sample, sum(bench.lateness(*each) for each in step.after.items())


def _timed(straight: Straight, work: Callable[[], None], note: str) -> Sample:
    watch = straight.watch()
    work()
    return watch.stop(note=note)


def _keys(straight: Straight, prefix: str) -> list[str]:
    lister = straight.client.get_paginator("list_objects_v2")
    pages = lister.paginate(Bucket=BUCKET, Prefix=prefix)
    return [row["Key"] for page in pages for row in page.get("Contents", ())]


def _copy(straight: Straight, pool: Executor, source: str, target: str) -> None:
    def copy(key: str) -> None:
        straight.client.copy_object(
            Bucket=BUCKET,
            Key=target + key.removeprefix(source),
            CopySource={"Bucket": BUCKET, "Key": key},
        )

    for _ in pool.map(copy, _keys(straight, source)):
        pass


def _move(straight: Straight, pool: Executor, source: str, target: str) -> None:
    """Copies, looks whether they are there, and deletes, as whoever fears for the data does."""
    _copy(straight, pool, source, target)
    _keys(straight, target)
    _delete(straight, source)


def _delete(straight: Straight, prefix: str) -> None:
    keys = _keys(straight, prefix)
    for start in range(0, len(keys), 1000):
        objects: list[ObjectIdentifierTypeDef] = [
            {"Key": key} for key in keys[start : start + 1000]
        ]
        straight.client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects, "Quiet": True})
