"""Random operations on a tree, and on a model of it that fits on a page: they never diverge.

The machine and the model are the tree's own (tests/tree/test_model.py), over the reference store
and a cache, with hostile writes from outside.
"""

from typing import NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.endurance.base import Ground, Result, Scenario
from tests.tree.test_model import CachedDrives

BATCH = 100
"""Sequences that Hypothesis makes at once: what it remembers of them grows."""


class Size(NamedTuple):
    sequences: int
    steps: int


def run(ground: Ground, size: Size) -> Result:
    batches = -(-size.sequences // BATCH)
    done = 0
    for number in ground.rounds(batches):
        count = min(BATCH, size.sequences - done)
        play(ground.random(number).getrandbits(32), count, size.steps)
        done += count
    return Result({"sequences": f"{done:,} times {size.steps} steps"})


def play(chance: int, sequences: int, steps: int) -> None:
    """Raises what the first divergence raises, shrunk."""
    machine = seed(chance)(CachedDrives)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


MODEL = Scenario(
    name="model",
    promise="a drive shows, and does, what its model does",
    short=Size(sequences=100, steps=30),
    long=Size(sequences=100_000, steps=30),
    run=run,
)
