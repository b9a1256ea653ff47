"""One operation on a folder whose bridge stands still in the middle, and what must be there then.

Owns the phases of operations, the folder of each, and the book of what was acknowledged in it. Must
not know how a bridge is stopped.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random
from typing import NamedTuple

from davbridge.paths import parse
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.reserved_names import is_own
from tests.endurance.base import patient_client
from tests.support.buckets import Bucket
from tests.support.pauses import Moment, wait_for
from tests.support.served import Served

FILES = 20
"""In each folder."""

EQUAL = b"equal"

DELETES = ("DeleteObject", "DeleteObjects")

GHOST_SECONDS = 30.0
"""SeaweedFS removes emptied folders some time later."""


class Phase(NamedTuple):
    """Where an operation is interrupted."""

    verb: str
    at: str
    """What comes late: see `Job.moment`."""
    is_refused: bool = False
    """Whether the store refuses one of the copies, so that a MOVE is undone."""


PHASES = (
    Phase("MOVE", "journal"),
    Phase("MOVE", "first copy"),
    Phase("MOVE", "last copy"),
    Phase("MOVE", "look at the copies"),
    Phase("MOVE", "delete of the source"),
    Phase("MOVE", "delete of the source"),
    Phase("MOVE", "end"),
    Phase("MOVE", "look at the copies", is_refused=True),
    Phase("MOVE", "delete of the copies", is_refused=True),
    Phase("MOVE", "delete of the copies", is_refused=True),
    Phase("MOVE", "end", is_refused=True),
    Phase("COPY", "first copy"),
    Phase("COPY", "last copy"),
    Phase("DELETE", "delete of the source"),
)


@dataclass
class Job:
    """An operation, and its folder."""

    name: str
    phase: Phase
    is_equal: bool
    """Whether all of its files have the same content."""
    is_asked_again: bool
    """Whether its client asks another bridge when it gets no answer."""
    comes_back: bool
    """Whether somebody moves back what was moved."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What has to be there, by its key; of a MOVE at either end."""
    written: set[str] = field(default_factory=set)
    """The keys of those that users have written meanwhile."""
    has_left: bool = False
    """Whether who moved it back was answered that some files could not be deleted."""
    answers: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        return f"{self.name}-from/"

    @property
    def target(self) -> str:
        return f"{self.name}-to/"

    @property
    def moment(self) -> Moment:
        """What is held."""
        journal = OperationRequest("MOVE", parse(self.source), parse(self.target)).name
        return {
            "journal": Moment(("PutObject",), f"{journal}.plan"),
            "first copy": Moment(("CopyObject",), self.target),
            "last copy": Moment(("CopyObject",), self.target, skip=FILES - 1),
            "look at the copies": Moment(
                ("ListObjectsV2", "HeadObject"), self.target, after="CopyObject"
            ),
            "delete of the source": Moment(DELETES, self.source),
            "delete of the copies": Moment(DELETES, self.target),
            "end": Moment(DELETES, f"{journal}.plan"),
        }[self.phase.at]

    @property
    def refused(self) -> str:
        """To what nothing is copied."""
        return f"{self.target}{FILES // 2:03}" if self.phase.is_refused else "nothing at all"

    def __str__(self) -> str:
        refused = ", a copy refused" if self.phase.is_refused else ""
        kind = f"{self.phase.verb} at {self.phase.at}{refused}"
        return f"{self.name} ({kind}; {'; '.join(dict.fromkeys(self.answers))})"

    def note(self, fault: str, keys: Sequence[str]) -> None:
        """What is wrong with these keys, if there are any."""
        if keys:
            self.broken.append(f"{self}: {len(keys)} {fault}: {', '.join(sorted(keys)[:3])}")

    # Before

    def fill(self, bucket: Bucket, random: Random) -> None:
        for number in range(FILES):
            body = EQUAL if self.is_equal else random.randbytes(50)
            key = f"{self.source}{number:03}"
            self.files[key] = body
            bucket.put(key, body)

    def ask(self, server: Served, who: str) -> int:
        """The operation itself. 0 where there is no answer."""
        headers = {}
        if self.phase.verb != "DELETE":
            headers = {"Destination": f"{server.url}/{self.target}"}
        return self.request(server, who, self.phase.verb, self.source, None, headers)

    def request(
        self,
        server: Served,
        who: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        status = 0
        with patient_client(server.port) as client, suppress(HTTPException, OSError):
            status = client(method, f"/{path}", body, headers).status
        folder = path.removeprefix(self.name).partition("/")[0]
        self.answers.append(f"{who}: {method} {folder} {status}")
        return status

    # Meanwhile, over the other bridge

    def go_on(self, server: Served, bucket: Bucket) -> None:
        """What users do with it once the other bridge has ended it."""
        if self.phase.verb == "MOVE":
            self.move_back(server, bucket)
        elif self.phase.verb == "DELETE":
            self.ask(server, "again")
            self.files.clear()
            self.write(server, self.source, [f"{number:03}" for number in range(FILES)])
        else:
            self.ask(server, "again")
            self.write(server, self.target, ["000", "new"])

    def move_back(self, server: Served, bucket: Bucket) -> None:
        at_source, at_target = (files_in(bucket, each) for each in (self.source, self.target))
        home = self.source if at_source else self.target
        if self.comes_back and at_target and not at_source:
            headers = {"Destination": f"{server.url}/{self.source}"}
            status = self.request(server, "back", "MOVE", self.target, None, headers)
            home = self.source if status in (201, 204) else self.target
            self.has_left = status == 207
        # Where the other bridge has left some files, an old name may be at both ends.
        self.write(server, home, ["new"] if at_source and at_target else ["000", "new"])

    def write(self, server: Served, folder: str, names: Sequence[str]) -> None:
        """Files that somebody else needs, some of them under old names."""
        self.request(server, "user", "MKCOL", folder)
        for name in names:
            body = EQUAL if self.is_equal else f"written by a user: {self.name} {name}".encode()
            if self.request(server, "user", "PUT", folder + name, body) in (201, 204):
                self.files.pop(self.elsewhere(folder + name), None)
                self.files[folder + name] = body
                self.written.add(folder + name)

    def elsewhere(self, key: str) -> str:
        """Where else a file may be: at the other end of a MOVE."""
        name = key.partition("/")[2]
        if self.phase.verb != "MOVE":
            return key
        return (self.target if key.startswith(self.source) else self.source) + name

    # Afterwards

    def check(self, bucket: Bucket) -> None:
        there = {
            folder + name: body
            for folder in (self.source, self.target)
            for name, body in files_in(bucket, folder).items()
        }
        lost, other, twice = list[str](), list[str](), list[str]()
        for key, body in self.files.items():
            ends = {key, self.elsewhere(key)}
            found = [there[each] for each in ends if each in there]
            if body not in found:
                (other if found else lost).append(key)
            elif len(found) > 1 and not (self.has_left or self.written & ends):
                twice.append(key)
        self.note("files are lost", lost)
        self.note("files are others", other)
        self.note("files are at both ends", twice)
        folders = (self.source, self.target)
        wait_for(lambda: not ghosts(bucket, folders), GHOST_SECONDS)
        self.note("folders without files are left", ghosts(bucket, folders))


def files_in(bucket: Bucket, folder: str) -> dict[str, bytes]:
    below = bucket.below(folder)
    return {name: below.get(name).body for name in below.listed() if is_file(name)}


def is_file(name: str) -> bool:
    return not name.endswith("/") and not is_own(name)


def ghosts(bucket: Bucket, folders: Sequence[str]) -> list[str]:
    """Those that are there without a file in them."""
    found = []
    for folder in folders:
        answer = bucket.client.list_objects_v2(
            Bucket=bucket.name, Prefix=bucket.prefix + folder.rstrip("/"), Delimiter="/"
        )
        is_there = any(
            each["Prefix"] == bucket.prefix + folder for each in answer.get("CommonPrefixes", ())
        )
        if is_there and not files_in(bucket, folder):
            found.append(folder)
    return found
