"""What a scenario is: how it is asked to run, and what it has to tell.

A scenario comes in two sizes of the same work: `short` takes seconds, within
tests/run.py; `long` takes minutes, by tests/soak.py. Must not know which scenarios there are.

Invariants: all that is left to chance follows from `Ground.seed`; a scenario that runs out of time
stops at the end of a round, and its figures say how far it got.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from pathlib import Path
from random import Random
from typing import Generic, NamedTuple, TypeVar

from tests.support.bridge import Client
from tests.support.endpoints import Endpoint

Size = TypeVar("Size")

TELL_EVERY = 5.0
"""Seconds."""

PATIENCE = 300.0
"""Seconds that a client waits: on a busy machine a fault would be made up otherwise."""


class Result(NamedTuple):
    """What a run has come to."""

    figures: Mapping[str, str]
    """What was done, and what it cost, each in a few words."""
    broken: tuple[str, ...] = ()
    """Promises that weren't kept. None: it has passed."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a scenario works on."""

    store: Endpoint
    """A SeaweedFS. What a scenario puts into it, it takes away again."""
    folder: Path
    """The scenario's own, and empty."""
    seed: int
    tell: Callable[[str], None]
    """Takes a line about how far it is."""
    ends_at: float = inf
    """When no other round is begun, by time.monotonic."""

    def random(self, of: object = "") -> Random:
        """The same each time for one seed and one use."""
        return Random(f"{self.seed}/{of}")

    def rounds(self, count: int) -> Iterator[int]:
        """The numbers from 0, as long as there is time. Tells how far it is every few seconds."""
        tell_at = time.monotonic() + TELL_EVERY
        for number in takewhile(lambda _: time.monotonic() < self.ends_at, range(count)):
            yield number
            if time.monotonic() > tell_at:
                self.tell(f"{number + 1:,} of {count:,}")
                tell_at = time.monotonic() + TELL_EVERY


def patient_client(port: int) -> "closing[Client]":
    """A keep-alive connection to a server on loopback."""
    return closing(Client(port, {}, PATIENCE))


class Scenario(NamedTuple, Generic[Size]):
    """One promise, and the work that could break it."""

    name: str
    promise: str
    """In one line, as the table has it."""
    short: Size
    long: Size
    run: Callable[[Ground, Size], Result]
    """Any exception is a failure, too."""
