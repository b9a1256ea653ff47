"""davbridge is killed while it moves folders: each move completes, and nothing is lost.

Several folders are moved at once when the kill comes. After a restart, every other one is asked for
again by its client, as one that got no answer does, and the bridge has to finish the rest by
itself. To some, others have written meanwhile: a new member, and a member anew. Those have to stay.
"""

import http.client
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from threading import Timer
from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario
from tests.endurance.journals import PATIENCE, open_journals
from tests.endurance.works import etag_of
from tests.support.buckets import Bucket, fresh_bucket
from tests.support.served import Served, served

FOLDERS = 10
"""In each tree."""

WRITTEN = b"by somebody else"


class Size(NamedTuple):
    kills: int
    moves: int
    """Under way at each of them."""
    members: int
    """Of each folder that is moved."""


class Move(NamedTuple):
    """A folder, where it goes, and how."""

    source: str
    target: str
    members: Mapping[str, bytes]
    is_asked_again: bool
    writes: Mapping[str, bytes]
    """What somebody else puts into the source once the bridge is dead."""


def run(ground: Ground, size: Size) -> Result:
    with fresh_bucket(ground.store) as bucket:
        seconds = 0.0
        kills, cut, asked, broken = 0, 0, 0, []
        for number in ground.rounds(size.kills):
            random = ground.random(number)
            moves = list(moves_of(str(number), random, size))
            with served(bucket, ground.folder) as server:
                seconds = seconds or time_of(server, bucket, moves)
                fill(bucket, moves)
                timer = Timer(random.uniform(0, seconds), server.kill)
                timer.start()
                statuses = ask_all(server, moves)
                timer.join()
            broken += [f"{move.source}: {s}" for move, s in statuses if s not in (None, 201)]
            cut += sum(status is None for _, status in statuses)
            begun = [move for move, _ in statuses if has_begun(bucket, move)]
            write(bucket, begun)
            with served(bucket, ground.folder) as server:
                again = [
                    m for m, s in statuses if s is None and (m.is_asked_again or m not in begun)
                ]
                asked += len(again)
                broken += retry(server, again)
                broken += settle(bucket, moves)
                clean_up(server, moves)
            kills += 1
    figures = {"kills": f"{kills} within {seconds:.1f} s", "moves cut": f"{cut}"}
    return Result(figures | {"asked for again": f"{asked}"}, tuple(broken))


def moves_of(mark: str, random: Random, size: Size) -> Iterator[Move]:
    for number in range(size.moves):
        members = {
            f"folder {at % FOLDERS}/{at:05}.bin": random.randbytes(random.randrange(2000))
            for at in range(size.members)
        }
        rewritten = random.choice(sorted(members))
        writes = {"new.bin": WRITTEN, rewritten: members[rewritten]} if number % 4 > 1 else {}
        name = f"{mark}-{number}"
        yield Move(f"from-{name}/", f"to-{name}/", members, number % 2 == 0, writes)


def fill(bucket: Bucket, moves: list[Move]) -> None:
    with ThreadPoolExecutor(16) as pool:
        for move in moves:
            keys = (move.source + name for name in move.members)
            for _ in pool.map(bucket.put, keys, move.members.values()):
                pass


def time_of(server: Served, bucket: Bucket, moves: list[Move]) -> float:
    """Seconds that the moves take where nobody is killed, and a tenth more."""
    fill(bucket, moves)
    began_at = time.monotonic()
    assert [status for _, status in ask_all(server, moves)] == [201] * len(moves)
    seconds = time.monotonic() - began_at
    clean_up(server, moves)
    return seconds * 1.1


def ask_all(server: Served, moves: list[Move]) -> list[tuple[Move, int | None]]:
    """All at once; those whose connection broke have no status."""
    with ThreadPoolExecutor(len(moves) or 1) as pool:
        return list(zip(moves, pool.map(lambda move: ask(server, move), moves), strict=True))


def ask(server: Served, move: Move) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    headers = {"Destination": f"{server.url}/{move.target}", "Overwrite": "F"}
    with closing(connection):
        try:
            connection.request("MOVE", f"/{move.source}", headers=headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


def has_begun(bucket: Bucket, move: Move) -> bool:
    """Whether a bridge that starts can know of it: its first copy is there."""
    return bool(bucket.below(move.target).listed())


def write(bucket: Bucket, moves: list[Move]) -> None:
    """As somebody who doesn't care for davbridge. A second later: S3's times are to the second."""
    time.sleep(1.1)
    for move in moves:
        for name, body in move.writes.items():
            bucket.put(move.source + name, body)


def retry(server: Served, moves: list[Move]) -> list[str]:
    """Its client asks again for what it got no answer to."""
    right = {True: (207, 201, 404, 412), False: (201, 404)}
    return [
        f"{move.source}, asked for again: {status}"
        for move, status in ask_all(server, moves)
        if status not in right[bool(move.writes)]
    ]


def settle(bucket: Bucket, moves: list[Move]) -> list[str]:
    """Waits until nothing is left to be done. What isn't as it should be then."""
    broken = [f"a journal is left: {key}" for key in open_journals(bucket)]
    return broken + [each for move in moves for each in differences(bucket, move)]


def differences(bucket: Bucket, move: Move) -> list[str]:
    """Of what is there to what has to be."""
    source, target = (files_in(bucket, folder) for folder in (move.source, move.target))
    written = {name: etag_of(body) for name, body in move.writes.items()}
    moved = {name: etag_of(body) for name, body in move.members.items()}
    stays = {name: tag for name, tag in written.items() if source.get(name) == tag}
    # What was written before it was copied is where it was written, and need not be there.
    wrong = [n for n in moved.keys() - stays.keys() if target.get(n) != moved[n]]
    broken = [f"{move.target}{name} is wrong" for name in wrong]
    broken += [f"{move.source}{name} is left" for name in source.keys() - stays.keys()]
    if source:
        lost = written.keys() - stays.keys()
        broken += [f"{move.source}{name} was written, and is lost" for name in lost]
    return broken


def files_in(bucket: Bucket, folder: str) -> dict[str, str]:
    """Their entity tags, by their names."""
    found = bucket.below(folder).etags()
    return {name: tag for name, tag in found.items() if not name.endswith("/")}


def clean_up(server: Served, moves: list[Move]) -> None:
    with server.client() as client:
        for move in moves:
            for folder in (move.source, move.target):
                assert client("DELETE", f"/{folder}").status in (204, 404)


KILLED_MOVES = Scenario(
    name="killed-moves",
    promise="a MOVE whose davbridge is killed is completed by another, and nothing is lost",
    short=Size(kills=1, moves=4, members=100),
    long=Size(kills=13, moves=4, members=1000),
    run=run,
)
