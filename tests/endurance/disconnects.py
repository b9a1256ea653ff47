"""Clients that go away in the middle of a PUT, at any point: nothing is committed.

What was there before stays: its bytes, its entity tag, its dead property.
"""

from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario
from tests.support.buckets import Bucket, Stored, fresh_bucket
from tests.support.properties import property_of, set_property
from tests.support.served import Served, served
from tests.support.wire import RawClient

OLD = "old.bin"
OLD_BODY = b"the old version"
COLOUR = "blue"

SMALL_BODY = 100_000
LARGE_BODY = 12 * 1024 * 1024
"""More than a part, so that a multipart upload is under way."""


class Size(NamedTuple):
    points: int
    large_one_in: int


class Cut(NamedTuple):
    """A PUT, and where it ends too soon."""

    name: str
    head: bytes
    body: bytes
    """As on the wire."""
    after: int
    """Bytes of the body that are sent."""
    is_reset: bool

    def __str__(self) -> str:
        how = "RST" if self.is_reset else "FIN"
        return f"{self.name}, {how} after {self.after} of {len(self.body)}: {self.head!r}"


def run(ground: Ground, size: Size) -> Result:
    with fresh_bucket(ground.store) as bucket:
        with served(bucket, ground.folder) as server:
            before = prepare(server, bucket)
            done, broken = cut_many(ground, size, server)
            # What is under way still has ended once the server has.
            server.end()
        broken += changes(bucket, before)
        with served(bucket, ground.folder) as server, server.client() as client:
            if property_of(client, f"/{OLD}") != COLOUR:
                broken.append(f"{OLD} has lost its property")
    return Result({"disconnects": f"{done:,}"}, tuple(broken))


def prepare(server: Served, bucket: Bucket) -> dict[str, Stored]:
    with server.client() as client:
        assert client("PUT", f"/{OLD}", OLD_BODY).status == 201
        set_property(client, f"/{OLD}", COLOUR)
    return {key: bucket.get(key) for key in bucket.listed()}


def cut_many(ground: Ground, size: Size, server: Served) -> tuple[int, list[str]]:
    random = ground.random()
    done, broken = 0, []
    for number in ground.rounds(size.points):
        cut = any_cut(random, number, is_large=number % size.large_one_in == 0)
        status = play(cut, server.port)
        if status not in (None, 400):
            broken.append(f"{status} for {cut}")
        done += 1
    return done, broken


def any_cut(random: Random, number: int, *, is_large: bool) -> Cut:
    name = random.choice([OLD, f"new-{number}.bin"])
    content = random.randbytes(LARGE_BODY if is_large else random.randint(1, SMALL_BODY))
    chunks = list(chunked(random, content))
    if random.random() < 0.5:
        head, body, edges = b"Content-Length: %d" % len(content), content, [0, len(content)]
    else:
        head, body = b"Transfer-Encoding: chunked", b"".join(chunks)
        edges = [0, len(body)]
        for chunk in chunks:
            edges.append(edges[-1] + len(chunk) if len(edges) > 2 else len(chunk))
    after = random.randrange(len(body))
    if random.random() < 0.5:  # where one thing ends and another begins
        after = min(max(random.choice(edges) + random.randint(-4, 4), 0), len(body) - 1)
    return Cut(name, head, body, after, random.random() < 0.5)


def chunked(random: Random, content: bytes) -> Iterator[bytes]:
    """As RFC 9112 §7.1 has it, the last chunk included."""
    at = 0
    while at < len(content):
        data = content[at : at + random.randint(1, max(len(content) // 4, 1))]
        yield b"%x\r\n%b\r\n" % (len(data), data)
        at += len(data)
    yield b"0\r\n\r\n"


def play(cut: Cut, port: int) -> int | None:
    """The status that the client was told, if it waited for one and got it."""
    with RawClient(port) as client:
        client.send(
            b"PUT /%b HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % (cut.name.encode(), cut.head)
        )
        client.send(cut.body[: cut.after])
        if cut.is_reset:
            client.reset()
            return None
        client.finish_sending()
        with suppress(ConnectionError):
            return client.answer().status
    return None


def changes(bucket: Bucket, before: dict[str, Stored]) -> list[str]:
    """What isn't as it was."""
    after = {key: bucket.get(key) for key in bucket.listed()}
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    uploads = bucket.open_uploads()
    return [f"{key} has changed" for key in keys] + [f"{key} is open still" for key in uploads]


DISCONNECTS = Scenario(
    name="disconnects",
    promise="a PUT whose client goes away changes nothing",
    short=Size(points=40, large_one_in=20),
    long=Size(points=500, large_one_in=5),
    run=run,
)
