"""Random operations on a drive, and on a model of it that fits on a page: they never diverge.

The model and the steps are the tree's own (tests/tree/drives.py), over the reference store and
a cache, with hostile writes from outside. There Hypothesis makes up the steps; here chance does,
which is several times as fast, and a sequence that diverges is shortened by leaving out steps.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from davbridge.paths import ResourcePath
from tests.endurance.base import Ground, Result, Scenario
from tests.tree.drives import CachedDrives

ALIKE = ["a", "-", "aa", "a-", "-a", "--", "aaa", "aa-", "a-a", "a--", "-aa", "-a-", "--a", "---"]
"""All of ``[a-]{1,3}``: neighbours in every order, and collisions."""

ODD = [
    "A\u0308",  # decomposed, and the model has no composed one beside it
    "\u0301",
    "\U0001f389",
    "\ufffd",  # before the one above in UTF-8, and after it in UTF-16
    "\u200d\u202e",
    " ",
    "a b ",
    "a\u00a0",
    "%2F",
    "a+b",
    "\x01",
    "a\\b",
    ".a.",
    "~",
]

LOOKS = 0.2
"""The share of steps after which all of the drive is looked at."""

BATCH = 50
"""Sequences in a round."""


class Step(NamedTuple):
    """A method of the machine, and what it is given."""

    name: str
    paths: tuple[ResourcePath, ...]
    more: tuple[Any, ...]
    looks: bool
    """At all of the drive afterwards; not always, so that what a cache keeps varies."""

    def take(self, drives: CachedDrives) -> None:
        getattr(drives, self.name)(*self.paths, *self.more)
        if self.looks:
            self.look(drives)

    def look(self, drives: CachedDrives) -> None:
        drives.the_drive_shows_what_the_model_holds()
        drives.the_bucket_holds_the_right_keys()


class Size(NamedTuple):
    sequences: int
    steps: int


def run(ground: Ground, size: Size) -> Result:
    done = 0
    for number in ground.rounds(-(-size.sequences // BATCH)):
        random = ground.random(number)
        for _ in range(min(BATCH, size.sequences - done)):
            if broken := diverge(random, size.steps):
                return Result({"sequences": f"{done:,}"}, (broken,))
            done += 1
    return Result({"sequences": f"{done:,} times {size.steps} steps"})


def diverge(random: Random, steps: int) -> str:
    """Takes steps at random. How the drive and the model come apart, in few steps; empty if they
    don't."""
    taken: list[Step] = []
    drives = CachedDrives()
    try:
        for _ in range(steps):
            taken.append(any_step(random, drives))
            taken[-1].take(drives)
        taken.append(taken.pop()._replace(looks=True))
        taken[-1].look(drives)
    except Exception as error:
        shortest = shortened(taken)
        return f"{type(error).__name__} after {[tuple(step) for step in shortest]}"
    finally:
        drives.teardown()
    return ""


def any_step(random: Random, drives: CachedDrives) -> Step:
    name, paths = random.choice(STEPS)
    there = drives.model.paths() or [("a",)]
    chosen = tuple(any_path(random, there) for _ in range(paths))
    more = tuple(random.choice(each) for each in MORE.get(name, ()))
    return Step(name, chosen, more, random.random() < LOOKS)


def any_path(random: Random, there: Sequence[ResourcePath]) -> ResourcePath:
    """One that is there, half of the time; else one inside of it, or anywhere."""
    kind = random.randrange(4)
    if kind < 2:
        return random.choice(there)
    names = random.choice([ALIKE, ODD])
    if kind == 2:
        return (*random.choice(there)[:3], random.choice(names))
    return tuple(random.choices(names, k=random.randint(1, 3)))


def shortened(steps: list[Step]) -> list[Step]:
    """Leaves out whatever isn't needed for it to fail."""
    at = 0
    while at < len(steps):
        shorter = steps[:at] + steps[at + 1 :]
        if fails(shorter):
            steps = shorter
        else:
            at += 1
    return steps


def fails(steps: Sequence[Step]) -> bool:
    drives = CachedDrives()
    try:
        for step in steps:
            step.take(drives)
    except Exception:
        return True
    finally:
        drives.teardown()
    return False


BODIES = [b"x", b"y", b"yy"]

STEPS = [
    ("put", 1),
    ("make_collection", 1),
    ("set_property", 1),
    ("delete", 1),
    ("copy", 2),
    ("move", 2),
    ("outside_put", 1),
    ("outside_marker", 1),
    ("outside_suffixed", 1),
    ("outside_bare", 1),
    ("outside_delete", 1),
]
"""Methods, and how many paths they take."""

MORE: dict[str, list[list[Any]]] = {
    "put": [BODIES],
    "outside_put": [BODIES],
    "set_property": [["<p xmlns='n'>x</p>", "<p xmlns='n'>y</p>"]],
}
"""What they take beside."""

MODEL = Scenario(
    name="model",
    promise="a drive shows, and does, what its model does",
    short=Size(sequences=2000, steps=30),
    long=Size(sequences=100_000, steps=30),
    run=run,
)
