"""What a scenario is, and what scenarios share."""

import random
from collections.abc import Iterator, Mapping
from typing import Protocol

from tests.bench import seed
from tests.bench.bench import Bench, Stored
from tests.bench.measures import Row, Sample
from tests.bench.peers import Peer

Measured = Iterator[tuple[str, Sample]]
"""Samples by the keys of their rows. What was measured before an error counts."""

KIB = 1 << 10
MIB = 1 << 20
MB = 1e6

ALL_PROPERTIES = {"Depth": "1"}
"""A PROPFIND without a body, as Explorer's: every property."""


class Scenario(Protocol):
    """Some rows of the table that are measured together."""

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> tuple[Row, ...]: ...

    @property
    def peers(self) -> tuple[Peer, ...]: ...

    def prepare(self, bench: Bench) -> None:
        """Puts into the store what all contestants are to find there."""

    def measure(self, bench: Bench, peer: Peer) -> Measured:
        """Once, from a cold start."""

    def measure_limit(self, bench: Bench) -> Measured:
        """The same work without a server."""


def scaled(sample: Sample, done: int, whole: int) -> Sample:
    """A sample of ``done`` for all of ``whole``, said so."""
    if done == whole:
        return sample
    factor = whole / done
    note = f"{done} measured, times {factor:g}"
    return Sample(
        sample.value * factor,
        f"{note}; {sample.note}" if sample.note else note,
        sample.requests and round(sample.requests * factor),
        sample.rounds and round(sample.rounds * factor),
        sample.cpu and sample.cpu * factor,
    )


def late(sample: Sample, lateness: float) -> Sample:
    """A time that ends when S3 has what was written."""
    late = f"S3 had it {lateness:.1f} s after the answer" if lateness > 0.1 else ""
    note = "; ".join(filter(None, (sample.note, late)))
    return sample._replace(value=sample.value + lateness, note=note)


def names(count: int) -> list[str]:
    return [f"file {number:05d}.bin" for number in range(count)]


def files(count: int, size: int = KIB) -> dict[str, int]:
    return dict.fromkeys(names(count), size)


def as_stored(sizes: Mapping[str, int]) -> dict[str, Stored]:
    """What a listing has to say of objects that `Bench.fill` has put."""
    return {name: Stored(size, seed.etag(name, size)) for name, size in sizes.items()}


def rated(sample: Sample, done: float) -> Sample:
    """A time as a rate: so much was done in it."""
    return sample._replace(value=done / sample.value)


def noise(size: int) -> bytes:
    """The same bytes each time, no MiB of them like another."""
    source = random.Random(1)
    return b"".join(source.randbytes(MIB) for _ in range(size // MIB))
