"""Random operations that overlap, over one bridge and two: what is there is what an order gives.

The cases are the tree's own (tests/tree/overlapping.py): one operation is held at one of its
requests to the store, before it or after it, while others run over the same bridge or another, or
another bridge takes it for dead. A case that fails is shortened by leaving out steps.
"""

from typing import NamedTuple

from tests.endurance.base import Ground, Result, Scenario
from tests.tree.overlaps import Maker, failure_of
from tests.tree.shortening import shortened

BATCH = 50
"""Cases in a round."""


class Size(NamedTuple):
    cases: int


def run(ground: Ground, size: Size) -> Result:
    done = 0
    for number in ground.rounds(-(-size.cases // BATCH)):
        maker = Maker(ground.random(number))
        for _ in range(min(BATCH, size.cases - done)):
            if failure := failure_of(maker.case()):
                return Result({"cases": f"{done:,}"}, (str(shortened(failure)),))
            done += 1
    return Result({"cases": f"{done:,}"})


OVERLAPS = Scenario(
    name="overlaps",
    promise="operations that overlap end as in one order, and through two bridges lose nothing",
    short=Size(cases=300),
    long=Size(cases=50_000),
    run=run,
)
