"""Files far larger than the memory that a bridge has for them: one, and several at once.

The bytes are all sent, and all read back from the store. There they take little room: SeaweedFS
packs what repeats itself.
"""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import zip_longest
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.proc import MIB, most_resident
from tests.support.served import Served, served

GIB = 1024 * MIB

LIMIT = 272 * MIB
"""What all uploads together may take, 192 MiB, and what davbridge takes without any."""


class Size(NamedTuple):
    alone: int
    """Bytes of the one."""
    each: int
    """Bytes of those that go up at once."""
    files: int


def run(ground: Ground, size: Size) -> Result:
    figures, broken = {}, []
    cases = [[size.alone], [size.each] * size.files]
    for case in ground.rounds(len(cases)):
        sizes = cases[case]
        what = f"{len(sizes)} of {sizes[0] / GIB:.2g} GiB"
        ground.tell(what)
        with fresh_bucket(ground.store) as bucket:
            with served(bucket, ground.folder) as server:
                with ThreadPoolExecutor(len(sizes)) as pool:
                    statuses = list(pool.map(put, [server] * len(sizes), range(len(sizes)), sizes))
                most = most_resident(server.pid)
            if set(statuses) != {201}:
                broken.append(f"{what}: {statuses}")
            broken += [
                f"{what}: number {number} is stored as something else"
                for number, each in enumerate(sizes)
                if not is_whole(bucket, number, each)
            ]
            broken += [f"{what}: {key} is open still" for key in bucket.open_uploads()]
        figures[what] = f"{most / MIB:.0f} MiB resident at the most"
        if most > LIMIT:
            broken.append(f"{what}: {figures[what]}")
    return Result(figures, tuple(broken))


def put(server: Served, number: int, size: int) -> int:
    """The status. Every other one is sent in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    headers = {} if number % 2 else {"Content-Length": str(size)}
    with closing(connection):
        body = blocks(number, size)
        connection.request("PUT", f"/{number}", body, headers, encode_chunked=not headers)
        return connection.getresponse().status


def blocks(number: int, size: int) -> Iterator[bytes]:
    """No MiB like another, in this file or any other."""
    return (b"%08d%08d" % (number, at) * (MIB // 16) for at in range(size // MIB))


def is_whole(bucket: Bucket, number: int, size: int) -> bool:
    body = bucket.client.get_object(Bucket=bucket.name, Key=str(number))["Body"]
    with closing(body):
        pairs = zip_longest(body.iter_chunks(MIB), blocks(number, size))
        return all(stored == sent for stored, sent in pairs)


LARGE = Scenario(
    name="large",
    promise="files of any size go up within the memory that all uploads share",
    short=Size(alone=48 * MIB, each=16 * MIB, files=4),
    long=Size(alone=10 * GIB, each=GIB, files=8),
    run=run,
)
