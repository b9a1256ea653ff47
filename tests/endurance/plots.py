"""What a round of `crossings` is about: what is there, and what its three clients ask for."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from davbridge.paths import ResourcePath
from tests.tree.model import Model
from tests.tree.possible_states import taken

BRIDGES = 3

STEPS = 3
"""Of each client in a round."""

EQUAL = b"equal"

METHODS = {
    "put": "PUT",
    "make_collection": "MKCOL",
    "move": "MOVE",
    "copy": "COPY",
    "delete": "DELETE",
}


class Step(NamedTuple):
    """What a client asks for, in the words of `Model`. Paths are below the round's folder."""

    verb: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        words = (
            "/".join(each) if isinstance(each, tuple) else repr(each) for each in self.arguments
        )
        return f"{METHODS[self.verb]} {' '.join(words)}"


class Plot(NamedTuple):
    """What a round is about."""

    before: Sequence[Step]
    clients: Sequence[Sequence[Step]]
    """What each of them asks for, one after the other."""


def model_of(steps: Sequence[Step]) -> Model:
    model = Model()
    for step in (Step("put", (("stays",), b"")), *steps):
        changed = taken(model, *step)
        assert changed is not None, step
        model = changed
    return model


def plot_of(random: Random) -> Plot:
    return random.choice(PLOTS)(random)


def pair(random: Random) -> Plot:
    """Two names that are moved onto one another."""
    return circle_of(random, [("a",), ("b",)])


def circle(random: Random) -> Plot:
    """Three names that are moved in a circle."""
    return circle_of(random, [("a",), ("b",), ("c",)])


def circle_of(random: Random, names: list[ResourcePath]) -> Plot:
    make = random.choice((file, folder))
    is_equal = random.random() < 0.5
    before = [step for at, name in enumerate(names) for step in make(name, at, is_equal=is_equal)]
    count = random.randint(1, STEPS)
    moves = [
        Step("move", (name, names[(at + 1) % len(names)])) for at, name in enumerate(names)
    ] + [any_step(random, 9)] * (BRIDGES - len(names))
    return Plot(before, [[move] * count for move in moves])


def file(name: ResourcePath, number: int, *, is_equal: bool) -> list[Step]:
    return [Step("put", (name, EQUAL if is_equal else b"file %d" % number))]


def folder(name: ResourcePath, number: int, *, is_equal: bool) -> list[Step]:
    members = [file((*name, each), number, is_equal=is_equal) for each in ("x", "y")]
    return [Step("make_collection", (name,)), *(step for steps in members for step in steps)]


def shared(random: Random) -> Plot:
    """Names that are files and folders."""
    before = [*file(("a",), 0, is_equal=False), *folder(("b",), 1, is_equal=False)]
    numbers = iter(range(10, 100))
    clients = [[any_step(random, next(numbers)) for _ in range(STEPS)] for _ in range(BRIDGES)]
    return Plot(before, clients)


def any_step(random: Random, number: int) -> Step:
    [verb] = random.choices(("put", "make_collection", "move", "copy", "delete"), (4, 4, 5, 1, 1))
    one, other = random.sample(NAMES, 2)
    if verb == "put":
        return Step(verb, (one, random.choice((EQUAL, b"body %d" % number))))
    if verb not in ("move", "copy"):
        return Step(verb, (one,))
    return Step(verb, (one, other)) if one[0] != other[0] else any_step(random, number)


NAMES: Sequence[ResourcePath] = (("a",), ("b",), ("c",), ("a", "x"), ("b", "x"))

PLOTS: Sequence[Callable[[Random], Plot]] = (pair, circle, shared, shared)
