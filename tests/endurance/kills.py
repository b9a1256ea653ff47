"""davbridge is killed while it is written to: each file is the old one or the new one, whole.

At every kill four PUTs are under way: small and large, of new names and of old ones. One that was
answered is there for good; of the others either version is. What a killed upload leaves in the
store is swept away.
"""

import http.client
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from threading import Timer
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.process import environment, run_davbridge
from tests.support.properties import property_of, set_property
from tests.support.served import Served, served

MIB = 1024 * 1024

COLOUR = "blue"

AT_ONCE = 4
"""PUTs."""

Bodies = dict[str, bytes]
"""By name."""


class Size(NamedTuple):
    kills: int
    large: int
    """Bytes. More than a part, so that a multipart upload is under way."""


def run(ground: Ground, size: Size) -> Result:
    with fresh_bucket(ground.store) as bucket:
        there: Bodies = {}
        commits, broken, seconds = [], [], 0.0
        for number in ground.rounds(size.kills):
            random = ground.random(number)
            with served(bucket, ground.folder) as server:
                seconds = seconds or prepare(server, there, versions(random, 0, size))
                new = versions(random, number + 1, size)
                answered = put_and_kill(server, new, random.uniform(0, seconds))
            broken += settle(bucket, there, new, answered)
            commits.append(len(answered))
        left = len(bucket.open_uploads())
        broken += sweep(bucket)
        broken += last_look(ground, bucket, there)
    figures = {"kills": f"{len(commits):,} within {seconds:.1f} s of {AT_ONCE} PUTs"}
    figures |= {"PUTs answered before": f"{sum(commits):,}", "uploads swept": f"{left:,}"}
    return Result(figures, tuple(broken))


def versions(random: Random, number: int, size: Size) -> Bodies:
    """What is to be written: over old names, and under new ones."""
    small, large = random.randint(1, 100_000), size.large + random.randrange(MIB)
    return {
        "old-small": random.randbytes(small),
        "old-large": random.randbytes(large),
        f"new-small-{number}": random.randbytes(small),
        f"new-large-{number}": random.randbytes(large),
    }


def prepare(server: Served, there: Bodies, first: Bodies) -> float:
    """Writes the first versions; the seconds that it takes to write them, and a few more."""
    for _ in range(2):  # a server's first requests take longer
        began_at = time.monotonic()
        assert put_all(server, first).keys() == first.keys()
        took = time.monotonic() - began_at
    with server.client() as client:
        for name in first:
            set_property(client, f"/{name}", COLOUR)
    there |= first
    return took * 1.2


def put_and_kill(server: Served, new: Bodies, after: float) -> Mapping[str, int]:
    """Statuses of those that were answered."""
    timer = Timer(after, server.kill)
    timer.start()
    answered = put_all(server, new)
    timer.join()
    return answered


def put_all(server: Served, bodies: Bodies) -> Mapping[str, int]:
    """All at once. Those whose connection broke have no status."""

    def put(name: str) -> tuple[str, int | None]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with closing(connection):
            try:
                connection.request("PUT", f"/{name}", bodies[name])
                return name, connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return name, None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {name: status for name, status in pool.map(put, bodies) if status is not None}


def settle(bucket: Bucket, there: Bodies, new: Bodies, answered: Mapping[str, int]) -> list[str]:
    """Takes over what the bucket has now. What of it can't be."""
    broken = [f"{name}: {status}" for name, status in answered.items() if status // 100 != 2]
    listed = set(bucket.listed())
    for name, body in new.items():
        found = bucket.get(name).body if name in listed else None
        may_be = [body] if name in answered else [body, there.get(name)]
        if found not in may_be:
            what = "gone" if found is None else "neither the old nor the new one"
            broken.append(f"{name} is {what}")
        if found is not None:
            there[name] = found
    return broken


def sweep(bucket: Bucket) -> list[str]:
    """``davbridge sweep``, for which a second is age enough; the parts that it leaves. An upload
    that was killed before its first part has no mark yet, and holds nothing."""
    time.sleep(2)
    command = ["sweep", bucket.name, "--endpoint-url", bucket.endpoint.url, "--older-than", "1s"]
    done = run_davbridge(*command, environ=environment(bucket.endpoint))
    assert done.returncode == 0, done.stderr
    return [f"{key} has parts still" for key in bucket.open_uploads() if has_parts(bucket, key)]


def has_parts(bucket: Bucket, key: str) -> bool:
    """Whether any upload at ``key`` holds anything."""
    uploads = bucket.client.list_multipart_uploads(Bucket=bucket.name, Prefix=bucket.prefix + key)
    return any(
        "Parts"
        in bucket.client.list_parts(Bucket=bucket.name, Key=each["Key"], UploadId=each["UploadId"])
        for each in uploads.get("Uploads", ())
    )


def last_look(ground: Ground, bucket: Bucket, there: Bodies) -> list[str]:
    """Whether a bridge shows all of what is there, and the properties of what is as old."""
    with served(bucket, ground.folder) as server, server.client() as client:
        broken = [
            f"{name} reads as something else"
            for name in there
            if client("GET", f"/{name}").body != there[name]
        ]
        return broken + [
            f"{name} has lost its property"
            for name in ("old-small", "old-large")
            if name in there and property_of(client, f"/{name}") != COLOUR
        ]


KILLS = Scenario(
    name="kills",
    promise="davbridge killed during PUTs leaves each file old or new, and no parts after a sweep",
    short=Size(kills=1, large=9 * MIB),
    long=Size(kills=200, large=20 * MIB),
    run=run,
)
