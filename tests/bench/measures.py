"""What is measured: samples, the rows they belong to, and the goals these have."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import NamedTuple, Protocol


class Unit(Enum):
    """What a figure is in, and whether more of it is better."""

    SECONDS = "s"
    MB_PER_SECOND = "MB/s"
    PER_SECOND = "/s"
    MIB = "MiB"
    ROUND_TRIPS = "round trips"

    @property
    def more_is_better(self) -> bool:
        return self in (Unit.MB_PER_SECOND, Unit.PER_SECOND)


class Sample(NamedTuple):
    """One measurement of one contestant."""

    value: float
    note: str = ""
    """What a reader has to know beside it."""
    requests: int | None = None
    """To S3, where they were counted."""
    rounds: int | None = None
    """Of those, how many had to wait for one another."""
    cpu: float | None = None
    """Seconds of processor time that the contestant took; the store's aren't in it."""


class Figure(NamedTuple):
    """What a contestant has reached in a row."""

    value: float | None
    """The median; None where it failed, and ``note`` says how."""
    note: str = ""
    requests: int | None = None
    rounds: int | None = None
    cpu: float | None = None
    times: int = 1


def figure(samples: Iterable[Sample | str]) -> Figure:
    """The median of samples; a text among them is a failure, and the contestant's figure then."""
    samples = list(samples)
    failures = [each for each in samples if isinstance(each, str)]
    if failures:
        return Figure(None, failures[0], times=len(samples))
    good = sorted(each for each in samples if isinstance(each, Sample))
    middle = good[(len(good) - 1) // 2]
    value = median(each.value for each in good)
    return Figure(value, *middle[1:], times=len(good))


def times_better(mine: float, other: float, unit: Unit) -> float:
    """How many times better mine is than the other's."""
    return mine / other if unit.more_is_better else other / mine


class Standing(NamedTuple):
    """A row's figures, as far as goals need them."""

    unit: Unit
    mine: Figure
    others: dict[str, Figure]
    """By the contestants' names; ``rclone`` is the best of its modes, and ``raw`` of the limits."""

    def times_better_than(self, name: str) -> float | None:
        other = self.others.get(name)
        if other is None or other.value is None or self.mine.value is None:
            return None
        return times_better(self.mine.value, other.value, self.unit)


class Goal(Protocol):
    """What a row is held to."""

    def __str__(self) -> str: ...

    def is_met(self, standing: Standing) -> bool | None:
        """None where the run can't tell."""


@dataclass(frozen=True, slots=True)
class TimesBetter:
    """So many times better than a contestant; less than once is a share."""

    times: float
    than: str = "rclone"

    def __str__(self) -> str:
        if self.times < 1:
            return f"{self.times:.0%} of {self.than}"
        return f"{self.times:g} times {self.than}"

    def is_met(self, standing: Standing) -> bool | None:
        reached = standing.times_better_than(self.than)
        return None if reached is None else reached >= self.times


@dataclass(frozen=True, slots=True)
class AtMost:
    """A figure's absolute bound."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        return f"at most {self.value:g} {self.unit.value}"

    def is_met(self, standing: Standing) -> bool | None:
        return None if standing.mine.value is None else standing.mine.value <= self.value


@dataclass(frozen=True, slots=True)
class InARow:
    """A bound on the S3 requests that had to wait for one another."""

    rounds: int

    def __str__(self) -> str:
        return f"at most {self.rounds} round trips"

    def is_met(self, standing: Standing) -> bool | None:
        mine = standing.mine
        return None if mine.value is None else (mine.rounds or 0) <= self.rounds


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    key: str
    title: str
    unit: Unit
    goals: tuple[Goal, ...] = ()
